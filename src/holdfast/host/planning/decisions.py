"""Which actions make what is wished of what is there: collected one decision at a time (pure)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace

from holdfast.base.digests import digest_bytes, hex_of
from holdfast.host import state as places
from holdfast.host.accounts.tables import SHADOW_FILES
from holdfast.host.files.actions import NO_ATTRIBUTES, Action, Attributes, Keep, MakeDirectory, put
from holdfast.host.files.nodes import (
    Absent,
    File,
    Folder,
    Node,
    Secret,
    Special,
    Symlink,
    Wish,
    describe,
    seen_as,
)
from holdfast.host.files.rooted import Located
from holdfast.host.files.tmpfiles import TMPFILES, is_untouched, record
from holdfast.host.packages import debian
from holdfast.host.packages.record import PackageState
from holdfast.host.planning.basics import HOSTS
from holdfast.host.planning.facts import Facts, Recording, next_generation, record_paths
from holdfast.host.planning.recording import new_state, remaining_state, with_homes
from holdfast.host.planning.wishes import Wishes
from holdfast.host.state import Adopted, Edited, Managed, State, write_state
from holdfast.host.steps import DecryptSecret, decrypt_step
from holdfast.manifest.document import write_manifest
from holdfast.manifest.model import Manifest

_SELINUX = "security.selinux"


class Planning:
    """The actions while they are collected. State is kept by real path, so that two spellings of a place are one."""

    def __init__(
        self,
        facts: Facts,
        state: State | None,
        wishes: Wishes,
        manifest: Manifest | None,
        recording: Recording | None,
    ) -> None:
        """``manifest``: None gives everything back."""
        self.facts, self.state, self.wishes = facts, state, wishes
        self._manifest, self._recording = manifest, recording
        self.secrets: list[DecryptSecret] = []
        self._adopted: dict[str, Adopted] = {}
        self._edited: dict[str, Edited] = {}
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
        low, high = facts.basics.ranges.uid
        self._people = [
            record
            for accounts in (wishes.settled.accounts, facts.basics.accounts)
            for record in accounts.passwd.records()
            if record[2].isdigit() and low <= int(record[2]) <= high and record[3].isdigit()
            if record[5].startswith("/") and record[5].strip("/")
        ]
        self._needed = {parent for real in self._wished for parent in _parents(real)}
        self._tmpfiles: Mapping[str, str] = state.tmpfiles if state else {}
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
                there = self.facts.located[path]
                if (
                    isinstance(there.node, Folder) and there.real == path
                ):  # or somebody put something else there
                    self.actions.append(put(path, Absent(), there.node, "nothing of ours is in it any more"))
        for path, node in sorted(self.wishes.settled.leftovers.items(), reverse=True):
            if path not in self._wished and self.facts.located[path].node == node:
                self._keep(path, node, "home of a deleted user")
                self.actions.append(put(path, Absent(), node, "home of a deleted user"))

    def tmpfiles(self) -> None:
        """Take away what dropped rules of tmpfiles.d(5) made and nobody has filled since."""
        if self._recording is None:
            return
        old: Mapping[str, str] = self.state.tmpfiles if self.state else {}
        known, wish = self._old.get(TMPFILES), self.wishes.nodes.get(TMPFILES)
        same = known is not None and wish is not None and known.node == wish.node
        # The same rules make nothing now, whatever somebody has taken away since.
        self._tmpfiles = record(self.wishes.tmpfiles, old, {} if same else self.facts.located)
        for path in sorted(old.keys() - self._tmpfiles, key=lambda path: (-path.count("/"), path)):
            located = self.facts.located[path]
            if path in self._wished or located.real != path or located.blocked:
                continue
            if path in self._needed:
                self._parents.add(path)
            elif is_untouched(old[path], located.node):
                self.actions.append(put(path, Absent(), located.node, "no rule makes it any more"))

    def _restore(self, located: Located, managed: Managed) -> None:
        now, before = seen_as(managed.node, located.node), managed.before
        if now == before or located.blocked or isinstance(now, Special) or isinstance(before, Special):
            return
        if isinstance(now, Folder) and not isinstance(before, (Folder, Absent)):
            return  # somebody made a directory of it meanwhile: that is not ours to take away
        if isinstance(before, Folder) and isinstance(now, (File, Symlink, Secret)):
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
        self._put(located, before, now, "no longer declared", managed.attributes)

    def _put(
        self, located: Located, node: Node, found: Node, reason: str, attributes: Attributes = NO_ATTRIBUTES
    ) -> None:
        """Make ``node`` of ``found``. A secret is taken away by the file action and brought back by a step around it."""
        if isinstance(found, Secret):
            self.secrets.append(decrypt_step(located.real, found, "undo"))
        if not isinstance(node, Secret):
            before = located.attributes
            change = put(located.real, node, found, reason, attributes=attributes, before_attributes=before)
            self.actions.append(change)
            return
        if isinstance(found, (File, Symlink)):
            change = put(located.real, Absent(), found, reason, before_attributes=located.attributes)
            self.actions.append(change)
        self.secrets.append(decrypt_step(located.real, node, "do"))

    def edits(self) -> None:
        for path, data in self.wishes.edits.items():
            if path == debian.STATUS and self._recording and self._recording.packages is not None:
                continue  # the package manager is told itself: it is at work at the same time
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
                gid = self.wishes.settled.accounts.gids().get("shadow", 0) if path in SHADOW_FILES else 0
                mode = "0640" if path in SHADOW_FILES else "0644"
                node = File(digest_bytes(data), mode, 0, gid)
            self.contents[node.digest] = data
            wanted = self._given_back(path, node, data)
            reason = f"update {posixpath.basename(path)}"
            if self._recording and path != debian.STATUS:
                self._note_edit(path, wanted, reason)
            if wanted != found:
                same = located.attributes
                change = put(
                    located.real, wanted, found, reason, attributes=same, before_attributes=same, edit=True
                )
                self.actions.append(change)

    def _given_back(self, path: str, node: File, data: bytes) -> File | Absent:
        """The very file that was there before us, where nothing but order and line ends tells it from what is wished now."""
        edited = self.state.edited.get(path) if self.state and self._manifest is None else None
        if edited is None or edited.after != self.facts.located[path].node:
            return node
        if isinstance(edited.before, File):
            before = self.facts.shared.get(path)
            same = before is not None and sorted(before.split()) == sorted(data.split())
            return edited.before if same else node
        made_by_us = isinstance(edited.before, Absent) and (path == HOSTS or not data)
        return Absent() if made_by_us else node

    def _note_edit(self, path: str, node: Node, reason: str) -> None:
        """Remember what a shared file was before us, as long as nobody but us changes it."""
        located = self.facts.located[path]
        old = self.state.edited.get(path) if self.state else None
        before = old.before if old and old.after == located.node else located.node
        self._edited[path] = Edited(before, node)
        if before == located.node:
            self._keep(located.real, located.node, reason)

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
        real = located.real
        adopted = self.state.adopted.get(real) if self.state and managed else None
        if adopted is not None and adopted.declared == wish.node:
            self._adopted[real] = adopted
            wish = Wish(adopted.node, "accepted as it is")
        old = self._old.get(real)
        found, node = located.node if old is None else seen_as(old.node, located.node), wish.node
        conflict = self._conflict(path, node, located)
        if conflict:
            self.problems.append(conflict)
            return
        if managed:
            made = self.state is not None and real in self.state.parents
            if old is not None:
                self.paths[real] = replace(old, node=node)
            else:
                theirs = located.attributes if self._recording and isinstance(found, File) else NO_ATTRIBUTES
                self.paths[real] = Managed(node, Absent() if made else found, theirs)
        if real in self._made or (found == node and real not in self.facts.changed_secrets):
            return
        if not isinstance(node, Absent):
            self._make_parents(located, managed=managed)
        self._keep(real, found, wish.reason)
        if isinstance(found, Folder) and not isinstance(node, Folder):
            self.actions.append(put(real, Absent(), found, f"makes room for {describe(node)}"))
            found = Absent()
        if isinstance(node, Folder):
            self._made.add(real)
        self._put(located, node, found, wish.reason, self._label(located, node))

    def _label(self, located: Located, node: Node) -> Attributes:
        """The SELinux label stays with the place; everything else belonged to the old file."""
        label = located.attributes.get(_SELINUX)
        return {_SELINUX: label} if label and self._recording and isinstance(node, File) else NO_ATTRIBUTES

    def _conflict(self, path: str, node: Node, located: Located) -> str:
        found = located.node
        for parent in (*_parents(path), *_parents(located.real)):
            above = self.wishes.nodes.get(parent) or self.wishes.nodes.get(self._wished.get(parent, ""))
            if above is not None and isinstance(above.node, (File, Symlink, Secret)):
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
        if isinstance(node, Folder) and isinstance(found, (File, Symlink, Secret)):
            return f"{path} is {describe(found)} on this system: it is in the way of a directory"
        return ""

    def _make_parents(self, located: Located, *, managed: bool = False) -> None:
        """Make what is missing above a path: as it is declared, otherwise root's and 0755."""
        for parent in located.missing:
            if parent in self._made:
                continue
            self._made.add(parent)
            wish = self.wishes.nodes.get(self._wished.get(parent, "")) or self.wishes.once.get(parent)
            node = wish.node if wish else self._parent(parent)
            if not isinstance(node, Folder):
                continue  # a file is declared there: that is reported as a problem of its own
            if managed and wish is None:
                self._parents.add(parent)
            self.actions.append(MakeDirectory(parent, node, f"for {located.real}"))

    def _parent(self, path: str) -> Folder:
        """A directory that nobody declared. In a person's home it is that person's, who may want to put more into it."""
        homes = [record for record in self._people if path.startswith(f"{record[5].rstrip('/')}/")]
        if not homes:
            return Folder("0700" if path == places.HOME else "0755")
        nearest = max(homes, key=lambda record: len(record[5]))
        return Folder("0755", int(nearest[2]), int(nearest[3]))

    def _keep(self, real: str, node: Node, reason: str) -> None:
        """Keep the content of a file before it goes."""
        if not isinstance(node, File) or hex_of(node.digest) in self._kept:
            return
        self._kept.add(hex_of(node.digest))
        self._make_parents(self.facts.located[posixpath.join(places.KEPT, "x")])
        self.actions.append(Keep(real, node.digest, reason))

    def record(self) -> State:
        """The generation's manifest, the link to it, and last of all the state, which it returns."""
        if self.state is not None and self._recording is None:
            data = write_state(self.state)
            self.contents[digest_bytes(data)] = data  # what undoing this plan puts back
        if self._manifest is None:
            state = replace(remaining_state(self.wishes.settled, self.state), packages=self._packages())
            current = self.facts.located[places.CURRENT]
            if isinstance(current.node, (File, Symlink)):
                self.actions.append(put(current.real, Absent(), current.node, "nothing is managed any more"))
        else:
            state = self._record_generation(self._manifest)
        if self._recording is None or state != self.state:  # writing a large one takes its time
            self._record(places.STATE, write_state(state))
        return state

    def _record_generation(self, manifest: Manifest) -> State:
        data = write_manifest(manifest)
        digest = digest_bytes(data)
        generation = self._recording.generation if self._recording else next_generation(digest, self.state)
        manifest_path, current, _, wanted, _ = record_paths(generation)
        self._record(manifest_path, data)
        if self._recording:
            self._record(wanted, self._recording.origin)
        target = posixpath.relpath(posixpath.dirname(manifest_path), places.HOME)
        located = self.facts.located[current]
        if located.node != Symlink(target):
            self._make_parents(located)
            self.actions.append(put(located.real, Symlink(target), located.node, "the current generation"))
        before: Mapping[str, Edited] = self.state.edited if self.state else {}
        untouched = {
            path: edited for path, edited in before.items() if self.facts.located[path].node == edited.after
        }
        parents = tuple(sorted(parent for parent in self._parents if not parent.startswith(places.HOME)))
        state = new_state(
            manifest,
            generation,
            self.wishes,
            self.state,
            self.paths,
            parents,
            building=self._recording is None,
        )
        return replace(
            with_homes(state, self.wishes, self.facts.located),
            adopted=self._adopted,
            edited={**untouched, **self._edited},
            packages=self._packages(),
            tmpfiles=self._tmpfiles,
        )

    def _packages(self) -> PackageState:
        if self._recording and self._recording.packages is not None:
            return self._recording.packages
        return self.state.packages if self.state else PackageState()

    def _record(self, path: str, data: bytes) -> None:
        located = self.facts.located[path]
        # It names password hashes and what was there before: for root alone.
        node = File(digest_bytes(data), "0600")
        if located.node == node:
            return
        self._make_parents(located)
        self.contents[node.digest] = data
        self.actions.append(put(located.real, node, located.node, "record the generation"))


def _parents(path: str) -> list[str]:
    """Directories above ``path``, nearest first, without the root."""
    found: list[str] = []
    while (path := posixpath.dirname(path)) not in ("/", ""):
        found.append(path)
    return found
