"""One evaluation: run the modules, give back what they amount to."""

from __future__ import annotations

from holdfast.options.config import Again, Config
from holdfast.options.graph import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.options.declare import OptionSet
    from holdfast.options.modules import ModuleLike


def evaluate(
    modules: Iterable[ModuleLike],
    *,
    sets: Iterable[type[OptionSet]] = (),
    kind: str | None = None,
    given: Iterable[object] = (),
) -> Config:
    """Run modules and return the resolved config; options are computed when they are read.

    ``sets`` are there in every system (the built-in library); other sets come with the modules that name or import them.
    ``kind`` is what ``@module(kind=...)`` is compared with; ``given`` is what ``m.given(Class)`` finds.
    Raises :class:`HoldfastError` for what goes wrong while recording.
    """
    again = Again(tuple(modules), tuple(sets), kind, tuple(given))
    recorder = record(again.modules, again.sets, kind=kind, given=again.given)
    return Config(recorder, again)
