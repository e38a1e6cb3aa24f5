"""The engine as one file that any target can start: our packages, jeepney and urllib3 in a zip. Made on the author's side.

Its name is a digest of what is in it, not of the zip's bytes, since compressed bytes differ between builds of zlib.
"""

from __future__ import annotations

import importlib.util
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from holdfast.base.codec import canonical_json
from holdfast.base.digests import Digest, digest_bytes, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import stage
from holdfast.base.records import dataclass
from holdfast.engine.about import ABOUT, About, read_about
from holdfast.engine.launch import MAIN, RUN
from holdfast.store.artifacts import Layer
from holdfast.store.store import Store

OUR_PACKAGES = ("base", "manifest", "store", "host", "release", "agent", "engine")
LIBRARIES = ("jeepney", "urllib3")

_ARTIFACT_TYPE = "application/vnd.holdfast.engine.v1"
_ABOUT_TYPE = "application/vnd.holdfast.engine.v1+json"
_ZIP_TYPE = "application/zip"
_LEFT_OUT = {"__pycache__", "tests"}
_NATIVE = {".so", ".pyd"}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that zip can say


@dataclass(frozen=True)
class Engine:
    """An engine in the author's store."""

    digest: Digest
    version: str
    path: Path
    """The zip, a blob of the store."""
    size: int

    @property
    def hex(self) -> str:
        """What its directory on targets is called."""
        return hex_of(self.digest)


def engine_archive(store: Store) -> Engine:
    """The engine of this very Holdfast, from the store if it is there already.

    Raises:
        HoldfastError: a library is missing, or has compiled code; or the store cannot be written.
    """
    contents, version = collect(), _version()
    digest = contents_digest(contents, version)
    key = f"engine-{hex_of(digest)}"
    known = store.cache.get(key)
    if known is None:
        about = About(digest, version)
        with stage("Packing the engine"):
            data = pack(contents, about)
            layer = Layer(store.blobs.put_bytes(data), len(data), _ZIP_TYPE)
            known = store.put_artifact(_ARTIFACT_TYPE, canonical_json(about), _ABOUT_TYPE, [layer]).manifest
        store.cache.put(key, known)
    (layer,) = store.artifact(known).layers
    return Engine(digest, version, store.blobs.path(layer.diff_id), layer.size)


def collect() -> dict[str, bytes]:
    """Everything that belongs into the archive, by name.

    Raises:
        HoldfastError: a library is missing, or has compiled code.
    """
    contents = {"__main__.py": MAIN.encode(), "run": RUN.encode()}
    with explain_os_errors("read Holdfast's own files"):
        ours = _package("holdfast")
        contents["holdfast/__init__.py"] = (ours / "__init__.py").read_bytes()
        for package in OUR_PACKAGES:
            if (ours / package).is_dir():
                contents.update(_tree(ours / package, f"holdfast/{package}"))
        for library in LIBRARIES:
            place = _package(library)
            contents.update(_tree(place, library))
            for license_file in sorted(place.parent.glob(f"{library}-*.dist-info/licenses/*")):
                contents[f"licenses/{library}/{license_file.name}"] = license_file.read_bytes()
    return contents


def contents_digest(contents: Mapping[str, bytes], version: str) -> Digest:
    """What names an engine: its version and, by name, the digest of everything in it."""
    files = {name: digest_bytes(data) for name, data in contents.items()}
    return digest_bytes(canonical_json({"version": version, "files": files}))


def pack(contents: Mapping[str, bytes], about: About) -> bytes:
    """The zip: members sorted, with entries for directories (packages without ``__init__.py`` need them), all of one time."""
    members = {**contents, ABOUT: canonical_json(about)}
    directories = {f"{parent}/" for name in members for parent in _parents(name)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted({*members, *directories}):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3  # Unix, whoever makes it
            info.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
            info.compress_type = zipfile.ZIP_STORED if name.endswith("/") else zipfile.ZIP_DEFLATED
            archive.writestr(info, members.get(name, b""), compresslevel=9)
    return buffer.getvalue()


def unpack(path: Path) -> tuple[dict[str, bytes], About]:
    """What :func:`pack` packed, checked against its own digest.

    Raises:
        HoldfastError: it is no engine, or damaged.
    """
    resolution = "Copy the archive here again; `holdfast engine build` makes it."
    try:
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
        about = read_about(contents.pop(ABOUT))
    except (OSError, zipfile.BadZipFile, KeyError, EOFError, zlib.error, NotImplementedError) as error:
        raise HoldfastError(f"{path} is no engine of Holdfast: {error}", resolution=resolution) from None
    if contents_digest(contents, about.version) != about.digest:
        raise HoldfastError(f"the engine {path} is damaged", resolution=resolution)
    for name in contents:
        if name.startswith("/") or ".." in name.split("/") or "\\" in name:
            raise HoldfastError(f"the engine {path} has a member {name!r}", resolution=resolution)
    return contents, about


def _version() -> str:
    from importlib.metadata import version

    return version("holdfast")


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise HoldfastError(
            f"the library {name}, which the engine needs, is not installed here",
            resolution=f"Install it for this Python: pip install {name}",
        )
    return Path(spec.submodule_search_locations[0])


def _tree(directory: Path, name: str) -> Iterator[tuple[str, bytes]]:
    with os.scandir(directory) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name in _LEFT_OUT or entry.name.startswith(".") or entry.name.endswith(("~", ".pyc")):
            continue
        if entry.is_dir():
            yield from _tree(Path(entry.path), f"{name}/{entry.name}")
        elif Path(entry.name).suffix in _NATIVE:
            raise HoldfastError(
                f"{entry.path} is compiled code, which would run on machines like this one alone",
                resolution="Install the pure Python wheel of that library.",
            )
        else:
            yield f"{name}/{entry.name}", Path(entry.path).read_bytes()


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: length + 1]) for length in range(len(parts))]
