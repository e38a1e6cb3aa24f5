"""Whether the option sets of a system fit together: no option declared twice, none that is also a parent of others."""

from __future__ import annotations

from holdfast.base.errors import HoldfastError
from holdfast.options.paths import format_path
from holdfast.options.places import format_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from holdfast.options.declare import Option, OptionSet
    from holdfast.options.paths import Path
    from holdfast.options.types import Type

    United = dict[Option[Any, Any], Type[Any, Any]]


def unite(sets: Iterable[type[OptionSet]]) -> United:
    """Check how sets lie beside and below each other.

    Returns the types of options that are declared twice with types that go together, as choices do. Raises
    :class:`HoldfastError` for options declared twice otherwise, and for sets below a leaf.
    """
    united: United = {}
    tops: list[type[OptionSet]] = []
    by_base: dict[type[OptionSet], list[type[OptionSet]]] = {}
    for cls in sets:
        if cls.__hf_extends__ is None:
            tops.append(cls)
        else:
            by_base.setdefault(cls.__hf_extends__, []).append(cls)
    _check_tops(tops)
    for base, extensions in by_base.items():
        taken: dict[str, Option[Any, Any]] = dict(_labels(base))
        places: dict[Path, type[OptionSet]] = {}
        for cls in extensions:
            path = cls.__hf_path__
            if path:
                other = places.setdefault(path, cls)
                if other is not cls:
                    raise _same_place(other, cls, path)
                if path[0] in taken:
                    raise _leaf_and_parent(taken[path[0]], cls, path[:1])
                continue
            for label, option in _labels(cls).items():
                first = taken.setdefault(label, option)
                if first is option:
                    continue
                type_ = united.get(first, first.type).unite(option.type)
                if type_ is None:
                    raise _twice(first, option, label)
                united[first] = united[option] = type_
    return united


def _labels(cls: type[OptionSet]) -> dict[str, Option[Any, Any]]:
    return {option.label: option for option in cls.__hf_options__.values()}


def _check_tops(tops: list[type[OptionSet]]) -> None:
    leaves: dict[Path, Option[Any, Any]] = {}
    for cls in tops:
        for label, option in _labels(cls).items():
            path = (*cls.__hf_path__, label) if label else cls.__hf_path__
            first = leaves.setdefault(path, option)
            if first is not option:
                raise _twice(first, option, format_path(path))
    for cls in tops:
        path = cls.__hf_path__
        for length in range(1, len(path) + 1):
            leaf = leaves.get(path[:length])
            if leaf is not None and leaf.owner is not cls:
                raise _leaf_and_parent(leaf, cls, path[:length])


def _declared(option: Option[Any, Any]) -> str:
    return format_place(option.code, option.offset)


def _twice(first: Option[Any, Any], second: Option[Any, Any], path: str) -> HoldfastError:
    return HoldfastError(
        f"option {path} is declared twice.",
        details=f"  {_declared(first)}: {first.type.words}\n  {_declared(second)}: {second.type.words}",
        resolution="Declare it once, or give one of the sets another path=.",
    )


def _same_place(first: type[OptionSet], second: type[OptionSet], path: Path) -> HoldfastError:
    return HoldfastError(
        f"option sets {first.__name__} and {second.__name__} both extend at {format_path(path)}.",
        resolution="Give one of them another path=.",
    )


def _leaf_and_parent(leaf: Option[Any, Any], cls: type[OptionSet], path: Path) -> HoldfastError:
    return HoldfastError(
        f"{format_path(path)} is an option ({leaf.type.words}), so option set {cls.__name__} cannot lie below it.",
        details=f"  declared at {_declared(leaf)}",
        resolution=f"Give {cls.__name__} another path=.",
    )
