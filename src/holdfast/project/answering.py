"""What the isolated child is asked: systems to manifests, an option's explanation, the options there are. As JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import cast

from holdfast.base.codec import JSON, encode
from holdfast.base.errors import HoldfastError
from holdfast.library import System, evaluate_system, resolve
from holdfast.library.assembling.manifest import resolve_lean
from holdfast.library.assembling.sets import every_set
from holdfast.manifest.document import write_manifest
from holdfast.options import Config, document
from holdfast.project.definitions import explain_exception, load_systems
from holdfast.project.selection import Choice, choose


def list_systems(file: Path) -> JSON:
    """Name and tags of every system in ``file``."""
    found: list[JSON] = []
    for system in load_systems(file):
        tags: list[JSON] = [*sorted(system.tags)]
        found.append([system.name, tags])
    return found


def evaluate_systems(file: Path, pattern: str) -> JSON:
    """Manifest, contents and warnings of every system that ``pattern`` selects; the names of all there are."""
    systems = load_systems(file)
    return {
        "names": [system.name for system in systems],
        "systems": [_evaluate(system) for system in _select(systems, pattern, file)],
    }


def explain_option(file: Path, pattern: str, option: str) -> JSON:
    """The explanation of one option of one system: its data, and as text under ``text``."""
    system = _system(file, pattern)
    try:
        explanation = resolve_lean(system).explain(option)
    except HoldfastError:  # of a set that the definition never came across, if of any
        explanation = resolve(system).explain(option)
    data = cast("dict[str, JSON]", json.loads(json.dumps(asdict(explanation))))
    return {**data, "text": str(explanation)}


def document_options(file: Path | None, pattern: str) -> JSON:
    """Records of the library's options, with a file also of the sets that one of its systems has besides."""
    sets = every_set() if file is None else _config(file, pattern).sets()
    return cast("JSON", json.loads(json.dumps(document(sets))))


def list_option_paths(file: Path, pattern: str) -> JSON:
    """Paths of the options that a system defines or could define, entries of mappings by their names."""
    paths = sorted(str(record["path"]) for record in document(_config(file, pattern).sets()))
    found: list[JSON] = [path for path in paths if "*" not in path]
    return found


def _select(systems: tuple[System, ...], pattern: str, file: Path) -> list[System]:
    names = choose(pattern, [Choice(system.name, system.tags) for system in systems], file=file.name)
    return [system for system in systems if system.name in names]


def _config(file: Path, pattern: str) -> Config:
    return resolve(_system(file, pattern))


def _system(file: Path, pattern: str) -> System:
    chosen = _select(load_systems(file), pattern, file)
    if len(chosen) > 1:
        raise HoldfastError(
            "this command works on one system at a time",
            details=f"Selected: {', '.join(system.name for system in chosen)}",
            resolution=f"Name one of them: {chosen[0].name}",
        )
    return chosen[0]


def _evaluate(system: System) -> JSON:
    try:
        evaluated = evaluate_system(system)
    except HoldfastError as error:
        raise _name_system(error, system.name) from error
    except Exception as error:
        raise _name_system(explain_exception(error), system.name) from error
    return {
        "name": system.name,
        "manifest": write_manifest(evaluated.manifest).decode(),
        "contents": encode(evaluated.contents),
        "warnings": list(evaluated.warnings),
    }


def _name_system(error: HoldfastError, name: str) -> HoldfastError:
    """The same error, saying in which system it was: several are evaluated at once."""
    whose = "" if name in error.brief else f"While evaluating the system {name!r}."
    return HoldfastError(
        error.brief,
        details="\n".join(part for part in (error.details, whose) if part),
        resolution=error.resolution,
    )
