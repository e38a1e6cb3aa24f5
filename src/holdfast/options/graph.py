"""Running modules: which ones, once each, and which option sets a system has."""

from __future__ import annotations

from holdfast.base.errors import HoldfastError
from holdfast.options.diagnostics import ASSERTIONS, WARNINGS, Assertion, Diagnostics
from holdfast.options.layout import unite
from holdfast.options.modules import Identity, Module, describe
from holdfast.options.paths import format_path
from holdfast.options.places import format_place
from holdfast.options.record import Sink
from holdfast.options.tree import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType
    from typing import Any

    from holdfast.options.config import Config
    from holdfast.options.declare import Option, OptionSet
    from holdfast.options.definition import Recorded
    from holdfast.options.layout import United
    from holdfast.options.modules import ModuleLike
    from holdfast.options.places import Place
    from holdfast.options.record import Recording


class Recorder:
    """One run of all modules."""

    __slots__ = (
        "available",
        "disabled",
        "found_disabled",
        "given",
        "kind",
        "nodes",
        "seen",
        "touched",
        "united",
    )

    def __init__(self, *, kind: str | None, given: tuple[object, ...], disabled: frozenset[object]) -> None:
        self.kind = kind
        self.given = given
        self.disabled = disabled
        self.found_disabled: set[object] = set()
        self.available: dict[type[OptionSet], None] = {Diagnostics: None}
        self.nodes: dict[type[OptionSet], Node] = {
            Diagnostics: Node(Diagnostics, None, Diagnostics.__hf_path__)
        }
        self.seen: set[object] = set()
        self.touched: dict[type[OptionSet], Place] = {}
        self.united: United = {}

    def run(self, module: ModuleLike, place: Place | None = None) -> None:
        """Run a module unless one of its key ran before or it is disabled."""
        if isinstance(module, type):
            self._add_set(module, place)
            return
        if not callable(module):
            raise HoldfastError(
                f"{_at(place)}a module is a function of a Module (or an option set), not {module!r}.",
                resolution="Pass the function itself, without calling it; a factory returns one.",
            )
        identity: Identity | None = getattr(module, "__holdfast_module__", None)
        key = module_key(module)
        if key in self.seen or key in self.disabled:
            return
        self.seen.add(key)
        if identity is not None and identity.kind is not None and identity.kind != self.kind:
            raise HoldfastError(
                f"{_at(place)}module {describe(module)} is for systems of kind {identity.kind!r}, and this one is "
                f"{'of no kind' if self.kind is None else f'of kind {self.kind!r}'}.",
                resolution="Leave it out of this system's modules and their imports.",
            )
        for cls in getattr(module, "__holdfast_sets__", ()):
            self._add_set(cls, place)
        sink = Sink(self)
        try:
            module(Module(sink, self.given))
        except HoldfastError:
            raise
        except Exception as error:
            from holdfast.options.words import failed_module

            raise failed_module(module, error) from error
        finally:
            sink.closed = True

    def _add_set(self, cls: Any, place: Place | None) -> None:
        from holdfast.options.declare import OptionSet

        if not issubclass(cls, OptionSet):
            raise HoldfastError(
                f"{_at(place)}{cls.__name__} is a class but not an OptionSet.",
                resolution="A module is a function of one parameter: def web(m: Module) -> None: ...",
            )
        if cls in self.available:
            return
        self.available[cls] = None
        if cls.__hf_function__ is not None:
            self.run(cls.__hf_function__, place)

    def disable(self, module: ModuleLike) -> None:
        """Note that a module is to be left out; the run starts again without it."""
        target: object = module
        if isinstance(module, type):
            target = getattr(module, "__hf_function__", None)
        self.found_disabled.add(module_key(target))

    def touch(self, cls: type[OptionSet], frame: FrameType) -> Node:
        """Node of a set that is used for the first time."""
        if not hasattr(cls, "__hf_options__") or not isinstance(cls, type):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise HoldfastError(
                f"{format_place(frame.f_code, frame.f_lasti)}: m[...] takes an option set (a class), not {cls!r}."
            )
        if cls.__hf_extends__ is not None:
            base = cls.__hf_extends__.__name__
            raise HoldfastError(
                f"{format_place(frame.f_code, frame.f_lasti)}: {cls.__name__} extends {base}; it has no place of its own.",
                resolution=f"Use it through a {base}: ...[{cls.__name__}].option",
            )
        node = self.nodes[cls] = Node(cls, None, cls.__hf_path__)
        if cls not in self.available:
            self.touched[cls] = (frame.f_code, frame.f_lasti)
        return node

    def check_extension(self, cls: type[OptionSet], base: type[OptionSet], frame: FrameType) -> None:
        """Refuse a set that does not extend the one it is used on."""
        check_extends(cls, base, (frame.f_code, frame.f_lasti))
        if cls not in self.available:
            self.touched.setdefault(cls, (frame.f_code, frame.f_lasti))

    def check_touched(self) -> None:
        """Refuse sets that no module brought along."""
        for cls, place in self.touched.items():
            if cls not in self.available:
                raise missing_set(cls, _at(place))

    def forwarded(self, option: Option[Any, Any], node: Node) -> tuple[Option[Any, Any], Node]:
        """Option and node that a renamed one stands for."""
        target = option.forward
        assert target is not None
        owner = target.owner
        assert owner is not None
        if issubclass(node.cls, owner):
            return target, node
        if owner.__hf_extends__ is not None and issubclass(node.cls, owner.__hf_extends__):
            return target, node.extension(owner)
        found = self.nodes.get(owner)
        if found is None:
            found = self.nodes[owner] = Node(owner, None, owner.__hf_path__)
        return target, found

    def forward(self, recording: Recording, option: Option[Any, Any], definition: Recorded) -> None:
        """Record a definition of a renamed option where it belongs, with a warning; of a removed one, a failure."""
        _, condition, _, _, code, offset = definition
        old = format_path((*recording.node.path(), option.label))
        diagnostics = self.nodes[Diagnostics]
        if option.removed is not None:
            message = f"{format_place(code, offset)}: option {old} has been removed. {option.removed}"
            note: Recorded = ([Assertion(_never, message)], condition, 100, 1000, code, offset)
            diagnostics.slot(ASSERTIONS).defs.append(note)
            return
        target, node = self.forwarded(option, recording.node)
        slot = node.slot(target)
        slot.defs.append(definition)
        message = (
            f"{format_place(code, offset)}: option {old} has been renamed to {format_path(slot.path())}."
        )
        diagnostics.slot(WARNINGS).defs.append(([message], condition, 100, 1000, code, offset))


def _never(_: Config) -> bool:
    return False


def check_extends(cls: type[OptionSet], base: type[OptionSet], place: Place) -> None:
    """Refuse a set that does not extend the one it is used on."""
    extends: type[OptionSet] | None = getattr(cls, "__hf_extends__", None)
    if extends is None or not issubclass(base, extends):
        wanted = f"it extends {extends.__name__}" if extends is not None else "it extends nothing"
        raise HoldfastError(
            f"{_at(place)}{getattr(cls, '__name__', cls)!s} does not extend {base.__name__}: {wanted}.",
            resolution=f"Declare it so: class {getattr(cls, '__name__', 'Extra')}(OptionSet, extends={base.__name__}).",
        )


def missing_set(cls: type[OptionSet], at: str) -> HoldfastError:
    """Error of an option set the system does not have: names the import to add."""
    return HoldfastError(
        f"{at}option set {cls.__name__} is not part of this system.",
        resolution=f"Add `m.imports({cls.__name__})` to the module (from {cls.__module__} import {cls.__name__}), "
        f"or add {cls.__name__} to the system's modules=[...].",
    )


def module_key(module: Any) -> object:
    """Identity of a module: its explicit key, or the function itself."""
    identity: Identity | None = getattr(module, "__holdfast_module__", None)
    return module if identity is None or identity.key is None else ("key", identity.key)


def _at(place: Place | None) -> str:
    return "" if place is None else f"{format_place(*place)}: "


def record(
    modules: Iterable[ModuleLike],
    sets: Iterable[type[OptionSet]],
    *,
    kind: str | None,
    given: tuple[object, ...],
) -> Recorder:
    """Run all modules; again without those that some module disables."""
    modules, sets = tuple(modules), tuple(sets)
    disabled: frozenset[object] = frozenset()
    while True:
        recorder = Recorder(kind=kind, given=given, disabled=disabled)
        for cls in sets:
            recorder.available.setdefault(cls)
        for cls in sets:
            if cls.__hf_function__ is not None:
                recorder.run(cls.__hf_function__)
        for module in modules:
            recorder.run(module)
        if recorder.found_disabled <= disabled:
            recorder.check_touched()
            recorder.united = unite(recorder.available)
            return recorder
        disabled |= recorder.found_disabled
