"""From facts, state and manifest to an ordered list of actions. Pure: it looks at nothing and changes nothing."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace

from holdfast.base.digests import Digest, digest_bytes, hex_of
from holdfast.base.errors import HoldfastError
from holdfast.host import state as places
from holdfast.host.accounts import Ids
from holdfast.host.actions import Action, Keep, MakeDirectory, inverse, put
from holdfast.host.facts import Facts, next_generation, record_paths
from holdfast.host.nodes import Absent, File, Folder, Node, Special, Symlink, Wish, describe
from holdfast.host.rooted import Located
from holdfast.host.state import STATE_VERSION, Managed, State, write_state
from holdfast.host.wishes import Wishes, make_wishes
from holdfast.manifest.document import write_manifest
from holdfast.manifest.model import Manifest

_SECRET = ("/etc/shadow", "/etc/gshadow")


@dataclass(frozen=True)
class Plan:
    actions: tuple[Action, ...]
    contents: Mapping[Digest, bytes]
    """Content that the actions name and that is neither a blob nor kept."""
    state: State
    """What is recorded when all is done."""

    def inverse(self) -> Plan:
        """The plan that takes everything back. ``state`` is meaningless in it: the old state file is put back."""
        return replace(self, actions=tuple(inverse(action) for action in reversed(self.actions)))


def make_plan(facts: Facts, state: State | None, manifest: Manifest, *, ids: Ids, epoch: int) -> Plan:
    """What must be done so that ``manifest`` is true; nothing when it is.

    Raises:
        HoldfastError: something is in the way or contradicts itself; names every such thing.
    """
    wishes = make_wishes(manifest, facts.basics, state, ids=ids, epoch=epoch)
    work = _Planning(facts, state, wishes)
    work.removals()
    work.edits()
    work.creations()
    if wishes.problems or work.problems:
        problems = list(dict.fromkeys([*wishes.problems, *work.problems]))
        raise HoldfastError(
            f"the system {manifest.name!r} cannot be made as it is defined"
            + (f": {problems[0]}" if len(problems) == 1 else f": {len(problems)} problems"),
            details="" if len(problems) == 1 else "\n".join(f"- {problem}" for problem in problems),
            resolution="Change the definition, then run the command again.",
        )
    new_state = work.record(manifest)
    return Plan(tuple(work.actions), work.contents, new_state)


class _Planning:
    """The actions while they are collected. State is kept by real path, so that two spellings of a place are one."""

    def __init__(self, facts: Facts, state: State | None, wishes: Wishes) -> None:
        self.facts, self.state, self.wishes = facts, state, wishes
        self.actions: list[Action] = []
        self.problems: list[str] = []
        self.contents = dict(wishes.contents)
        self.paths: dict[str, Managed] = {}
        self._old: Mapping[str, Managed] = state.paths if state else {}
        self._kept = set(facts.kept)
        self._parents: set[str] = set(state.parents) if state else set()
        self._made: set[str] = set()
        self._wished: dict[str, str] = {}
        """Real path to the path as it was declared."""
        for path in wishes.nodes:
            self._wished.setdefault(facts.located[path].real, path)
        self._needed = {parent for real in self._wished for parent in _parents(real)}
        self._going: set[str] = set(facts.gone)
        """What will not be there any more when wishes are put in place."""

    def removals(self) -> None:
        """Undo what is ours and no longer wished, the deepest first."""
        idle = self._parents - self._needed
        self._parents -= idle
        self._going |= idle
        dropped = {path for path in self._old if path not in self._wished}
        for path in sorted(dropped | idle | self.facts.gone, key=lambda path: (-path.count("/"), path)):
            if path in dropped or path in self.facts.gone:
                self._restore(self.facts.managed[path], self._old[path])
            elif path not in self._wished:
                self.actions.append(put(path, Absent(), Folder(), "nothing of ours is in it any more"))
        for path, node in sorted(self.wishes.settled.leftovers.items(), reverse=True):
            if path not in self._wished and self.facts.located[path].node == node:
                self._keep(path, node, "home of a deleted user")
                self.actions.append(put(path, Absent(), node, "home of a deleted user"))

    def _restore(self, located: Located, managed: Managed) -> None:
        now, before = located.node, managed.before
        if now == before or located.blocked or isinstance(now, Special) or isinstance(before, Special):
            return
        if isinstance(now, Folder) and not isinstance(before, (Folder, Absent)):
            return  # somebody made a directory of it meanwhile: that is not ours to take away
        if isinstance(before, Folder) and isinstance(now, (File, Symlink)):
            return
        if isinstance(now, Folder) and isinstance(before, Absent):
            if located.real in self._needed:
                self._parents.add(located.real)
                before = Folder()
                if now == before:
                    return
            else:
                self._going.add(located.real)
        self._keep(located.real, now, "no longer declared")
        self._make_parents(located)
        self.actions.append(put(located.real, before, now, "no longer declared"))

    def edits(self) -> None:
        for path, data in self.wishes.edits.items():
            located = self.facts.located[path]
            if located.blocked or isinstance(located.node, (Folder, Special)):
                there = located.blocked or f"{describe(located.node)} is there"
                self.problems.append(f"{path} cannot be written: {there}")
                continue
            self._make_parents(located)
            found = located.node
            if isinstance(found, File):
                node = replace(found, digest=digest_bytes(data))
                self.contents[found.digest] = self.facts.basics.texts[path]
            else:
                gid = self.wishes.settled.accounts.gids().get("shadow", 0) if path in _SECRET else 0
                mode = "0640" if path in _SECRET else "0644"
                node = File(digest_bytes(data), mode, 0, gid)
            self.contents[node.digest] = data
            self.actions.append(put(located.real, node, found, f"update {posixpath.basename(path)}"))

    def creations(self) -> None:
        """Put every wish in place, in the order of real paths: a directory comes before what is in it."""
        order: list[tuple[str, str, Wish, bool]] = []
        for path, wish in self.wishes.nodes.items():
            located = self.facts.located[path]
            other = self._wished[located.real]
            if located.blocked and not isinstance(wish.node, Absent):
                self.problems.append(f"{path} cannot be reached: {located.blocked}")
            elif other != path:
                self.problems.append(
                    f"{path} and {other} are the same place, {located.real}: declare one of them"
                )
            else:
                order.append((located.real, path, wish, True))
        for path, wish in self.wishes.once.items():
            located = self.facts.located[path]
            if located.real not in self._wished and not located.blocked and self._home_is_new(path):
                order.append((located.real, path, wish, False))
        for _, path, wish, managed in sorted(order, key=lambda item: item[0].split("/")):
            self._create(path, wish, managed=managed)

    def _home_is_new(self, path: str) -> bool:
        """Whether the home that ``path`` is or is in is made by this plan: /etc/skel goes into new homes only."""
        home = next(parent for parent in (*reversed(_parents(path)), path) if parent in self.wishes.once)
        return isinstance(self.facts.located[home].node, Absent)

    def _create(self, path: str, wish: Wish, *, managed: bool) -> None:
        located = self.facts.located[path]
        real, found, node = located.real, located.node, wish.node
        conflict = self._conflict(path, node, located)
        if conflict:
            self.problems.append(conflict)
            return
        if managed:
            old = self._old.get(real)
            made = self.state is not None and real in self.state.parents
            self.paths[real] = Managed(node, old.before if old else Absent() if made else found)
        if found == node or real in self._made:
            return
        if not isinstance(node, Absent):
            self._make_parents(located, managed=managed)
        self._keep(real, found, wish.reason)
        if isinstance(found, Folder) and not isinstance(node, Folder):
            self.actions.append(put(real, Absent(), found, f"makes room for {describe(node)}"))
            found = Absent()
        if isinstance(node, Folder):
            self._made.add(real)
        self.actions.append(put(real, node, found, wish.reason))

    def _conflict(self, path: str, node: Node, located: Located) -> str:
        found = located.node
        for parent in (*_parents(path), *_parents(located.real)):
            above = self.wishes.nodes.get(parent) or self.wishes.nodes.get(self._wished.get(parent, ""))
            if above is not None and isinstance(above.node, (File, Symlink)):
                return f"{path} lies beneath {parent}, which is declared as {describe(above.node)}"
        for link in located.links:
            above = self.wishes.nodes.get(self._wished.get(link, ""))
            if above is not None and above.node != self.facts.located[self._wished[link]].node:
                return (
                    f"{path} is reached through the link {link}, which is declared as {describe(above.node)}"
                )
        if isinstance(found, Special):
            return f"{path} is {found.what} on this system: it is in the way and is not replaced"
        if isinstance(found, Folder) and not isinstance(node, Folder):
            inside = {f"{located.real}/{name}" for name in located.names}
            old = self._old.get(located.real)
            ours = located.real in self._going or (old is not None and isinstance(old.before, Absent))
            if not (ours and inside <= self._going):
                return f"{path} is a directory on this system: it is in the way of {describe(node)}"
        if isinstance(node, Folder) and isinstance(found, (File, Symlink)):
            return f"{path} is {describe(found)} on this system: it is in the way of a directory"
        return ""

    def _make_parents(self, located: Located, *, managed: bool = False) -> None:
        """Make what is missing above a path: as it is declared, otherwise root's and 0755."""
        for parent in located.missing:
            if parent in self._made:
                continue
            self._made.add(parent)
            wish = self.wishes.nodes.get(self._wished.get(parent, "")) or self.wishes.once.get(parent)
            node = wish.node if wish else Folder("0700" if parent == places.HOME else "0755")
            if not isinstance(node, Folder):
                continue  # a file is declared there: that is reported as a problem of its own
            if managed and wish is None:
                self._parents.add(parent)
            self.actions.append(MakeDirectory(parent, node, f"for {located.real}"))

    def _keep(self, real: str, node: Node, reason: str) -> None:
        """Keep the content of a file before it goes."""
        if not isinstance(node, File) or hex_of(node.digest) in self._kept:
            return
        self._kept.add(hex_of(node.digest))
        self._make_parents(self.facts.located[posixpath.join(places.KEPT, "x")])
        self.actions.append(Keep(real, node.digest, reason))

    def record(self, manifest: Manifest) -> State:
        """The generation's manifest, the link to it, and last of all the state, which it returns."""
        data = write_manifest(manifest)
        digest = digest_bytes(data)
        generation = next_generation(digest, self.state)
        manifest_path, current, state, _ = record_paths(generation)
        self._record(manifest_path, data)
        target = posixpath.relpath(posixpath.dirname(manifest_path), places.HOME)
        located = self.facts.located[current]
        if located.node != Symlink(target):
            self._make_parents(located)
            self.actions.append(put(located.real, Symlink(target), located.node, "the current generation"))
        if self.state is not None:
            data = write_state(self.state)
            self.contents[digest_bytes(data)] = data  # what undoing this plan puts back
        new_state = self._new_state(manifest, digest, generation)
        self._record(state, write_state(new_state))
        return new_state

    def _record(self, path: str, data: bytes) -> None:
        located = self.facts.located[path]
        # It names password hashes and what was there before: for root alone.
        node = File(digest_bytes(data), "0600")
        if located.node == node:
            return
        self._make_parents(located)
        self.contents[node.digest] = data
        self.actions.append(put(located.real, node, located.node, "record the generation"))

    def _new_state(self, manifest: Manifest, digest: Digest, generation: int) -> State:
        settled = self.wishes.settled
        return State(
            version=STATE_VERSION,
            generation=generation,
            manifest=digest,
            paths=self.paths,
            parents=tuple(sorted(parent for parent in self._parents if not parent.startswith(places.HOME))),
            users=settled.users,
            groups=settled.groups,
            memberships=settled.memberships,
            kept_groups=settled.kept_groups,
            hosts_line=self.wishes.hosts_line,
            holds=manifest.packages.hold,
        )


def _parents(path: str) -> list[str]:
    """Directories above ``path``, nearest first, without the root."""
    found: list[str] = []
    while (path := posixpath.dirname(path)) not in ("/", ""):
        found.append(path)
    return found
