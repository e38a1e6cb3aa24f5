"""System Manager's state file, in the formats that it has had: text to values (pure).

``/var/lib/system-manager/state/system-manager-state.json``. Version 1: ``fileTree`` with the lists ``files`` and ``backedUpFiles``; version 0,
never written as a number: ``fileTree`` is a tree of nodes with ``status``, ``path`` and ``nested``. Both: ``services`` by unit name, with
``storePath`` and ``masked``. A deactivated machine has an empty file of the first shape that says ``"version": 0``.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import cast

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass

PATH = "/var/lib/system-manager/state/system-manager-state.json"
_KNOWN = 1


@dataclass(frozen=True)
class Service:
    """A unit that System Manager looks after."""

    store_path: str | None = None
    masked: bool = False


@dataclass(frozen=True)
class TheirState:
    files: tuple[str, ...] = ()
    """Absolute paths, sorted."""
    backed_up: tuple[str, ...] = ()
    """Those that stand in place of a file that was there before; it lies beside them."""
    services: Mapping[str, Service] = field(default_factory=lambda: {})

    @property
    def empty(self) -> bool:
        return not (self.files or self.backed_up or self.services)


def parse(data: bytes) -> TheirState:
    """Read either format.

    Raises:
        HoldfastError: it is neither.
    """
    try:
        document: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _unknown(f"it is not valid JSON: {error}") from None
    top = _mapping(document, "the file")
    version = top.get("version", 0)
    if not isinstance(version, int) or isinstance(version, bool) or not 0 <= version <= _KNOWN:
        raise _unknown(f"its version is {version!r}; known are 0 and {_KNOWN}")
    tree = _mapping(top.get("fileTree"), "fileTree")
    if "files" in tree or "backedUpFiles" in tree:
        files, backed_up = _paths(tree, "files"), _paths(tree, "backedUpFiles")
    else:
        files, backed_up = _walk(tree)
    both = set(backed_up)
    services = _mapping(top.get("services"), "services")
    return TheirState(
        tuple(sorted({*files} - both)),
        tuple(sorted(both)),
        {name: _service(name, services[name]) for name in sorted(services)},
    )


def _walk(tree: Mapping[str, object]) -> tuple[list[str], list[str]]:
    """The paths of the nested format. Directories are among them."""
    files: list[str] = []
    backed_up: list[str] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        status, path = node.get("status"), _path(node.get("path"))
        if status == "managed":
            files.append(path)
        elif status == "managedWithBackup":
            backed_up.append(path)
        elif status != "unmanaged":
            raise _unknown(f"{path} has the status {status!r}")
        inner = _mapping(node.get("nested"), f"what is nested in {path}")
        stack += [_mapping(child, f"{path}/{name}") for name, child in inner.items()]
    return files, backed_up


def _paths(tree: Mapping[str, object], key: str) -> list[str]:
    found = tree.get(key)
    if not isinstance(found, list):
        raise _unknown(f"fileTree.{key} is no list")
    return [_path(one) for one in cast("Iterable[object]", found)]


def _path(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/") or posixpath.normpath(value) != value:
        raise _unknown(f"{value!r} is no absolute path")
    return value


def _service(name: str, value: object) -> Service:
    found = _mapping(value, f"the service {name}")
    store_path, masked = found.get("storePath"), found.get("masked", False)
    if not isinstance(masked, bool) or not (store_path is None or isinstance(store_path, str)):
        raise _unknown(f"the service {name} is not what is known")
    return Service(store_path, masked)


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _unknown(f"{what} is no object")
    return cast("Mapping[str, object]", value)


def _unknown(why: str) -> HoldfastError:
    return HoldfastError(
        f"System Manager's state is none that is known: {why}",
        details=f"The file is {PATH}. Nothing was changed.",
        resolution="Run System Manager's own `deactivate`, then start anew with `holdfast init --from`.",
    )
