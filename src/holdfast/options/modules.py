"""What a module function gets: typed recorders, conditions, imports."""

from __future__ import annotations

from holdfast.base.errors import HoldfastError
from holdfast.options.condition import Condition
from holdfast.options.definition import freeze
from holdfast.options.places import format_place, frame_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any, TypeVar, Union

    from holdfast.options.config import Config
    from holdfast.options.declare import OptionSet
    from holdfast.options.record import Sink

    S = TypeVar("S", bound=OptionSet)
    F = TypeVar("F", bound=Callable[..., Any])  # any callable: a decorator returns what it was given
    G = TypeVar("G")
    ModuleFunction = Callable[["Module"], None]
    ModuleLike = Union[ModuleFunction, type[OptionSet]]
else:
    ModuleFunction = ModuleLike = object  # importable; annotations are never evaluated here


class When:
    """``with m.when(...)``: definitions inside count only if the condition holds."""

    __slots__ = ("_condition", "_outer", "_sink")

    def __init__(self, sink: Sink, condition: Condition) -> None:
        self._sink = sink
        self._condition = condition
        self._outer: Condition | None = None

    def __enter__(self) -> None:
        self._outer = self._sink.condition
        # Built again from here, since a When may be kept in a variable and entered under another condition.
        made = self._condition
        if self._outer is not made.parent:
            made = Condition(self._outer, made.thunk, made.code, made.offset)
        self._sink.condition = made

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sink.condition = self._outer


class Module:
    """The recorder of one module: ``m[Nginx].enable = True``."""

    __slots__ = ("_given", "_sink")

    def __init__(self, sink: Sink, given: Iterable[object]) -> None:
        self._sink = sink
        self._given = given

    def __getitem__(self, key: type[S]) -> S:
        """Recorder of an option set."""
        sink = self._sink
        node = sink.recorder.nodes.get(key)
        if node is None:
            node = sink.recorder.touch(key, frame_at(1))
        return sink.set_at(node, key)

    def when(self, condition: Callable[[Config], bool]) -> When:
        """Make the definitions in the ``with`` block depend on the resolved config."""
        frame = frame_at(1)
        if not callable(condition):
            raise HoldfastError(
                f"{format_place(frame.f_code, frame.f_lasti)}: when() takes a function of the config, not {condition!r}.",
                resolution="Write `with m.when(lambda c: ...):`; for a condition known now, a plain `if` will do.",
            )
        sink = self._sink
        return When(sink, Condition(sink.condition, freeze(condition), frame.f_code, frame.f_lasti))

    def imports(self, *modules: ModuleLike) -> None:
        """Take in other modules, or option sets with the functions that give them meaning. Each counts once."""
        frame = frame_at(1)
        if self._sink.condition is not None:
            raise HoldfastError(
                f"{format_place(frame.f_code, frame.f_lasti)}: imports cannot depend on the config: they decide what it is.",
                resolution="Import outside `with m.when(...)`, and put the condition inside the imported module.",
            )
        for module in modules:
            self._sink.recorder.run(module, (frame.f_code, frame.f_lasti))

    def disable(self, *modules: ModuleLike) -> None:
        """Leave out modules that others import, or sets' functions."""
        for module in modules:
            self._sink.recorder.disable(module)

    def given(self, kind: type[G]) -> G:
        """Input known before any option: what the evaluation was started with, by its class."""
        for one in self._given:
            if isinstance(one, kind):
                return one
        raise HoldfastError(
            f"this evaluation was given no {kind.__name__}.",
            resolution=f"Pass one: evaluate(..., given=[{kind.__name__}(...)]).",
        )

    def assert_that(self, holds: Callable[[Config], bool], message: str) -> None:
        """Fail the evaluation with ``message`` unless ``holds(c)``; all failures are told together."""
        from holdfast.options.diagnostics import ASSERTIONS, Assertion

        frame = frame_at(1)
        self._note(ASSERTIONS, Assertion(freeze(holds), message), frame)

    def warn(self, message: str) -> None:
        """Warn whoever evaluates this (under the conditions at hand)."""
        from holdfast.options.diagnostics import WARNINGS

        self._note(WARNINGS, message, frame_at(1))

    def _note(self, option: Any, value: object, frame: Any) -> None:
        node = self._sink.recorder.nodes[option.owner]
        node.slot(option).defs.append(self._sink.definition([value], frame))


class Identity:
    """What a decorator knows about a module function."""

    __slots__ = ("key", "kind")

    def __init__(self, key: object, kind: str | None) -> None:
        self.key = key
        self.kind = kind


def module(*, key: object = None, kind: str | None = None) -> Callable[[F], F]:
    """Give a module function a key of its own (two modules of one key count once), or the kind of system it is for."""

    def decorate(function: F) -> F:
        function.__dict__["__holdfast_module__"] = Identity(key, kind)
        return function

    return decorate


def implements(*sets: type[OptionSet]) -> Callable[[F], F]:
    """Name the function that gives option sets their meaning; it runs in every system that has one of the sets."""

    def decorate(function: F) -> F:
        for cls in sets:
            if cls.__hf_function__ is not None:
                raise HoldfastError(
                    f"{cls.__name__} already has a function: {describe(cls.__hf_function__)}.",
                    resolution="A set has one function; let the other be a module that is imported.",
                )
            cls.__hf_function__ = function
        function.__dict__["__holdfast_sets__"] = (*sets, *function.__dict__.get("__holdfast_sets__", ()))
        return function

    return decorate


def describe(function: Any) -> str:
    """``name (file:line)`` of a module."""
    inner = getattr(function, "func", function)  # of a partial
    name = getattr(inner, "__qualname__", None) or repr(inner)
    code = getattr(inner, "__code__", None)
    return f"{name} ({format_place(code, 0)})" if code is not None else str(name)
