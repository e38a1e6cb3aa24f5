"""Peers that make a root file system, on the very packages that Holdfast locked, without a network."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from benchmarks import scratch
from benchmarks.measure import Sample, command
from holdfast.distro.debian.bootstrap import unpack_all
from holdfast.distro.lockfile import PackageSet
from holdfast.distro.tools import tools_tree
from holdfast.sandbox import Bind

_MKOSI = """\
[Distribution]
Distribution=debian
Release={release}
LocalMirror=file:///archive

[Output]
Format=directory
OutputDirectory=out

[Content]
Bootable=no
Packages=
    {packages}

[Build]
WithNetwork=no
Incremental={incremental}
BuildSources=
CacheDirectory=cache
PackageCacheDirectory=packages
WorkspaceDirectory=workspace
"""


def make_repository(locked: PackageSet, directory: Path) -> None:
    """The package files of the store (linked, not copied) as an archive with one suite, which apt reads from the disk."""
    suite = f"dists/{locked.distribution.release}"
    architecture = locked.distribution.architecture
    index = directory / suite / "main" / f"binary-{architecture}" / "Packages"
    index.parent.mkdir(parents=True)
    (directory / "pool").mkdir()
    stanzas: list[str] = []
    unpacked = unpack_all(scratch.store(), locked.packages)
    ordered = sorted(locked.packages, key=lambda package: (package.name != "base-files", package.name))
    for one, package in zip(unpacked, ordered, strict=True):
        name = f"pool/{package.name}_{package.architecture}.deb"
        (directory / name).hardlink_to(scratch.store().blobs.path(package.sha256))
        control = one.control_text.strip()
        stanzas.append(f"{control}\nFilename: {name}\nSize: {package.size}\nSHA256: {package.sha256[7:]}\n")
    content = "\n".join(stanzas).encode(errors="surrogateescape")
    index.write_bytes(content)
    (directory / suite / "Release").write_text(
        f"Suite: {locked.distribution.release}\nCodename: {locked.distribution.release}\n"
        f"Architectures: {architecture}\nComponents: main\nSHA256:\n"
        f" {hashlib.sha256(content).hexdigest()} {len(content)} {index.relative_to(directory / suite)}\n"
    )


def mmdebstrap(locked: PackageSet, repository: Path, target: Path) -> Callable[[], Sample]:
    """mmdebstrap of the machine, as fast as it can: as root, into a directory, nothing but what is listed, no fsync(2)."""
    names = ",".join(package.name for package in locked.packages)
    options = ["--quiet", "--mode=root", "--variant=custom", "--format=directory", f"--include={names}"]
    options.append("--dpkgopt=force-unsafe-io")  # what mkosi and Holdfast do without being asked
    release = locked.distribution.release
    source = f"deb [trusted=yes] copy:{repository} {release} main"
    argv = ["mmdebstrap", *options, release, str(target), source]
    return command(argv, env={"SOURCE_DATE_EPOCH": str(locked.epoch)})


@contextmanager
def mkosi(
    locked: PackageSet, repository: Path, directory: Path, *, incremental: bool = False
) -> Generator[Callable[[], Sample]]:
    """mkosi of the tools tree, building into ``directory/out/image`` with what ``directory/mkosi.extra`` has."""
    for name in ("out", "cache", "packages", "workspace", "mkosi.extra"):
        (directory / name).mkdir(parents=True)
    (directory / "mkosi.conf").write_text(
        _MKOSI.format(
            release=locked.distribution.release,
            packages="\n    ".join(package.name for package in locked.packages),
            incremental="yes" if incremental else "no",
        )
    )
    tree = tools_tree(scratch.store(), "bench")
    # Not /repository: mkosi takes that for a directory of its own.
    binds = {"/archive": Bind(repository), "/image": Bind(directory, writable=True)}
    with tree.enter(binds=binds) as inside:
        argv = inside.command(["mkosi", "--directory", "/image", "--force", "build"])
        yield command(argv, env={**inside.environment(), "TMPDIR": "/image/workspace"})


def expect_same_packages(trees: Iterable[Path]) -> None:
    """Raises RuntimeError: the trees do not have the same packages in the same versions, all of them configured."""
    found = {tree: _installed(tree) for tree in trees}
    first, *others = found
    for other in others:
        if found[other] != found[first]:
            raise RuntimeError(
                f"{first} and {other} differ in packages: {sorted(found[first] ^ found[other])}"
            )


def _installed(tree: Path) -> set[tuple[str, str, str]]:
    status = (tree / "var/lib/dpkg/status").read_text(errors="surrogateescape")
    found: set[tuple[str, str, str]] = set()
    for stanza in filter(str.strip, status.split("\n\n")):
        fields = dict(re.findall(r"^(Package|Version|Status): (.*)$", stanza, re.MULTILINE))
        found.add((fields["Package"], fields["Version"], fields["Status"].rpartition(" ")[2]))
    return found
