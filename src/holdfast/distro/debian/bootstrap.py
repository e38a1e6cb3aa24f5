"""A bootable tree out of fetched packages: unpack, compose, configure once, clean up. Our own in place of debootstrap.

1. Each package is unpacked into the cache, several at a time, unless it is there.
2. Hard links to the cached files make one tree, and dpkg's database says that everything is unpacked (ADR 0007).
3. preinst scripts and one ``dpkg --configure -a`` run over it in a sandbox, in an overlay: nothing reaches the cache.
4. The overlay's changes move into the tree; what is random or a log goes; accounts get the lock's ids.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Collection, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from holdfast.base.digests import hex_of, parse_digest
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import Event, OutputLine, Stage, listen, stage
from holdfast.base.locks import file_lock
from holdfast.base.process import ProcessError
from holdfast.distro.debian import ids, within
from holdfast.distro.debian.compose import Composer
from holdfast.distro.debian.database import unfinished, write_automatic_marks, write_database
from holdfast.distro.debian.deb import Unpacked, load, unpack
from holdfast.distro.debian.finish import mark_updated, remake_on_each_machine, scrub, write_sources
from holdfast.distro.debian.merge import merge_upper
from holdfast.distro.debian.relations import dependency_order
from holdfast.distro.debian.releases import Release, find_release
from holdfast.distro.lockfile import Ids, LockedPackage, PackageSet
from holdfast.sandbox import Bind, Inside, Root, Sandbox, enter
from holdfast.store import Store

_ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "DEBCONF_NOWARNINGS": "yes",
    "PERL_BADLANG": "0",
}
_DPKG = ["dpkg", "--force-unsafe-io", "--force-confdef", "--force-confold"]
_FIRST = ("base-passwd", "base-files")
_POLICY = "/usr/sbin/policy-rc.d"
_one_thread = threading.Lock()
_NOTHING_STARTS = "#!/bin/sh\nexit 101\n"  # action forbidden (policy-rc.d interface of invoke-rc.d)
_ASIDE = ".holdfast-aside"
_FAILED = re.compile(r"dpkg: error processing (?:package|archive) (?P<package>\S+) \(--\S+\):")
_SCRIPT = re.compile(r"installed \S+ package (?P<script>\S+) script subprocess")
_SCRIPTS = {"post-installation": "postinst", "pre-installation": "preinst"}


def make_tree(store: Store, package_set: PackageSet, tree: Path) -> Ids:
    """Make the system in the empty directory ``tree``, which lies on the store's file system.

    Returns the ids that its scripts gave out; :func:`holdfast.distro.debian.ids.settle` changes them to the lock's.

    Raises:
        HoldfastError: a package is missing or damaged, two packages are in conflict, or a maintainer script fails.
    """
    if os.geteuid() != 0:
        raise HoldfastError(
            "making a system's files needs root, since they have many owners",
            resolution="Run the command with sudo, or as root.",
        )
    release = find_release(package_set.distribution.release)
    work = tree.with_name(tree.name + ".configure")
    held = store.lease("bootstrap", [package.sha256 for package in package_set.packages])
    with held, explain_os_errors(f"make the tree {tree}"):
        packages = unpack_all(store, package_set.packages)
        compose(tree, [package for package in packages if not diverts(package)], package_set, release)
        (work / "upper").mkdir(parents=True)
        shutil.copystat(tree, work / "upper")
        configure(store, tree, work, packages, package_set)
        merge_upper(work / "upper", tree)
        shutil.rmtree(work)
        _remove_policy(tree)
        write_automatic_marks(
            tree,
            (package.name for package in package_set.packages if package.automatic),
            package_set.distribution.architecture,
        )
        write_sources(tree, package_set)
        scrub(tree, release)
        remake_on_each_machine(tree, release)
        mark_updated(tree, package_set.epoch)
        return ids.read_ids(tree)


def package_cache(store: Store) -> Path:
    """Where unpacked packages lie, by the digest of their file. Everything in it can be made again."""
    place = store.root / "packages"
    with explain_os_errors(f"write to the store {store.root}"):
        place.mkdir(mode=0o700, exist_ok=True)
    return place


@contextmanager
def _changing(store: Store) -> Generator[None]:
    """Held while a package appears in the cache or goes from it. Threads queue here; only processes meet at the file lock."""
    lock = store.root / "locks" / "packages"
    with (
        _one_thread,
        file_lock(lock, wait_seconds=600, purpose=f"the package cache of {store.root}"),
    ):
        yield


def prune_package_cache(
    store: Store, *, dry_run: bool = False, everything: bool = False, going: Collection[str] = ()
) -> tuple[str, ...]:
    """Remove unpacked packages whose package file the store no longer has, after a garbage collection; their names.

    ``everything`` removes all of them, for they can be made again. ``going`` are blobs, in hexadecimal, that a dry run of the
    collection would have removed. Trees that are linked to them keep their files, and a build under way holds its package files
    in the store.
    """
    cache = package_cache(store)
    with (
        store.scratch("pruned") as grave,
        explain_os_errors(f"write to the store {store.root}"),
        _changing(store),
    ):
        gone = [
            place
            for place in sorted(cache.iterdir())
            if place.is_dir()
            and (everything or place.name in going or not store.blobs.has(parse_digest(place.name)))
        ]
        for place in () if dry_run else gone:
            place.rename(grave / place.name)
    return tuple(place.name for place in gone)


def unpack_all(store: Store, packages: Sequence[LockedPackage]) -> list[Unpacked]:
    """Every package from the cache, unpacking those that are not in it, in the order of composition.

    Raises:
        HoldfastError: a package is not among the blobs, is damaged or hostile, or the disk is full.
    """
    cache = package_cache(store)

    def ready(package: LockedPackage) -> Unpacked:
        place = cache / hex_of(package.sha256)
        found = load(place)
        if found is None:
            found = _unpack_into(store, package, place)
        progress.advance(package.size)
        return found

    ordered = sorted(packages, key=lambda package: -package.size)
    with (
        stage(
            "Unpacking packages", total=sum(package.size for package in packages), unit="bytes"
        ) as progress,
        ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="unpack") as pool,
    ):
        found = list(pool.map(ready, ordered))
        progress.note = f"{len(found)} packages"
    return sorted(found, key=lambda package: (package.name not in ("base-files",), package.name))


def _unpack_into(store: Store, package: LockedPackage, place: Path) -> Unpacked:
    if not store.blobs.has(package.sha256):
        raise HoldfastError(
            f"the package {package.name} {package.version} is not in the store",
            resolution="Run the command again where the mirror can be reached.",
        )
    with store.scratch("package") as staging:
        target = staging / "package"
        target.mkdir()
        unpack(store.blobs.path(package.sha256), target, what=f"{package.name} {package.version}")
        with _changing(store):
            if load(place) is None:  # else another process was first, and may be using it
                if place.exists():
                    place.rename(staging / "damaged")
                target.rename(place)
    found = load(place)
    if found is None or found.name != package.name:
        raise HoldfastError(
            f"the package file of {package.name} holds {found.name if found else 'nothing usable'}"
        )
    return found


def compose(tree: Path, packages: Sequence[Unpacked], package_set: PackageSet, release: Release) -> None:
    """Link everything into ``tree`` and write dpkg's database."""
    with stage("Composing the tree"):
        composer = Composer(tree, packages, package_set.epoch)
        composer.link_first({name: f"usr/{name}" for name in release.merged_usr_links})
        composer.place_all()
        write_database(
            tree, packages, composer.listed, hold=package_set.request.hold, epoch=package_set.epoch
        )
        _set_policy(tree)
        composer.finish_directories()


def diverts(package: Unpacked) -> bool:
    """Whether the package's preinst moves other packages' files out of its way before it is unpacked.

    Such a package is rare, and left to dpkg itself. A diversion that moves nothing can be made afterwards as well.
    """
    text = package.control_file("preinst") or ""
    return "dpkg-divert" in text and re.search(r"(?<!\S)--rename\b", text) is not None


def configure(
    store: Store, tree: Path, work: Path, packages: Sequence[Unpacked], package_set: PackageSet
) -> None:
    """Run the maintainer scripts over ``tree``, changes going to ``work/upper``.

    Raises:
        HoldfastError: a script fails; names the package and shows what it printed.
    """
    env = {**_ENVIRONMENT, "SOURCE_DATE_EPOCH": str(package_set.epoch)}
    root = Root((tree,), upper=work / "upper", work=work / "work", volatile=True)
    late = {package.name for package in packages if diverts(package)}
    debs = {
        f"/run/holdfast/{package.name}.deb": Bind(store.blobs.path(package.sha256))
        for package in package_set.packages
        if package.name in late
    }
    titles = stage("Configuring packages", total=len(packages), unit="packages")
    with titles as progress, enter(Sandbox(root, binds=debs, env=env)) as inside:
        for package in dependency_order(packages):
            if "preinst" in package.control_files and package.name not in late:
                _run_preinst(inside, package)
        first = [name for name in _FIRST if any(package.name == name for package in packages)]
        follower = _Follower(progress)
        with listen(follower.listen):
            try:
                if first:
                    inside.stream([*_DPKG, "--force-depends", "--configure", *first])
                if debs:
                    inside.stream([*_DPKG, "--force-depends", "--unpack", *sorted(debs)])
                inside.stream([*_DPKG, "--configure", "-a"])
            except ProcessError as error:
                raise follower.explain(error) from None
        left = unfinished(work / "upper")
        if left:
            raise HoldfastError(
                f"not every package could be configured: {', '.join(sorted(left))}",
                details="\n".join(f"{name}: {status}" for name, status in sorted(left.items())),
            )


class _Follower:
    """Reads along with dpkg: counts packages, and remembers what was printed about one before it failed.

    dpkg goes on after a failure, so that its last lines are seldom about the cause.
    """

    def __init__(self, progress: Stage) -> None:
        self._progress = progress
        self._section: list[str] = []
        self._failures: list[tuple[str, list[str]]] = []

    def listen(self, event: Event) -> None:
        if not isinstance(event, OutputLine):
            return
        if event.text.startswith(("Setting up ", "Processing triggers ")):
            self._progress.advance(event.text.startswith("Setting up "))
            self._section = []
        self._section.append(event.text)
        failed = _FAILED.fullmatch(event.text)
        if failed is not None:
            self._failures.append((failed["package"], self._section))

    def explain(self, error: ProcessError) -> HoldfastError:
        """The error about the first package that failed itself, and not for want of another."""
        for package, section in self._failures:
            script = next((match["script"] for line in section if (match := _SCRIPT.search(line))), None)
            if script is not None:
                return HoldfastError(
                    f"the package {package} cannot be configured: its {_SCRIPTS.get(script, script)} script fails",
                    details="\n".join(section),
                    resolution="Leave the package out of the definition, or choose another version of it.",
                )
        for package, section in self._failures:
            return HoldfastError(f"the package {package} cannot be configured", details="\n".join(section))
        return error


def _run_preinst(inside: Inside, package: Unpacked) -> None:
    env = {
        "DPKG_MAINTSCRIPT_PACKAGE": package.name,
        "DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT": "1",
        "DPKG_MAINTSCRIPT_ARCH": package.control["architecture"],
        "DPKG_MAINTSCRIPT_NAME": "preinst",
        "DPKG_ADMINDIR": "/var/lib/dpkg",
        "DPKG_ROOT": "",
        "DEBCONF_PACKAGE": package.name,
        "DPKG_RUNNING_VERSION": "1.22.0",
    }
    script = f"/var/lib/dpkg/info/{package.info_name}.preinst"
    done = inside.run([script, "install"], env=env, check=False)
    if done.returncode != 0:
        raise HoldfastError(
            f"the package {package.name} cannot be installed: its preinst script fails with exit code {done.returncode}",
            details=(done.stdout + done.stderr).decode(errors="replace").strip(),
        )


def _set_policy(tree: Path) -> None:
    """No service starts while packages are configured; a package's own policy is put aside meanwhile."""
    policy = within.locate(tree, _POLICY)
    if os.path.lexists(policy):
        policy.rename(f"{policy}{_ASIDE}")
    within.write(tree, _POLICY, _NOTHING_STARTS, mode=0o755)


def _remove_policy(tree: Path) -> None:
    policy = within.locate(tree, _POLICY)
    before = policy.parent.stat()
    if policy.is_file() and not policy.is_symlink() and policy.read_text() == _NOTHING_STARTS:
        policy.unlink()
    aside = Path(f"{policy}{_ASIDE}")
    if os.path.lexists(aside):
        if os.path.lexists(policy):  # a script made another one in its place
            aside.unlink()
        else:
            aside.rename(policy)
    os.utime(policy.parent, ns=(before.st_atime_ns, before.st_mtime_ns))
