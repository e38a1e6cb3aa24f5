"""The environment of shells, sessions and services: variables, search paths, start-up commands, aliases."""

from __future__ import annotations

from holdfast.library.assembling.problems import sentence
from holdfast.library.files import Files
from holdfast.library.rendering.shell import check_directory
from holdfast.library.types import Checked, Distinct
from holdfast.options import (
    BOOL,
    LINES,
    STR,
    Config,
    Module,
    OptionSet,
    attrs_of,
    implements,
    lazy,
    null_or,
    option,
)
from holdfast.options.types import ListOf, Mismatch, Type, is_plain_sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Union

    from holdfast.options.config import Engine
    from holdfast.options.definition import Recorded
    from holdfast.options.tree import Slot

    Variable = Union[str, tuple[str, ...]]
    Written = Union[str, int, Sequence[str]]

PROFILE = "/etc/profile.d/holdfast.sh"
SESSIONS = "/etc/environment.d/60-holdfast.conf"
SERVICES = "/etc/systemd/system.conf.d/60-holdfast.conf"
ZSH = "/etc/zsh/zprofile"
FISH = "/etc/fish/conf.d/holdfast.fish"


class _Variable(Type["Variable", "Written"]):
    """One text, or a list of parts: definitions of parts add up, those of texts must be equal."""

    words = "the value of a variable (a string, a number, or a list of parts)"

    def __init__(self) -> None:
        self._parts: ListOf[str, str] = ListOf(STR)

    def read(self, value: object, definition: Recorded) -> Variable:
        if type(value) is int:
            return str(value)
        if is_plain_sequence(value):
            parts = self._parts.read(value, definition)
            for part in parts:
                if ":" in part:
                    hint = sentence(f"the part {part!r} has a colon, which is what parts are joined with")
                    raise Mismatch(value, definition, expected=self.words, hint=hint)
            return parts
        if type(value) is not str or "\0" in value:
            raise Mismatch(value, definition, expected=self.words, hint='Write it in quotes; "1" for true.')
        return value

    def merge(self, engine: Engine, slot: Slot, values: list[tuple[object, Recorded]]) -> Variable:
        if all(is_plain_sequence(value) for value, _ in values):
            read = [self.read(*value) for value in values]
            return tuple(dict.fromkeys(part for parts in read for part in parts))
        return super().merge(engine, slot, values)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "string"}, self._parts.schema()]}


VARIABLE: Type[Variable, Written] = _Variable()
DIRECTORIES = Distinct(Checked("a directory to search", check_directory))


class Environment(OptionSet, path="environment"):
    """What shells, sessions and services find in their environment.

    Values are taken exactly as written; nothing in them is expanded. A list is joined with colons, and modules may each add
    parts. None leaves a variable out, also against other modules' defaults.
    """

    variables = option(
        attrs_of(null_or(VARIABLE)),
        doc="Variables of login shells (bash, dash and others that read /etc/profile; zsh and fish where switched on).",
        example={"EDITOR": "vim", "MANPATH": ["/opt/man", "/usr/share/man"]},
    )
    session_variables = option(
        attrs_of(null_or(VARIABLE)),
        doc="Variables of login shells and also of each user's systemd, and with it of desktop sessions, see environment.d(5).",
        example={"MOZ_ENABLE_WAYLAND": 1},
    )
    service_variables = option(
        attrs_of(null_or(VARIABLE)),
        doc="Variables of all services of the system (`DefaultEnvironment` of systemd-system.conf(5)), from their next start on.",
        example={"HTTPS_PROXY": "http://proxy.example.org:3128"},
    )
    path_prepend = option(
        DIRECTORIES,
        doc="Directories to look for programs in before all others, in shells and sessions. `~/` is the user's home.",
        example=["~/.local/bin"],
    )
    path_append = option(DIRECTORIES, doc="Directories to look for programs in after all others.")
    data_dirs = option(
        DIRECTORIES, doc="Directories to look for shared data in first: at the front of XDG_DATA_DIRS."
    )
    config_dirs = option(
        DIRECTORIES, doc="Directories to look for configuration in first: at the front of XDG_CONFIG_DIRS."
    )
    extra_init = option(
        LINES,
        default="",
        doc="Commands of login shells, in POSIX sh; they are sourced, so they must not exit. Not for fish.",
        example="umask 027\n",
    )
    interactive_init = option(
        LINES,
        default="",
        doc="Commands of interactive login shells, in POSIX sh. (Shells that are no login shells read only the distribution's own "
        "/etc/bash.bashrc, which is left alone.)",
        example="bind 'set bell-style none' 2>/dev/null || true\n",
    )
    aliases = option(
        attrs_of(null_or(STR)),
        doc="Aliases of interactive login shells; of all interactive shells in fish.",
        example={"ll": "ls -l"},
    )
    zsh = option(
        BOOL,
        default=False,
        doc="For zsh too: replaces /etc/zsh/zprofile, in which Debian has only comments.",
    )
    fish = option(BOOL, default=False, doc="For fish too: writes /etc/fish/conf.d/holdfast.fish.")
    fish_init = option(LINES, default="", doc="Commands of every fish, in its own language.")


@implements(Environment)
def environment(m: Module) -> None:
    """Writes a file for each place that programs take their environment from, when there is something to say there."""
    with m.when(_has_profile):
        m[Files][PROFILE].text = lazy(_profile)
    with m.when(_has_sessions):
        m[Files][SESSIONS].text = lazy(_sessions)
    with m.when(lambda c: any(value is not None for value in c[Environment].service_variables.values())):
        m[Files][SERVICES].text = lazy(_services)
    with m.when(lambda c: c[Environment].zsh):
        m[Files][ZSH].text = lazy(_zsh)
    with m.when(lambda c: c[Environment].fish):
        m[Files][FISH].text = lazy(_fish)


def _has_paths(c: Config) -> bool:
    mine = c[Environment]
    return any(map(len, (mine.path_prepend, mine.path_append, mine.data_dirs, mine.config_dirs)))


def _has_profile(c: Config) -> bool:
    mine = c[Environment]
    named = (*mine.variables.values(), *mine.session_variables.values(), *mine.aliases.values())
    texts = mine.extra_init.strip() + mine.interactive_init.strip()
    return _has_paths(c) or texts != "" or any(value is not None for value in named)


def _has_sessions(c: Config) -> bool:
    return _has_paths(c) or any(value is not None for value in c[Environment].session_variables.values())


def _profile(c: Config) -> str:
    from holdfast.library.assembling.environment import shell_environment
    from holdfast.library.rendering.shell import render_profile

    return render_profile(shell_environment(c))


def _sessions(c: Config) -> str:
    from holdfast.library.assembling.environment import session_environment
    from holdfast.library.rendering.shell import render_environment_d

    return render_environment_d(session_environment(c))


def _services(c: Config) -> str:
    from holdfast.library.assembling.environment import plain_variables
    from holdfast.library.rendering.shell import render_default_environment

    return render_default_environment(plain_variables(c, "service_variables"))


def _zsh(c: Config) -> str:
    from holdfast.library.rendering.shell import render_zprofile

    return render_zprofile(PROFILE if _has_profile(c) else None)


def _fish(c: Config) -> str:
    from holdfast.library.assembling.environment import shell_environment
    from holdfast.library.rendering.fish import render_fish

    return render_fish(shell_environment(c), c[Environment].fish_init)
