"""sudo: who may run what as whom, as a file of our own beside the distribution's."""

from __future__ import annotations

from holdfast.library.files import Files
from holdfast.library.packages import Packages
from holdfast.library.switching import Hooks
from holdfast.library.types import ACCOUNTS, STRINGS, WORDS, Distinct
from holdfast.options import (
    ARGV,
    BOOL,
    INT,
    LINES,
    Config,
    Module,
    OptionSet,
    attrs_of,
    entry_name,
    implements,
    lazy,
    null_or,
    option,
    submodule,
)

SUDOERS = "/etc/sudoers.d/holdfast"
COMMAND_LISTS = Distinct(ARGV)


class Rule(OptionSet, path=""):
    """One rule of sudoers(5): these people may run these commands as these others."""

    name = entry_name(doc="Name of the rule, as a comment.")
    enable = option(BOOL, default=True, doc="False leaves the rule out.")
    users = option(ACCOUNTS, doc="Users it is for.", example=["deploy"])
    groups = option(ACCOUNTS, doc="Groups whose members it is for.", example=["operators"])
    commands = option(
        COMMAND_LISTS,
        default_text="any command",
        doc="Commands it allows: a program by its absolute path and its arguments, exactly as written. A program alone allows any "
        'arguments; [program, ""] allows none.',
        example=[["/usr/bin/systemctl", "restart", "shop.service"]],
    )
    run_as_users = option(WORDS, default=["ALL"], doc="Users it may be as.", example=["postgres"])
    run_as_groups = option(WORDS, default=["ALL"], doc="Groups it may be as; [] for none.")
    no_password = option(BOOL, default=False, doc="Ask for no password.")
    set_env = option(BOOL, default=False, doc="Let people keep their environment (`sudo -E`).")
    no_exec = option(BOOL, default=False, doc="The commands cannot start others.")
    order = option(
        INT,
        default=1000,
        doc="Rules with higher numbers come later, and the last rule that fits is the one that counts.",
    )


class Sudo(OptionSet, path="sudo"):
    """sudo. The distribution's /etc/sudoers stays; what is declared here is read after it, and so wins over it."""

    rules = option(attrs_of(submodule(Rule)), doc="Rules by name.")
    wheel_needs_password = option(
        null_or(BOOL),
        default_text="as the distribution has it: yes",
        doc="Whether members of the group `sudo`, who may run everything, are asked for their password.",
    )
    defaults = option(
        STRINGS,
        doc="Settings, see SUDOERS OPTIONS in sudoers(5).",
        example=["timestamp_timeout=5", 'env_keep += "SSH_AUTH_SOCK"'],
    )
    extra_config = option(LINES, default="", doc="Further lines of sudoers(5), at the end.")


@implements(Sudo)
def sudo(m: Module) -> None:
    """Installs sudo, writes its file, and has visudo(8) read the result: what is wrong there takes the switch back."""
    with m.when(_says_something):
        m[Packages].install = ["sudo"]
        m[Files][SUDOERS].text = lazy(_text)
        m[Files][SUDOERS].mode = "0440"
        m[Hooks].after_switch = [["/usr/sbin/visudo", "--check"]]


def _says_something(c: Config) -> bool:
    mine = c[Sudo]
    return bool(
        any(rule.enable for rule in mine.rules.values())
        or mine.wheel_needs_password is not None
        or mine.defaults
        or mine.extra_config.strip()
    )


def _text(c: Config) -> str:
    from holdfast.library.assembling.sudo import sudoers_text

    return sudoers_text(c)
