"""Evaluating a project's systems: user Python runs in an isolated child, manifests come back as bytes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import cast

from holdfast.base.codec import JSON, decode
from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.base.events import message, stage
from holdfast.base.records import dataclass
from holdfast.manifest.contents import Content
from holdfast.manifest.document import read_manifest
from holdfast.manifest.model import Manifest
from holdfast.project.isolated import Answer, call_isolated
from holdfast.project.isolation import Isolation
from holdfast.project.selection import Choice, find_file, parse_selector

EVALUATION_SECONDS = 60.0


@dataclass(frozen=True)
class EvaluatedSystem:
    """One system after evaluation."""

    name: str
    data: bytes
    """The canonical manifest."""
    contents: tuple[Content, ...]
    """Where the blobs that the manifest names come from."""
    warnings: tuple[str, ...]

    @cached_property
    def manifest(self) -> Manifest:
        return read_manifest(self.data, what=f"the manifest of {self.name}")

    @cached_property
    def digest(self) -> Digest:
        return digest_bytes(self.data)


@dataclass(frozen=True)
class Evaluation:
    """What evaluating a selector gave: the file, the systems in the file's order, and how the child was cut off."""

    file: Path
    systems: tuple[EvaluatedSystem, ...]
    all_names: tuple[str, ...]
    """Every system that the file defines, selected or not."""
    isolation: Isolation
    seconds: float

    @property
    def lock_path(self) -> Path:
        return self.file.with_name("holdfast.lock")

    @property
    def whole_project(self) -> bool:
        return len(self.systems) == len(self.all_names)

    def only(self) -> EvaluatedSystem:
        """The one system that was selected.

        Raises:
            HoldfastError: the selector chose several.
        """
        if len(self.systems) == 1:
            return self.systems[0]
        names = ", ".join(system.name for system in self.systems)
        raise HoldfastError(
            "this command works on one system at a time",
            details=f"Selected: {names}",
            resolution=f"Name one of them: {self.systems[0].name}",
        )


def evaluate(
    selector: str, *, start: Path | None = None, in_process: bool = False, timeout: float = EVALUATION_SECONDS
) -> Evaluation:
    """Evaluate the systems that ``selector`` (``[FILE:]NAME``, a glob, ``tag:NAME``, or empty for all) names.

    The file is looked for from ``start`` (the working directory) upwards. Warnings become messages. ``timeout`` is in
    seconds and bounds the whole file.

    Raises:
        HoldfastError: no such file or system, or the definition is wrong.
    """
    parsed = parse_selector(selector)
    file = find_file(parsed, start)
    began = time.monotonic()
    with stage(f"Evaluating {file.name}") as progress:
        answer = _ask(file, lambda: _child().evaluate_systems(file, parsed.pattern), in_process, timeout)
        reply = cast("dict[str, JSON]", answer.value)
        systems = tuple(_read_system(item) for item in cast("list[JSON]", reply["systems"]))
        progress.note = (
            ", ".join(system.name for system in systems) if len(systems) <= 4 else f"{len(systems)} systems"
        )
    for system in systems:
        for warning in system.warnings:
            message(f"{system.name}: {warning}", level="warning")
    names = tuple(str(name) for name in cast("list[JSON]", reply["names"]))
    return Evaluation(file, systems, names, answer.isolation, time.monotonic() - began)


def explain(selector: str, option: str, *, in_process: bool = False) -> Mapping[str, JSON]:
    """Where the value of ``option`` (a dotted path, parts with dots quoted) of one system comes from.

    Raises:
        HoldfastError: no such file, system or option, or the definition is wrong.
    """
    parsed = parse_selector(selector)
    file = find_file(parsed)
    answer = _ask(
        file, lambda: _child().explain_option(file, parsed.pattern, option), in_process, EVALUATION_SECONDS
    )
    return cast("dict[str, JSON]", answer.value)


def list_systems(selector: str) -> tuple[Choice, ...]:
    """Names and tags of the systems in the file that ``selector`` points to; nothing is evaluated.

    Raises:
        HoldfastError: no such file, or it does not run.
    """
    file = find_file(parse_selector(selector))
    answer = _ask(file, lambda: _child().list_systems(file), False, EVALUATION_SECONDS)
    items = cast("list[list[JSON]]", answer.value)
    return tuple(
        Choice(str(name), frozenset(str(tag) for tag in cast("list[JSON]", tags))) for name, tags in items
    )


def list_options(selector: str) -> tuple[str, ...]:
    """Paths of the options of one system, without those below the keys of mappings.

    Raises:
        HoldfastError: no such file or system, or the definition is wrong.
    """
    parsed = parse_selector(selector)
    file = find_file(parsed)
    answer = _ask(file, lambda: _child().list_option_paths(file, parsed.pattern), False, EVALUATION_SECONDS)
    return tuple(str(path) for path in cast("list[JSON]", answer.value))


def describe_options(selector: str = "") -> tuple[Mapping[str, JSON], ...]:
    """Records of the library's options (see :func:`holdfast.options.document`); with a selector those of that system.

    Raises:
        HoldfastError: no such file or system, or the definition is wrong.
    """
    if not selector:
        records: JSON = _child().document_options(None, "")
    else:
        parsed = parse_selector(selector)
        file = find_file(parsed)
        records = _ask(
            file, lambda: _child().document_options(file, parsed.pattern), False, EVALUATION_SECONDS
        ).value
    return tuple(cast("list[dict[str, JSON]]", records))


def _child() -> ModuleType:
    """What runs in the child. Imported there: the parent needs neither the library nor the module system."""
    from holdfast.project import answering

    return answering


def _ask(file: Path, function: Callable[[], JSON], in_process: bool, timeout: float) -> Answer:
    def in_project() -> JSON:
        from holdfast.project.definitions import explain_exception, project_directory

        _child()  # here the library may still be compiled for the next time; in the project's directory nothing is written
        with project_directory(file.parent):
            try:
                return function()
            except HoldfastError:
                raise
            except Exception as error:
                raise explain_exception(error) from error

    if in_process:
        with _stdout_on_stderr():
            return Answer(in_project(), Isolation.NONE)
    return call_isolated(in_project, timeout=timeout, what=f"evaluating {file.name}")


@contextmanager
def _stdout_on_stderr() -> Generator[None]:
    with redirect_stdout(sys.stderr):
        yield


def _read_system(item: JSON) -> EvaluatedSystem:
    data = cast("dict[str, JSON]", item)
    return EvaluatedSystem(
        str(data["name"]),
        str(data["manifest"]).encode(),
        decode(tuple[Content, ...], data["contents"], what="the contents"),
        tuple(str(warning) for warning in cast("list[JSON]", data["warnings"])),
    )
