"""Mappings of options: what ``attrs_of(...)`` reads as, and what is written through while recording."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.options.places import frame_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Generic, TypeVar, overload

    from holdfast.options.config import AttrsView, Config
    from holdfast.options.definition import Def
    from holdfast.options.record import AttrsRecording
else:
    from holdfast.options.lean import Generic, TypeVar, overload

R_co = TypeVar("R_co", covariant=True)
W_contra = TypeVar("W_contra", contravariant=True)
D = TypeVar("D")


class Attrs(Mapping[str, R_co], Generic[R_co, W_contra]):
    """Entries by key, in the order of their keys.

    While recording, ``attrs[key]`` gives a typed recorder of a submodule (an entry exists once something is written to
    it), ``attrs[key] = value`` is one definition of that key. In a resolved config it is a read-only mapping; an unknown
    key is an error with a suggestion.
    """

    __slots__ = ("__hf__",)

    if TYPE_CHECKING:
        __hf__: AttrsRecording | AttrsView

    def __getitem__(self, key: str) -> R_co:
        return self.__hf__.item(key, frame_at(1))  # type: ignore[no-any-return]  # by the type of the entries

    def __setitem__(self, key: str, value: W_contra | Def[W_contra]) -> None:
        self.__hf__.write(key, value, frame_at(1))

    def __contains__(self, key: object) -> bool:
        return self.__hf__.contains(key, frame_at(1))

    def __iter__(self) -> Iterator[str]:
        return iter(self.__hf__.keys(frame_at(1)))

    def __len__(self) -> int:
        return len(self.__hf__.keys(frame_at(1)))

    @overload
    def get(self, key: str, default: None = None, /) -> R_co | None: ...
    @overload
    def get(self, key: str, default: R_co | D, /) -> R_co | D: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        """Entry under a key, or ``default``."""
        frame = frame_at(1)
        return self.__hf__.item(key, frame) if self.__hf__.contains(key, frame) else default

    def add(self, key: str) -> R_co:
        """Make an entry exist even if nothing is written to it (under the conditions at hand); return it."""
        return self.__hf__.add(key, frame_at(1))  # type: ignore[no-any-return]  # by the type of the entries

    def each(self, keys: Callable[[Config], Iterable[str]], body: Callable[[R_co, str], None]) -> None:
        """Record entries whose keys depend on the config.

        ``body(entry, key)`` runs once for each key of ``keys(c)``, when the keys of this mapping are needed.
        """
        self.__hf__.record_each(keys, body, frame_at(1))

    def __repr__(self) -> str:
        return f"<attrs at {'.'.join(self.__hf__.slot.path())}>"


_bind = vars(Attrs)["__hf__"].__set__


def bind_attrs(state: AttrsRecording | AttrsView) -> Attrs[Any, Any]:
    """Make the mapping people hold."""
    cls: type[Attrs[Any, Any]] = Attrs
    made = object.__new__(cls)
    _bind(made, state)
    return made
