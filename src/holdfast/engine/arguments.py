"""The command line of the engine: one table of verbs, and the parser made from it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from holdfast.base.digests import Digest, parse_digest
from holdfast.base.errors import HoldfastError


class Verb(NamedTuple):
    summary: str
    function: str
    """``module:function`` below ``holdfast.engine``: takes the parsed arguments and a style, returns an ``Outcome``."""
    arguments: tuple[Callable[[argparse.ArgumentParser], object], ...] = ()
    changes: bool = False
    """It changes the machine: on a running one it works in a unit of its own, which nothing that happens to the terminal ends."""
    shortcut: str = ""
    """Like ``function``: asked before such a unit is started; returns None when one is needed."""
    hidden: bool = False


def _option(*names: str, **more: object) -> Callable[[argparse.ArgumentParser], object]:
    return lambda parser: parser.add_argument(*names, **more)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def _flag(name: str, text: str) -> Callable[[argparse.ArgumentParser], object]:
    return _option(name, action="store_true", help=text)


def _number(name: str, text: str, **more: object) -> Callable[[argparse.ArgumentParser], object]:
    return _option(name, type=int, help=text, **more)


def _what(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "file", metavar="MANIFEST", nargs="?", type=Path, help="a manifest in a file (`holdfast eval`)"
    )
    group.add_argument(
        "--artifact", type=_digest, metavar="DIGEST", help="a generation in this machine's store"
    )


def _digest(text: str) -> Digest:
    try:
        return parse_digest(text)
    except HoldfastError as error:
        raise argparse.ArgumentTypeError(error.brief) from None


def _seconds(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 7 * 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds between 1 and 604800")
    return int(text)


def _confirm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--confirm",
        type=_seconds,
        metavar="SECONDS",
        help="take it back unless `holdfast confirm` comes within SECONDS",
    )


def _paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", help="managed paths; without any, all that have drifted"
    )


_DRY_RUN = _flag("--dry-run", "only say what would be done")
_DETAILED = _flag("--detailed-exitcode", "end with 7 when there is something to change")
_IRREVERSIBLE = _flag("--irreversible-packages", "go on although the old packages cannot be had any more")
_PACKAGES = (
    _IRREVERSIBLE,
    _flag("--exact", "give every package of ours the locked version, also where a newer one is installed"),
    _flag("--purge-packages", "remove the configuration of our packages that go, too; it may delete data"),
    _flag("--remove-protected", "also remove what the machine needs, where the definition says so"),
    _flag("--restart-stale", "restart services that still use files that packages replaced"),
)
_EPHEMERAL = _flag("--ephemeral", "only until the next reboot: nothing is written to the disk")
_GENERATION = _number("number", "a generation's number", metavar="GENERATION")
_OPTIONAL_GENERATION = _number("number", "a generation's number", metavar="GENERATION", nargs="?")

VERBS: Mapping[str, Verb] = {
    "plan": Verb("Show what a switch would change.", "changes:plan", (_what, _DETAILED, _EPHEMERAL, *_PACKAGES)),
    "switch": Verb(
        "Make a generation the current one; without arguments, the current one again.",
        "changes:switch", (_what, _DRY_RUN, _DETAILED, _confirm, _EPHEMERAL, *_PACKAGES), changes=True,
        shortcut="shortcut:nothing_to_switch",
    ),
    "boot": Verb("Let a generation become the current one at the next boot.", "changes:boot", (_what, _DRY_RUN, _DETAILED), changes=True),
    "rollback": Verb(
        "Go back to the generation before, or to a given one.",
        "changes:rollback", (_OPTIONAL_GENERATION, _DRY_RUN, _DETAILED, _confirm, *_PACKAGES), changes=True,
    ),
    "status": Verb("Show the current generation, and what was changed by hand.", "looking:status", (_DETAILED,)),
    "adopt": Verb("Accept what was changed by hand, in place of the definition's.", "changes:adopt", (_paths,), changes=True),
    "repair": Verb("Put back what was changed by hand.", "changes:repair", (_paths, _DRY_RUN, _DETAILED), changes=True),
    "deactivate": Verb("Take back everything that Holdfast did here.", "changes:deactivate", (_DRY_RUN, _DETAILED, *_PACKAGES), changes=True),
    "confirm": Verb("Keep a change that waits to be confirmed.", "confirming:confirm"),
    "recover": Verb("Finish or undo what a crash interrupted.", "changes:recover", changes=True),
    "follow": Verb("Follow the change that is under way, or show how the last one ended.", "detached:follow_last"),
    "facts": Verb("Print what this machine is.", "looking:facts", (_flag("--contents", "with the content of files"),)),
    "import": Verb(
        "Take over what another tool manages on this machine.", "importing:import_from",
        (_option("tool", choices=("system-manager",), metavar="TOOL", help="system-manager"),), changes=True,
    ),
    "receive": Verb("Take a generation from stdin into the store (for deploying).", "receiving:receive"),
    "install": Verb(
        "Install this engine on this machine.", "looking:install",
        (_option("--digest", type=_digest, metavar="DIGEST", help="refuse any other engine"),),
    ),
    "version": Verb("Print the version.", "looking:version"),
    "work": Verb("", "detached:work", (_option("run", type=Path),), hidden=True),
    "expire": Verb("", "confirming:expire", (_number("--generation", ""),), hidden=True),
    "early": Verb("", "early:early", hidden=True),
}  # fmt: skip

GENERATIONS: Mapping[str, Verb] = {
    "list": Verb("List the generations on this machine.", "generations:list_all"),
    "show": Verb("Print a generation's manifest.", "generations:show", (_GENERATION,)),
    "delete": Verb("Forget a generation.", "generations:delete", (_GENERATION, _DRY_RUN), changes=True),
    "prune": Verb(
        "Forget all but the newest generations.", "generations:prune",
        (_number("--keep", "how many of the newest to keep; the current one stays in any case", default=5, metavar="N"), _DRY_RUN), changes=True,
    ),
    "register": Verb("Record a generation without activating it.", "generations:register", (_what,), changes=True),
    "prepopulate": Verb("Put a generation's files in place, and start nothing.", "generations:prepopulate", (_what, _DRY_RUN), changes=True),
    "activate": Verb("Activate a recorded generation; without a number, the newest.", "generations:activate", (_OPTIONAL_GENERATION, _DRY_RUN), changes=True),
}  # fmt: skip
"""Below ``holdfast generations``."""


class Parser(argparse.ArgumentParser):
    """Wrong usage is an error told like every other, by whoever catches it."""

    def error(self, message: str) -> None:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        raise UsageError(
            message,
            details=self.format_usage().strip(),
            resolution=f"`{self.prog} --help` lists what it takes.",
        )


class UsageError(HoldfastError):
    """The command line means nothing."""

    exit_code = 2


def make_parser() -> Parser:
    parser = Parser(
        prog="holdfast", description="Look after this machine as its definition says.", allow_abbrev=False
    )
    parser.set_defaults(generations_verb=None)
    commands = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True, parser_class=Parser)
    for name, verb in VERBS.items():
        _add(commands, name, verb)
    generations = commands.add_parser("generations", help="List, show, record and forget generations.")
    inner = generations.add_subparsers(
        dest="generations_verb", metavar="COMMAND", required=True, parser_class=Parser
    )
    for name, verb in GENERATIONS.items():
        _add(inner, name, verb)
    return parser


def verb_of(options: argparse.Namespace) -> Verb:
    """The table's entry for what was parsed."""
    return GENERATIONS[options.generations_verb] if options.generations_verb else VERBS[options.verb]


def changes(words: Sequence[str]) -> bool:
    """Whether a verb with its arguments, as the author's side writes them, changes the machine (pure)."""
    table, name = (GENERATIONS, words[1]) if words[0] == "generations" else (VERBS, words[0])
    return table[name].changes and "--dry-run" not in words


def _add(commands: argparse._SubParsersAction[Parser], name: str, verb: Verb) -> None:  # pyright: ignore[reportPrivateUsage]
    if verb.hidden:
        parser = commands.add_parser(name)
    else:
        parser = commands.add_parser(name, help=verb.summary, description=verb.summary, allow_abbrev=False)
    for add in verb.arguments:
        add(parser)
    parser.add_argument(
        "--json",
        action="store_true",
        dest="as_json",
        help="print the result as JSON, events as JSON lines on stderr",
    )
    # With --json: the text for people, too, as deploying shows it.
    parser.add_argument("--text", choices=("plain", "coloured"), help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="also show what programs print")
    parser.add_argument(
        "--root",
        type=_root,
        default=Path("/"),
        metavar="DIR",
        help="work on a root file system that does not run",
    )
    parser.add_argument(
        "--wait", type=_seconds, default=0, metavar="SECONDS", help="how long to wait for another run"
    )


def _root(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is no directory")
    return path.resolve()
