"""Reading everything in the store and comparing it with what its name says: finds any flipped bit."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import field
from typing import Literal

from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError
from holdfast.base.events import Stage, stage
from holdfast.base.records import dataclass
from holdfast.store.artifacts import blobs_of
from holdfast.store.blobs import Blobs
from holdfast.store.layout import OCI_LAYOUT, Layout
from holdfast.store.refs import CACHE_PREFIX, Refs
from holdfast.store.table import read_table
from holdfast.store.trees import Trees

Kind = Literal["blob", "table", "tree", "ref", "file"]
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Finding:
    """Something in the store that is not what it should be."""

    kind: Kind
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
    with ExitStack() as stack:
        if os.access(layout.root, os.W_OK):  # else nobody collects garbage there meanwhile either
            stack.enter_context(layout.adding())
        return _Verification(layout, refs, blobs, trees).run()


class _Verification:
    def __init__(self, layout: Layout, refs: Refs, blobs: Blobs, trees: Trees) -> None:
        self._layout = layout
        self._refs = refs
        self._blobs = blobs
        self._trees = trees
        self._findings: list[Finding] = []
        self._users: dict[Digest, list[str]] = {}

    def run(self) -> VerifyReport:
        names = self._refs.names()
        needed = {name: self._needs(name) for name in names}
        for name, digests in needed.items():
            for digest in digests:
                self._users.setdefault(digest, []).append(name)
        sizes = {digest: self._blobs.size(digest) for digest in self._blobs.list()}
        for name, digests in needed.items():
            for digest in sorted(digests - sizes.keys()):
                self._find("ref", name, f"needs the blob {digest}, which is missing", (name,), _again(name))
        trees = self._list_trees()
        self._read(sizes, trees)
        tables = self._check_tables()
        self._check_files()
        return VerifyReport(
            blobs=len(sizes),
            blob_bytes=sum(sizes.values()),
            tables=tables,
            trees=len(trees),
            refs=len(names),
            findings=tuple(self._findings),
        )

    def _read(self, sizes: Mapping[Digest, int], trees: Sequence[Digest]) -> None:
        """Hash blobs and trees, as many at a time as there are processors: hashing leaves the interpreter lock free."""
        total = sum(sizes.values()) + sum(sizes.get(digest, 0) for digest in trees)
        with (
            stage("Checking blobs and trees", total=total, unit="bytes") as progress,
            ThreadPoolExecutor(os.cpu_count()) as pool,
        ):
            # The large ones first, so that none of them is left for the end.
            order = sorted(sizes, key=lambda digest: -sizes[digest])
            hashed = {digest: pool.submit(self._hash, digest, progress) for digest in order}
            walked = {digest: pool.submit(self._walk, digest, progress) for digest in trees}
            for digest in sizes:
                problem = hashed[digest].result()
                if problem:
                    self._find_blob(digest, problem)
            for digest in trees:
                problem = walked[digest].result()
                if problem:
                    remedy = (
                        f"Remove {self._layout.tree(digest)} (no machine may use it): it is unpacked again."
                    )
                    self._find("tree", digest[7:], problem, self._refs_of(digest), remedy)

    def _hash(self, digest: Digest, progress: Stage) -> str:
        state = hashlib.sha256()
        try:
            with self._blobs.path(digest).open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    state.update(chunk)
                    progress.advance(len(chunk))
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return "" if state.hexdigest() == digest[7:] else "its content has another digest"

    def _walk(self, diff_id: Digest, progress: Stage) -> str:
        try:
            if not self._trees.is_recorded(diff_id):
                return "has no sound record of being complete"
            return "\n".join(self._trees.problems(diff_id, progress=progress.advance))
        except HoldfastError as error:
            return str(error)

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

    def _list_trees(self) -> list[Digest]:
        trees: list[Digest] = []
        for directory, found in ((self._layout.blobs, None), (self._layout.trees, trees)):
            for path in sorted(directory.iterdir()):
                if not re.fullmatch("[0-9a-f]{64}", path.name):
                    self._find("file", str(path), "does not belong here", (), f"Remove {path}.")
                elif found is not None:
                    found.append(Digest(f"sha256:{path.name}"))
        return trees

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
                remedy = "Run `holdfast store gc`: it derives the file anew."
                if name == "oci-layout":
                    remedy = f"Write {content.decode()} into {path}."
                self._find("file", name, "is not what it should be", (), remedy)

    def _find_blob(self, digest: Digest, problem: str) -> None:
        users = self._refs_of(digest)
        remedy = f"Remove {self._blobs.path(digest)}"
        remedy += (
            f", then make {', '.join(users)} again (`holdfast build`)." if users else ": no ref needs it."
        )
        self._find("blob", digest[7:], problem, users, remedy)

    def _refs_of(self, digest: Digest) -> tuple[str, ...]:
        return tuple(sorted(self._users.get(digest, ())))

    def _find(
        self,
        kind: Kind,
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
