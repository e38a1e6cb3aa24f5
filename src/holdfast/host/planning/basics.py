"""What must be known of a root before it can be said what shall be in it: accounts, units, zones, shells."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.records import dataclass
from holdfast.host.accounts.access import read_access
from holdfast.host.accounts.ending import read_ending
from holdfast.host.accounts.owned import read_owned
from holdfast.host.accounts.retiring import Owned, homes_to_look_at, to_look_for
from holdfast.host.accounts.tables import FIELDS, Accounts, Ranges
from holdfast.host.accounts.ways_in import Access
from holdfast.host.files.nodes import Absent, File, Folder, Node, Symlink
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.packages import debian
from holdfast.host.planning.identity import (
    IdentityFacts,
    first_word,
    is_built_in,
    locale_directory,
    locale_said,
    zone_of,
)
from holdfast.host.state import State
from holdfast.host.units.declared import (
    SYSTEM,
    UNIT_DIRECTORIES,
    USER_DIRECTORIES,
    UnitFacts,
    UnitFile,
    parse_install,
    template_of,
)
from holdfast.manifest.model import Identity, Manifest, TextFile

HOSTS = "/etc/hosts"
_ZONEINFO = "/usr/share/zoneinfo"
_LOCALES = "/usr/lib/locale"


@dataclass(frozen=True)
class Basics:
    texts: Mapping[str, bytes] = field(default_factory=lambda: {})
    """Content of the files that are edited rather than owned, by path; absent ones are left out."""
    ranges: Ranges = field(default_factory=Ranges)
    units: UnitFacts = field(default_factory=UnitFacts)
    user_units: UnitFacts = field(default_factory=UnitFacts)
    identity: IdentityFacts = field(default_factory=IdentityFacts)
    executables: frozenset[str] = frozenset()
    """Those of the declared shells that can be run."""
    user_managers: bool = True
    """False when systemd is there without pam_systemd(8), on which user@.service depends."""
    skeleton: Mapping[str, Node] = field(default_factory=lambda: {})
    """/etc/skel: relative path to what it is."""
    skeleton_contents: Mapping[Digest, bytes] = field(default_factory=lambda: {})
    access: Access | None = None
    """Who can get in; None judges no lock-outs."""
    owned: Owned | None = None
    """What belongs to accounts that are about to go; None when none is."""

    @property
    def accounts(self) -> Accounts:
        return Accounts.parse(self.texts)


def read_basics(
    root: RootDirectory,
    manifest: Manifest,
    state: State | None,
    *,
    everything: bool = False,
    new: bool = False,
) -> Basics:
    """Look at a root. ``everything`` also looks again at what belongs to accounts that were locked earlier.

    ``new``: the system is only being made, and has nothing of its own.

    Raises:
        OSError: it cannot be read.
    """
    paths = [HOSTS, *(f"/etc/{name}" for name in FIELDS)]
    if manifest.packages.hold or (state and state.holds):
        paths.append(debian.STATUS)
    texts = {path: data for path in paths if (data := root.read(path)) is not None}
    skeleton: dict[str, Node] = {}
    contents: dict[Digest, bytes] = {}
    accounts = Accounts.parse(texts)
    uids, gids = to_look_for(accounts, state, manifest.users, manifest.groups, everything=everything)
    homes = homes_to_look_at(accounts, state, manifest.users)
    if uids or homes or any(user.create_home and not user.system for user in manifest.users.values()):
        _read_skeleton(root, "", skeleton, contents)
    owned = None
    if state is not None and (uids or gids or homes):
        managed = {path: root.locate(path).node for path in state.parents}
        managed |= {path: one.node for path, one in state.paths.items()}
        ending = read_ending(root, manifest, state)
        owned = read_owned(
            root, accounts, uids, gids, managed=managed, skeleton=skeleton, ending=ending, homes=homes
        )
    return Basics(
        texts=texts,
        ranges=Ranges.parse(root.read("/etc/login.defs") or b""),
        units=replace(read_unit_facts(root, manifest), taken=_taken_links(state)),
        user_units=read_unit_facts(root, manifest, USER_DIRECTORIES) if manifest.user_units else UnitFacts(),
        identity=_read_identity(root, manifest, state, new=new),
        executables=_read_executables(root, manifest),
        user_managers=not _is_file(root, "/usr/lib/systemd/system/user@.service") or _has_pam_systemd(root),
        skeleton=skeleton,
        skeleton_contents=contents,
        access=read_access(root, accounts, manifest, state),
        owned=owned,
    )


def _read_skeleton(
    root: RootDirectory, below: str, nodes: dict[str, Node], contents: dict[Digest, bytes]
) -> None:
    for name, node in root.scan(f"/etc/skel/{below}").items():
        relative = f"{below}{name}"
        if isinstance(node, File):
            data = root.read(f"/etc/skel/{relative}") or b""
            node = replace(node, digest=digest_bytes(data))
            contents[node.digest] = data
        nodes[relative] = node
        if isinstance(node, Folder):
            _read_skeleton(root, f"{relative}/", nodes, contents)


def _has_pam_systemd(root: RootDirectory) -> bool:
    places = [
        "/usr/lib",
        "/usr/lib64",
        *(f"/usr/lib/{name}" for name in root.scan("/usr/lib") if "-linux-" in name),
    ]
    return any(_is_file(root, f"{place}/security/pam_systemd.so") for place in places)


def _is_file(root: RootDirectory, path: str) -> bool:
    return isinstance(root.locate(path, follow=True).node, File)


def _read_executables(root: RootDirectory, manifest: Manifest) -> frozenset[str]:
    found: set[str] = set()
    for shell in {user.shell or "/bin/bash" for user in manifest.users.values()}:
        node = root.locate(shell, follow=True).node if shell.startswith("/") else None
        if isinstance(node, File) and int(node.mode, 8) & 0o111:
            found.add(shell)
    return frozenset(found)


def _read_identity(
    root: RootDirectory, manifest: Manifest, state: State | None, *, new: bool
) -> IdentityFacts:
    zone, locale = manifest.identity.timezone or "UTC", manifest.identity.locale or "C"
    sound = ".." not in zone.split("/") and not zone.startswith("/")
    found = sound and isinstance(root.locate(f"{_ZONEINFO}/{zone}", follow=True).node, File)
    near: tuple[str, ...] = ()
    regions = root.scan(_ZONEINFO)
    if not found and regions:
        names = [name for name, node in regions.items() if isinstance(node, (File, Symlink))]
        for region, node in regions.items():
            if isinstance(node, Folder) and region not in ("posix", "right"):
                names += [f"{region}/{name}" for name in root.scan(f"{_ZONEINFO}/{region}")]
        near = tuple(difflib.get_close_matches(zone, names, 3))
    return IdentityFacts(
        zone_found=found,
        zoneinfo=bool(regions),
        near_zones=near,
        etc_timezone=isinstance(root.locate("/etc/timezone").node, File),
        locale_found=is_built_in(locale) or _has_locale(root, locale),
        said=frozenset(_said(root, manifest.identity)) - set(state.paths if state else ()),
        kept=frozenset() if new or _was_built(state) else frozenset(manifest.identity.assumed),
    )


def _was_built(state: State | None) -> bool:
    """Whether the system was made by a build. States did not always say so: a machine that was there before has had a name then."""
    if state is None:
        return False
    hostname = state.paths.get("/etc/hostname")
    return state.built or (hostname is not None and isinstance(hostname.before, Absent))


def _said(root: RootDirectory, identity: Identity) -> Iterable[str]:
    """Files that say already what ``identity`` does, however they spell it."""
    if first_word(root.read("/etc/hostname")) == identity.hostname:
        yield "/etc/hostname"
    if locale_of(root) == identity.locale:
        yield "/etc/locale.conf"
    link = root.locate("/etc/localtime").node
    if isinstance(link, Symlink) and zone_of(link.target) == identity.timezone:
        yield "/etc/localtime"
    if first_word(root.read("/etc/timezone")) == identity.timezone:
        yield "/etc/timezone"


def locale_of(root: RootDirectory) -> str | None:
    """The locale that a machine has set, system-wide."""
    return locale_said(root.read("/etc/locale.conf")) or locale_said(root.read("/etc/default/locale"))


def _has_locale(root: RootDirectory, locale: str) -> bool:
    name = locale_directory(locale)
    if "/" in name or name in ("", ".", ".."):
        return False
    if isinstance(root.locate(f"{_LOCALES}/{name}", follow=True).node, Folder):
        return True
    # The archive holds its locales' names as C strings (locale-archive is glibc's own format, without a manual page).
    return b"\0" + name.encode() + b"\0" in (root.read(f"{_LOCALES}/locale-archive") or b"")


def read_unit_facts(
    root: RootDirectory, manifest: Manifest, directories: Sequence[str] = UNIT_DIRECTORIES
) -> UnitFacts:
    """Unit files and the links between them; the links alone when ``manifest`` says nothing about units: what is no longer
    masked starts where they want it."""
    units = manifest.units if directories[0] == SYSTEM else manifest.user_units
    if not units:
        return UnitFacts(links=_read_links(root, directories[0]))
    files: dict[str, UnitFile] = {}
    for directory in directories:
        for name, node in root.scan(directory).items():
            if name not in files and "." in name and isinstance(node, (File, Symlink)):
                files[name] = _unit_file(directory, name, node)
    for path, entry in manifest.files.items():
        directory, _, name = path.rpartition("/")
        if directory in directories:
            install = (
                parse_install(entry.text)
                if isinstance(entry, TextFile)
                else files.get(name, UnitFile("")).install
            )
            files[name] = UnitFile(path, install)
    todo = [name for name, unit in units.items() if unit.enable is not None]
    done: set[str] = set()
    while todo:
        name = todo.pop()
        for candidate in (name, template_of(name)):
            file = files.get(candidate) if candidate else None
            if candidate is None or file is None or candidate in done:
                continue
            done.add(candidate)
            if file.path not in manifest.files:
                data = root.read(file.path) or b""
                files[candidate] = file = replace(
                    file, install=parse_install(data.decode("utf-8", "replace"))
                )
            todo += file.install.also
    legacy = frozenset(name for name, node in root.scan("/etc/init.d").items() if isinstance(node, File))
    return UnitFacts(files, _read_links(root, directories[0]), legacy=legacy)


def _unit_file(directory: str, name: str, node: Node) -> UnitFile:
    if isinstance(node, Symlink):
        target = node.target.rpartition("/")[2]
        if target != name and node.target != "/dev/null":
            return UnitFile(f"{directory}/{name}", alias_of=target)
    return UnitFile(f"{directory}/{name}")


def _taken_links(state: State | None) -> dict[str, str]:
    """Links that we took away, and that stay away for as long as their unit is disabled."""
    return {
        path: managed.before.target
        for path, managed in (state.paths.items() if state else ())
        if path.startswith(f"{SYSTEM}/")
        and isinstance(managed.node, Absent)
        and isinstance(managed.before, Symlink)
    }


def _read_links(root: RootDirectory, place: str) -> dict[str, str]:
    links: dict[str, str] = {}
    for name, node in root.scan(place).items():
        if isinstance(node, Symlink):
            links[f"{place}/{name}"] = node.target
        elif isinstance(node, Folder) and name.endswith((".wants", ".requires", ".upholds")):
            for inner, link in root.scan(f"{place}/{name}").items():
                if isinstance(link, Symlink):
                    links[f"{place}/{name}/{inner}"] = link.target
    return links
