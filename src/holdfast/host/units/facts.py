"""Asking managers what a plan for their units needs to know, and reading what changes of the units' files."""

from __future__ import annotations

import posixpath
import pwd
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError
from holdfast.base.events import message
from holdfast.host.files.actions import PutFile, PutLink, Remove
from holdfast.host.files.nodes import Absent, File, Node, Symlink
from holdfast.host.live import Live
from holdfast.host.planning.plan import Plan
from holdfast.host.units.declared import template_of
from holdfast.host.units.states import Relations
from holdfast.host.units.systemd import Systemd, connect_user
from holdfast.host.units.touched import UnitFileChange, inside, names_in, to_ask
from holdfast.host.units.transitions import ManagerFacts

_LOAD_PATH = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")
_USER_MANAGER = re.compile(r"user@([0-9]+)\.service")


def read_unit_changes(
    live: Live, plan: Plan, places: Sequence[str], read: Callable[[Digest], bytes]
) -> tuple[UnitFileChange, ...]:
    """What a plan changes below ``places``, with the text of it; ``read`` gives new content by its digest.

    Raises:
        OSError, HoldfastError: content cannot be read.
    """
    changes: list[UnitFileChange] = []
    kind = posixpath.basename(places[0])
    for action in plan.actions:
        if isinstance(action, (PutFile, PutLink, Remove)) and action.path.startswith(
            tuple(f"{place}/" for place in places)
        ):
            after: Node = Absent() if isinstance(action, Remove) else action.node
            text = read(after.digest).decode(errors="replace") if isinstance(after, File) else ""
            changes.append(
                UnitFileChange(
                    action.path,
                    action.before,
                    after,
                    _text(live, action.path, action.before),
                    text or _linked(live, after),
                    _shadowed(live, action.path, kind),
                )
            )
    return tuple(changes)


def _text(live: Live, path: str, node: Node) -> str:
    if isinstance(node, Symlink):
        return _linked(live, node)
    found = live.root.read(path) if isinstance(node, File) else None
    return found.decode(errors="replace") if found else ""


def _linked(live: Live, node: Node) -> str:
    """The text of a unit that is a link to a file elsewhere."""
    if not isinstance(node, Symlink) or not node.target.startswith("/") or node.target == "/dev/null":
        return ""
    target = live.root.locate(node.target, follow=True)
    return (
        (live.root.read(target.real) or b"").decode(errors="replace") if isinstance(target.node, File) else ""
    )


def _shadowed(live: Live, path: str, kind: str) -> str | None:
    """The text that counts where nothing is at ``path``: of the same name further down the load path, or of the template."""
    directory, name = inside(path)
    own = posixpath.dirname(path) if not directory else posixpath.dirname(posixpath.dirname(path))
    places = [f"{place}/{kind}" for place in _LOAD_PATH]
    below = places[places.index(own) + 1 :] if own in places else places
    tries = [f"{place}/{directory}/{name}" if directory else f"{place}/{name}" for place in below]
    template = None if directory else template_of(name)
    if template is not None:
        tries += [f"{place}/{template}" for place in places]
    for one in tries:
        found = live.root.locate(one, follow=True)
        if isinstance(found.node, File):
            return (live.root.read(found.real) or b"").decode(errors="replace")
    return None


def ask(systemd: Systemd, changes: Sequence[UnitFileChange], *, own: str = "") -> ManagerFacts:
    """What a plan for ``changes`` needs to know of the manager's units.

    Raises:
        HoldfastError: it does not answer.
    """
    states = systemd.states()
    aliases = systemd.aliases(sorted(names_in(changes) - states.keys()))
    relations: dict[str, Relations] = {}
    for name in sorted(to_ask(changes, states, aliases)):
        relations[name] = systemd.relations(name)
    for service in {name for one in relations.values() for name in one.triggers} - relations.keys():
        relations[service] = systemd.relations(service)
    return ManagerFacts(states, aliases, relations, own=own)


def own_unit() -> str:
    """The unit that this program runs in, or nothing: see cgroups(7)."""
    try:
        text = Path("/proc/self/cgroup").read_text(encoding="utf-8")
    except OSError:
        return ""
    name = text.strip().rpartition("/")[2]
    return name if name.endswith(".service") else ""


def ask_users(system: ManagerFacts, changes: Sequence[UnitFileChange]) -> Mapping[str, ManagerFacts]:
    """The same of every user manager that runs, by its user's name. One that does not answer is left out, with a warning."""
    found: dict[str, ManagerFacts] = {}
    for unit, state in system.states.items():
        matched = _USER_MANAGER.fullmatch(unit)
        if matched is None or state.active != "active":
            continue
        name = name_of(int(matched[1]))
        try:
            systemd = connect_user(name, int(matched[1]))
            if systemd is not None:
                with closing(systemd):
                    found[name] = ask(systemd, changes)
        except HoldfastError as error:
            message(f"the units of user {name} are left as they are: {error.brief}", level="warning")
        except Exception as error:  # it is the user's program, and may answer anything
            message(f"the units of user {name} are left as they are: {error!r}", level="warning")
    return found


def name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def logged_in(system: ManagerFacts) -> frozenset[int]:
    """Numbers of the users who have a session, see systemd-logind(8)."""
    found: set[int] = set()
    for unit, state in system.states.items():
        if not (unit.startswith("session-") and unit.endswith(".scope") and state.runs):
            continue
        record = Path("/run/systemd/sessions", unit[len("session-") : -len(".scope")])
        try:
            lines = record.read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        found |= {int(line[4:]) for line in lines if line.startswith("UID=") and line[4:].isdigit()}
    return frozenset(found)
