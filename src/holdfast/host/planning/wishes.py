"""What shall be where: a manifest turned into paths, with numbers for owners and digests for content (pure)."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Mapping
from dataclasses import field

from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.records import dataclass
from holdfast.host import state as places
from holdfast.host.accounts.declared import Settled, settle
from holdfast.host.accounts.ids import Ids
from holdfast.host.accounts.retiring import NOLOGIN
from holdfast.host.files.nodes import File, Folder, Node, Secret, Special, Symlink, Wish
from holdfast.host.files.tmpfiles import TMPFILES, made_by
from holdfast.host.packages import debian
from holdfast.host.planning.basics import HOSTS, Basics
from holdfast.host.planning.identity import hosts_with, hosts_without, wish_identity
from holdfast.host.state import State
from holdfast.host.units.declared import USER, wish_units
from holdfast.manifest.model import (
    SCHEMA_VERSION,
    BlobFile,
    Directory,
    Distribution,
    Entry,
    Identity,
    Link,
    Manifest,
    SecretFile,
    TextFile,
)

_KERNEL = ("/proc", "/sys", "/dev")
_SECONDS_PER_DAY = 86400


@dataclass(frozen=True)
class Wishes:
    nodes: Mapping[str, Wish]
    """Managed paths: what is there is ours, and stays under watch."""
    once: Mapping[str, Wish]
    """Made when nothing is there, and then left to their owner: homes and what /etc/skel puts in them."""
    edits: Mapping[str, bytes]
    """New content of files that we share with others; they keep their mode and owner."""
    contents: Mapping[Digest, bytes]
    settled: Settled
    hosts_line: str | None
    problems: tuple[str, ...]
    tmpfiles: Mapping[str, str] = field(default_factory=lambda: {})
    """What rules make that is not declared by itself, see :func:`holdfast.host.files.tmpfiles.made_by`."""


NOTHING = Manifest(SCHEMA_VERSION, "", Distribution("", "", ""), Identity("", None, None))
"""A manifest that stands for no manifest where one must be given; nobody makes wishes of it."""


def make_no_wishes(basics: Basics, state: State | None, *, epoch: int) -> Wishes:
    """What giving everything back means for files that we share with others. Everything else is just not wished."""
    settled = settle(
        basics.accounts,
        {},
        {},
        ids=Ids(),
        ranges=basics.ranges,
        day=epoch // _SECONDS_PER_DAY,
        state=state,
        owned=basics.owned,
    )
    texts = basics.texts
    edits = {path: data for path, data in settled.accounts.render().items() if data != texts.get(path, b"")}
    if state is not None and state.hosts_line is not None and HOSTS in texts:
        edits[HOSTS] = hosts_without(texts[HOSTS], state.hosts_line)
    if state is not None and state.holds and debian.STATUS in texts:
        data, _ = debian.hold(texts[debian.STATUS], (), state.holds)
        if data != texts[debian.STATUS]:
            edits[debian.STATUS] = data
    return Wishes({}, {}, edits, {}, settled, None, settled.problems)


def make_wishes(
    manifest: Manifest, basics: Basics, state: State | None, *, ids: Ids, epoch: int, live: bool
) -> Wishes:
    """Everything that the manifest means for a root of which ``basics`` are known. ``epoch``: seconds since 1970.

    ``live``: it is a machine that can decrypt its secrets, no image under construction.
    """
    settled = settle(
        basics.accounts,
        manifest.users,
        manifest.groups,
        ids=ids,
        ranges=basics.ranges,
        day=epoch // _SECONDS_PER_DAY,
        state=state,
        access=basics.access,
        owned=basics.owned,
    )
    work = _Wishing(manifest, basics, settled, live)
    work.files()
    work.identity()
    work.units()
    work.people()
    if manifest.distribution.family == "debian":
        work.problems += debian.wish_sources(
            manifest.packages.repositories, work.put, manifest.files.__contains__
        )
    if manifest.tmpfiles:
        work.put(
            TMPFILES,
            "".join(f"{line}\n" for line in manifest.tmpfiles),
            "tmpfiles lines",
        )
    edits, hosts_line = work.edits(state)
    return Wishes(
        work.nodes,
        work.once,
        edits,
        work.contents,
        settled,
        hosts_line,
        (*settled.problems, *work.problems),
        {path: made for path, made in made_by(manifest.tmpfiles).items() if path not in work.nodes},
    )


class _Wishing:
    def __init__(self, manifest: Manifest, basics: Basics, settled: Settled, live: bool) -> None:
        self.manifest, self.basics, self.settled, self._live = manifest, basics, settled, live
        self.nodes: dict[str, Wish] = {}
        self.once: dict[str, Wish] = {}
        self.contents: dict[Digest, bytes] = {}
        self.problems: list[str] = []
        self._uids = settled.accounts.uids()
        self._gids = settled.accounts.gids()

    def wish(self, path: str, wish: Wish) -> None:
        """Note a wish. Two equal ones are one; two different ones are a problem."""
        other = self.nodes.setdefault(path, wish)
        if other.node != wish.node:
            self.problems.append(f"{path} is wanted twice: as {other.reason}, and as {wish.reason}")

    def put(
        self, path: str, text: str, reason: str, *, mode: str = "0644", uid: int = 0, gid: int = 0
    ) -> None:
        data = text.encode()
        digest = digest_bytes(data)
        self.contents[digest] = data
        self.wish(path, Wish(File(digest, mode, uid, gid), reason))

    def files(self) -> None:
        for path, entry in sorted(self.manifest.files.items()):
            problem = _path_problem(path)
            if problem:
                self.problems.append(problem)
                continue
            self._entry(path, entry)

    def _entry(self, path: str, entry: Entry) -> None:
        if isinstance(entry, Link):
            self.wish(path, Wish(Symlink(entry.target), "declared link"))
            return
        uid = self._id(self._uids, entry.user, "user", path)
        gid = self._id(self._gids, entry.group, "group", path)
        if isinstance(entry, Directory):
            self.wish(path, Wish(Folder(entry.mode, uid, gid), "declared directory"))
        elif isinstance(entry, BlobFile):
            self.wish(path, Wish(File(entry.digest, entry.mode, uid, gid), "declared file"))
        elif isinstance(entry, SecretFile) and self._live:
            self.wish(
                path,
                Wish(
                    Secret(entry.digest, entry.encryption, entry.identities, entry.mode, uid, gid),
                    "declared secret",
                ),
            )
        elif isinstance(entry, SecretFile):
            self.problems.append(f"{path} is a secret: it can only be decrypted on a machine that runs")
        else:
            self.put(path, entry.text, "declared file", mode=entry.mode, uid=uid, gid=gid)

    def _id(self, known: Mapping[str, int], name: str, what: str, path: str) -> int:
        if name in known:
            return known[name]
        if name == "root":
            return 0  # a root without account files still has its owner
        if name.isascii() and name.isdigit():
            return int(name)
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        self.problems.append(f"{path} belongs to the {what} {name!r}, but there is no such {what}{hint}")
        return 0

    def identity(self) -> None:
        def put(path: str, text: str, reason: str) -> None:
            if path not in self.manifest.files:  # the author's own file says it already
                self.put(path, text, reason)

        def link(path: str, wish: Wish) -> None:
            if path not in self.manifest.files:
                self.wish(path, wish)

        self.problems += wish_identity(
            self.manifest.identity,
            self.basics.identity,
            family=self.manifest.distribution.family,
            put=put,
            link=link,
        )

    def units(self) -> None:
        every = [wish_units(self.manifest.units, self.basics.units, self.put)]
        if self.manifest.user_units:
            every.append(wish_units(self.manifest.user_units, self.basics.user_units, self.put, USER))
        for links in every:
            self.problems += links.problems
            for path, wish in links.wishes.items():
                self.wish(path, wish)

    def people(self) -> None:
        for name, user in sorted(self.manifest.users.items()):
            record = self.settled.users.get(name)
            passwd = self.settled.accounts.passwd.find(name)
            if record is None or passwd is None:
                continue
            home, shell = passwd[5], passwd[6]
            if not self._runs(shell) and (user.shell is not None or shell != NOLOGIN):
                self.problems.append(
                    f"the shell of user {name!r} is not there: {shell}; add the package that has it, or choose another shell"
                )
            made = user.create_home and home not in ("", "/", "/nonexistent")
            if made:
                self._home(home, name, record.uid, record.gid, system=user.system)
            if user.authorized_keys:
                self._keys(name, home, user.authorized_keys, record.uid, record.gid)
            if user.linger:
                self._linger(name)

    def _linger(self, name: str) -> None:
        if not self.basics.user_managers:
            hint = (
                ": add the package 'libpam-systemd'" if self.manifest.distribution.family == "debian" else ""
            )
            self.problems.append(
                f"user {name!r} lingers, but pam_systemd(8), which user managers need, is not there{hint}"
            )
        self.put(f"/var/lib/systemd/linger/{name}", "", f"user {name} lingers")

    def _runs(self, shell: str) -> bool:
        declared = self.manifest.files.get(shell)
        if isinstance(declared, (TextFile, BlobFile)):
            return bool(int(declared.mode, 8) & 0o111)
        return declared is not None or shell in self.basics.executables

    def _home(self, home: str, name: str, uid: int, gid: int, *, system: bool) -> None:
        reason = f"home of user {name}"
        mode = "0755" if system else self.basics.ranges.home_mode
        self.once.setdefault(home, Wish(Folder(mode, uid, gid), reason))
        if system:
            return
        for relative, node in self.basics.skeleton.items():
            if isinstance(node, Special):
                continue
            self.once.setdefault(
                f"{home}/{relative}", Wish(_owned(node, uid, gid), f"{reason}, from /etc/skel")
            )
        self.contents.update(self.basics.skeleton_contents)

    def _keys(self, name: str, home: str, keys: tuple[str, ...], uid: int, gid: int) -> None:
        if home in ("", "/nonexistent"):
            self.problems.append(f"user {name!r} has authorized_keys, but no home to put them in: set home")
            return
        reason = f"ssh keys of user {name}"
        directory = posixpath.join(home, ".ssh")
        self.wish(directory, Wish(Folder("0700", uid, gid), reason))
        text = "".join(f"{key.strip()}\n" for key in keys)
        self.put(f"{directory}/authorized_keys", text, reason, mode="0600", uid=uid, gid=gid)

    def edits(self, state: State | None) -> tuple[dict[str, bytes], str | None]:
        """New content of shared files, those that change."""
        texts = self.basics.texts
        edits = {
            path: data
            for path, data in self.settled.accounts.render().items()
            if data != texts.get(path, b"")
        }
        hosts_line = None
        if HOSTS not in self.manifest.files:
            data, old_line = texts.get(HOSTS), state.hosts_line if state else None
            if "hostname" not in self.basics.identity.kept:
                data, hosts_line = hosts_with(data, self.manifest.identity.hostname, old_line)
            elif data is not None and old_line is not None:
                data = hosts_without(data, old_line)
            if data is not None and data != texts.get(HOSTS):
                edits[HOSTS] = data
        status = texts.get(debian.STATUS)
        holds = self.manifest.packages.hold
        if holds or (state and state.holds):
            data, missing = debian.hold(status or b"", holds, state.holds if state else ())
            self.problems += [f"package {name!r} is to be held, but it is not installed" for name in missing]
            if status is not None and data != status:
                edits[debian.STATUS] = data
        self.problems += [
            f"{path} cannot be a declared file: accounts are kept there"
            for path in edits
            if path in self.manifest.files
        ]
        return edits, hosts_line


def _owned(node: Node, uid: int, gid: int) -> Node:
    if isinstance(node, File):
        return File(node.digest, node.mode, uid, gid)
    if isinstance(node, Folder):
        return Folder(node.mode, uid, gid)
    return node


def _path_problem(path: str) -> str:
    """Why nothing can be declared at this path, or nothing."""
    parts = path.split("/")
    if (
        not path.startswith("/")
        or path == "/"
        or "" in parts[1:]
        or "." in parts
        or ".." in parts
        or "\0" in path
    ):
        return f"{path!r} is no absolute, normalised path"
    if any(path == place or path.startswith(f"{place}/") for place in _KERNEL):
        return f"{path} belongs to the kernel: nothing can be put there"
    if path == places.HOME or path.startswith(f"{places.HOME}/"):
        return f"{path} is where Holdfast keeps its own state: nothing else can be put there"
    return ""
