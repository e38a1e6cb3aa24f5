"""Reading everything in the store and comparing it with what its name says: finds any flipped bit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from holdfast.base.digests import Digest, digest_file
from holdfast.base.errors import HoldfastError
from holdfast.base.events import stage
from holdfast.store.artifacts import blobs_of
from holdfast.store.blobs import Blobs
from holdfast.store.layout import OCI_LAYOUT, Layout
from holdfast.store.refs import CACHE_PREFIX, Refs
from holdfast.store.table import read_table
from holdfast.store.trees import RECORD, Trees


@dataclass(frozen=True)
class Finding:
    """Something in the store that is not what it should be."""

    kind: Literal["blob", "table", "tree", "ref", "index"]
    name: str
    """A digest in hexadecimal, or a ref's or file's name."""
    problem: str
    refs: tuple[str, ...]
    """The refs that need it, in order."""
    resolution: str
    """What to do, as a sentence."""


@dataclass(frozen=True)
class VerifyReport:
    """What was read, and what was wrong with it."""

    blobs: int
    blob_bytes: int
    tables: int
    trees: int
    refs: int
    findings: tuple[Finding, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return not self.findings


def verify(layout: Layout, refs: Refs, blobs: Blobs, trees: Trees) -> VerifyReport:
    """See :meth:`holdfast.store.store.Store.verify`. Changes nothing.

    Raises:
        HoldfastError: the store cannot be read.
    """
    return _Verification(layout, refs, blobs, trees).run()


class _Verification:
    def __init__(self, layout: Layout, refs: Refs, blobs: Blobs, trees: Trees) -> None:
        self._layout = layout
        self._refs = refs
        self._blobs = blobs
        self._trees = trees
        self._findings: list[Finding] = []
        self._users: dict[Digest, list[str]] = {}
        self._damaged: set[Digest] = set()

    def run(self) -> VerifyReport:
        names = self._refs.names()
        needed = {name: self._needs(name) for name in names}
        for name, digests in needed.items():
            for digest in digests:
                self._users.setdefault(digest, []).append(name)
        sizes = self._check_blobs()
        for name, digests in needed.items():
            for digest in sorted(digests - sizes.keys()):
                self._find("ref", name, f"needs the blob {digest}, which is missing", (name,), _again(name))
        tables = self._check_tables()
        count = self._check_trees()
        self._check_files()
        return VerifyReport(
            blobs=len(sizes),
            blob_bytes=sum(sizes.values()),
            tables=tables,
            trees=count,
            refs=len(names),
            findings=tuple(self._findings),
        )

    def _needs(self, name: str) -> frozenset[Digest]:
        try:
            digest = self._refs.get(name)
        except HoldfastError as error:
            self._find("ref", name, error.brief, (name,), _again(name))
            return frozenset()
        if digest is None:
            return frozenset()
        try:
            with self._blobs.open(digest) as stream:
                return blobs_of(stream.read(), digest)
        except HoldfastError:
            return frozenset({digest})  # missing or damaged: found below

    def _check_blobs(self) -> Mapping[Digest, int]:
        sizes = {digest: self._blobs.size(digest) for digest in self._blobs.list()}
        with stage("Checking blobs", total=sum(sizes.values()), unit="bytes") as progress:

            def check(digest: Digest) -> str:
                try:
                    found = digest_file(self._blobs.path(digest))
                except OSError as error:
                    return f"cannot be read: {error.strerror}"
                progress.advance(sizes[digest])
                return "" if found == digest else "its content has another digest"

            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for digest, problem in zip(sizes, pool.map(check, sizes), strict=True):
                    if problem:
                        self._damaged.add(digest)
                        self._find_damaged("blob", digest, problem)
        for path in sorted(self._layout.blobs.iterdir()):
            if len(path.name) != 64:
                self._find("blob", path.name, "is no blob", (), f"Remove the file {path}.")
        return sizes

    def _check_tables(self) -> int:
        count = 0
        for path in sorted(self._layout.tables.iterdir()):
            if len(path.name) != 64:
                continue
            count += 1
            digest = Digest(f"sha256:{path.name}")
            try:
                read_table(path.read_bytes(), digest)
            except (HoldfastError, OSError) as error:
                self._find(
                    "table",
                    path.name,
                    str(error),
                    self._refs_of(digest),
                    f"Remove {path}: it is made again from the layer.",
                )
        return count

    def _check_trees(self) -> int:
        count = 0
        for path in sorted(self._layout.trees.iterdir()):
            count += 1
            digest = Digest(f"sha256:{path.name}")
            remedy = f"Remove {path} (no machine may use it): it is unpacked again from the layer."
            if not (path / RECORD).is_file():
                self._find("tree", path.name, "has no record", self._refs_of(digest), remedy)
                continue
            if digest in self._damaged or not self._blobs.has(digest):
                self._find(
                    "tree", path.name, "its layer is damaged or missing", self._refs_of(digest), remedy
                )
                continue
            problems = self._trees.problems(digest)
            if problems:
                self._find("tree", path.name, "\n".join(problems), self._refs_of(digest), remedy)
        return count

    def _check_files(self) -> None:
        wanted = {"oci-layout": OCI_LAYOUT}
        if (self._layout.root / "index.json").exists():
            try:
                wanted["index.json"] = self._refs.index()
            except HoldfastError:
                return  # a damaged ref was found already
        for name, content in wanted.items():
            path = self._layout.root / name
            if not path.is_file() or path.read_bytes() != content:
                remedy = "Set any ref (`holdfast build`): the file is derived anew."
                if name == "oci-layout":
                    remedy = f"Write {content.decode()} into {path}."
                self._find("index", name, "is not what it should be", (), remedy)

    def _find_damaged(self, kind: Literal["blob"], digest: Digest, problem: str) -> None:
        users = self._refs_of(digest)
        remedy = f"Remove {self._blobs.path(digest)}"
        remedy += (
            f", then make {', '.join(users)} again (`holdfast build`)." if users else ": no ref needs it."
        )
        self._find(kind, digest[7:], problem, users, remedy)

    def _refs_of(self, digest: Digest) -> tuple[str, ...]:
        return tuple(sorted(self._users.get(digest, ())))

    def _find(
        self,
        kind: Literal["blob", "table", "tree", "ref", "index"],
        name: str,
        problem: str,
        refs: tuple[str, ...],
        resolution: str,
    ) -> None:
        self._findings.append(Finding(kind, name, problem, refs, resolution))


def _again(name: str) -> str:
    if name.startswith(CACHE_PREFIX):
        return "Nothing: `holdfast store gc` forgets the cache entry."
    return f"Make {name} again (`holdfast build`), or delete the ref (`holdfast store rm {name}`)."
