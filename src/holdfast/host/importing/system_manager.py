"""Taking over a machine from numtide's System Manager: its files become ours, with its backups as what was there before.

Nothing that is in use changes. Content of the backups goes to where Holdfast keeps such things, then our state is recorded, durably; only then
do their backups go and their state file is set aside. Cut off at any point, the same command again goes on from there.
"""

from __future__ import annotations

import os
import posixpath
import re
import secrets
from collections.abc import Mapping
from dataclasses import field, replace

from holdfast.base.atomic import sync_file_system
from holdfast.base.digests import Digest, digest_bytes, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.records import dataclass
from holdfast.host import state as places
from holdfast.host.accounts.tables import Accounts
from holdfast.host.files.nodes import Absent, File, Folder, Node, Symlink
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.importing import state_file
from holdfast.host.importing.state_file import TheirState
from holdfast.host.inventory.files import secret, utf8
from holdfast.host.live import Live
from holdfast.host.planning.facts import read_recorded_state
from holdfast.host.planning.identity import first_word
from holdfast.host.state import STATE_VERSION, Managed, State, write_state
from holdfast.manifest.document import write_manifest
from holdfast.manifest.model import (
    SCHEMA_VERSION,
    BlobFile,
    Distribution,
    Entry,
    Identity,
    Link,
    Manifest,
    TextFile,
)

BACKUP = ".system-manager-backup"
ASIDE = f"{state_file.PATH}.taken-over"
_UNITS = "/etc/systemd/system"
_VOLATILE = "/run/system-manager/"


@dataclass(frozen=True)
class Found:
    """One of their paths, as it is now."""

    path: str
    node: Node
    backup: Node = field(default_factory=Absent)
    content: bytes = b""
    siblings: tuple[str, ...] = ()
    """All names in its directory."""


@dataclass(frozen=True)
class TakeOver:
    """What is to be done; pure data."""

    paths: Mapping[str, Managed]
    """Newly ours."""
    parents: tuple[str, ...]
    keep: Mapping[str, Digest]
    """Files whose content is to be kept, by path."""
    backups: tuple[str, ...]
    """Their backups, which are not needed any more."""
    entries: Mapping[str, Entry]
    """What a manifest says that has these paths."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Imported:
    """What came of it."""

    generation: int
    entries: Mapping[str, Entry]
    """What was taken over, as a definition would say it; the content of secrets is not in it."""
    restored_later: tuple[str, ...] = ()
    """Paths that get back what was there before System Manager when the definition has them no more."""
    services: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def import_system_manager(live: Live) -> Imported:
    """Take over what System Manager manages on this machine. Runs under the host's lock.

    Raises:
        HoldfastError: there is nothing to take over, or its state is not understood; nothing was changed then. Or an input or output
            error; then the same command goes on later.
    """
    root = live.root
    with explain_os_errors("take over from System Manager"):
        data = root.read(state_file.PATH)
        if data is None:
            raise _nothing("it has no state file here")
        theirs = state_file.parse(data)
        if theirs.empty:
            raise _nothing("its state is empty: it was deactivated")
        old = read_recorded_state(root)
        found = {path: _look(root, path) for path in _their_paths(theirs)}
        accounts = Accounts.parse(
            {f"/etc/{name}": root.read(f"/etc/{name}") or b"" for name in ("passwd", "group")}
        )
        taken = plan_take_over(theirs, found, old, accounts)
        new, manifest = _new_state(root, taken, old)
        _carry_out(live, taken, old, new, manifest)
    masked = tuple(name for name, service in theirs.services.items() if service.masked)
    return Imported(
        generation=new.generation,
        entries=taken.entries,
        restored_later=tuple(path for path, one in taken.paths.items() if not isinstance(one.before, Absent)),
        services=tuple(name for name in theirs.services if name not in masked),
        masked=masked,
        notes=taken.notes,
    )


def _nothing(why: str) -> HoldfastError:
    return HoldfastError(
        f"there is nothing to take over from System Manager: {why}",
        resolution="To describe the machine as it is, run `holdfast init --from` instead.",
    )


def _their_paths(theirs: TheirState) -> list[str]:
    masks = [f"{_UNITS}/{name}" for name, service in theirs.services.items() if service.masked]
    return sorted({*theirs.files, *theirs.backed_up, *masks})


def _look(root: RootDirectory, path: str) -> Found:
    located = root.locate(path)
    if located.blocked:
        return Found(path, Absent())
    backup = root.locate(f"{located.real}{BACKUP}").node
    content = (root.read(located.real) or b"") if isinstance(located.node, File) else b""
    siblings = root.locate(posixpath.dirname(located.real)).names
    return Found(located.real, located.node, backup, content, siblings)


def plan_take_over(
    theirs: TheirState, found: Mapping[str, Found], old: State | None, accounts: Accounts
) -> TakeOver:
    """What becomes ours, and with what before it (pure)."""
    paths: dict[str, Managed] = {}
    keep: dict[str, Digest] = {}
    backups: list[str] = []
    entries: dict[str, Entry] = {}
    notes: list[str] = []
    mine: Mapping[str, Managed] = old.paths if old else {}
    for path, one in found.items():
        if not isinstance(one.node, (File, Symlink)):
            if not isinstance(one.node, Folder):  # their first format has directories, too
                notes.append(f"{path} is in System Manager's state, but not there any more")
            continue
        replaced = path in theirs.backed_up
        before: Node = one.backup if replaced and isinstance(one.backup, (File, Symlink)) else Absent()
        if replaced and isinstance(before, Absent) and one.path not in mine:
            notes.append(f"{path} stood in place of another file, but the backup of that is gone")
        if isinstance(before, (File, Symlink)):
            backups.append(f"{one.path}{BACKUP}")
        entries[one.path] = _entry(one, accounts)
        if one.path in mine:
            continue  # taken over already, and then cut off
        paths[one.path] = Managed(one.node, before)
        if isinstance(before, File):
            keep[f"{one.path}{BACKUP}"] = before.digest
        if isinstance(entries[one.path], BlobFile) and isinstance(one.node, File):
            keep[one.path] = one.node.digest
    notes += _volatile_shells(accounts)
    ours = {posixpath.dirname(path): one.siblings for path, one in found.items() if path in entries}
    parents = [
        parent
        for parent, names in sorted(ours.items())
        if re.fullmatch(r".*\.(wants|requires|upholds|d)", parent)
        and posixpath.dirname(parent) == _UNITS
        and all(f"{parent}/{name}".removesuffix(BACKUP) in entries for name in names)
    ]
    return TakeOver(paths, tuple(parents), keep, tuple(backups), entries, tuple(notes))


def _entry(found: Found, accounts: Accounts) -> Entry:
    node = found.node
    if isinstance(node, Symlink):
        return Link(node.target)
    assert isinstance(node, File)
    user = next((name for name, uid in accounts.uids().items() if uid == node.uid), str(node.uid))
    group = next((name for name, gid in accounts.gids().items() if gid == node.gid), str(node.gid))
    text = None if secret(found.path, node.mode, found.content) else utf8(found.content)
    if text is not None:
        return TextFile(text, node.mode, user, group)
    return BlobFile(node.digest, node.mode, user, group)


def _volatile_shells(accounts: Accounts) -> list[str]:
    return [
        f"the shell of user {record[0]!r} is {record[6]}, which goes with System Manager: declare another, or change it with chsh(1)"
        for record in accounts.passwd.records()
        if record[6].startswith(_VOLATILE)
    ]


def _new_state(root: RootDirectory, taken: TakeOver, old: State | None) -> tuple[State, bytes | None]:
    """Our state with their paths in it; and, where nothing was active, the manifest of a generation that has just them."""
    if old is not None and old.active:
        return replace(
            old,
            paths={**old.paths, **taken.paths},
            parents=tuple(sorted({*old.parents, *taken.parents})),
        ), None
    release = {
        key: value.strip("\"'")
        for key, _, value in (
            line.partition("=")
            for line in (root.read("/etc/os-release") or b"").decode("utf-8", "replace").splitlines()
        )
    }
    distribution = Distribution("debian", release.get("VERSION_CODENAME", ""), "")
    hostname = first_word(root.read("/etc/hostname")) or os.uname().nodename
    manifest = write_manifest(
        Manifest(
            SCHEMA_VERSION,
            "system-manager",
            distribution,
            Identity(hostname, locale=None, timezone=None),
            files=taken.entries,
            allow_any_distribution=True,
        )
    )
    blank = old or State(STATE_VERSION, 0, digest_bytes(b""))
    names = root.scan(f"{places.HOME}/generations")
    manifests = {int(name): _manifest(root, int(name)) for name in names if name.isdigit()}
    complete = {number: data for number, data in manifests.items() if data is not None}
    # One that was written before this command was cut off is taken up again.
    written = (number for number, data in complete.items() if number > blank.generation and data == manifest)
    generation = next(written, max([blank.generation, *complete]) + 1)
    return replace(
        blank,
        generation=generation,
        manifest=digest_bytes(manifest),
        paths=taken.paths,
        parents=taken.parents,
        active=True,
    ), manifest


def _manifest(root: RootDirectory, number: int) -> bytes | None:
    return root.read(f"{places.generation_path(number)}/manifest.json")


def _carry_out(live: Live, taken: TakeOver, old: State | None, new: State, manifest: bytes | None) -> None:
    root = live.root
    for path, digest in taken.keep.items():
        data = root.read(path) or b""
        if digest_bytes(data) != digest:
            raise HoldfastError(f"{path} changed meanwhile", resolution="Run the command again.")
        _put(root, f"{places.KEPT}/{hex_of(digest)}", data)
    if manifest is not None:
        home = places.generation_path(new.generation)
        _put(root, f"{home}/manifest.json", manifest)
        _put_link(root, places.CURRENT, posixpath.relpath(home, places.HOME))
    if new != old:
        sync_file_system(live.path)  # what the state names is there before the state is
        _put(root, places.STATE, write_state(new))
        sync_file_system(live.path)
    for path in taken.backups:
        with root.parent(path) as (directory, name):
            os.unlink(name, dir_fd=directory)
    with root.parent(state_file.PATH) as (directory, name):
        os.rename(name, posixpath.basename(ASIDE), src_dir_fd=directory, dst_dir_fd=directory)
    sync_file_system(live.path)


def _put(root: RootDirectory, path: str, data: bytes) -> None:
    """A file of root's alone, in place by rename."""
    _make_parents(root, path)
    with root.parent(path) as (directory, name):
        temporary = f".holdfast-{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600, dir_fd=directory), "wb") as stream:
            stream.write(data)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def _put_link(root: RootDirectory, path: str, target: str) -> None:
    _make_parents(root, path)
    with root.parent(path) as (directory, name):
        temporary = f".holdfast-{secrets.token_hex(8)}"
        os.symlink(target, temporary, dir_fd=directory)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def _make_parents(root: RootDirectory, path: str) -> None:
    for parent in root.locate(path).missing:
        with root.parent(parent) as (directory, name):
            os.mkdir(name, 0o700 if parent.startswith(places.HOME) else 0o755, dir_fd=directory)
