"""Sets keyed like a mapping: ``m[Files]["/etc/motd"].text = "..."``."""

from __future__ import annotations

from types import GenericAlias

from holdfast.options.attrs import Attrs
from holdfast.options.declare import Option, OptionSet
from holdfast.options.places import frame_at
from holdfast.options.types import Type, attrs_of, submodule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, ValuesView
    from typing import Any, Generic, TypeVar, overload

    from holdfast.options.config import Config
    from holdfast.options.definition import Def
else:
    from holdfast.options.lean import TypeVar, overload

    class Generic:
        """Keeps ``__orig_bases__``, from which a keyed set learns its entry class."""

        __slots__ = ()

        def __class_getitem__(cls, item):
            return GenericAlias(cls, item)


R = TypeVar("R")
W = TypeVar("W")
S = TypeVar("S", bound=OptionSet)
E = TypeVar("E", bound=OptionSet)


class RootedSet(OptionSet, Generic[R, W]):
    """A set that is one mapping. Use :class:`KeyedSet` or :class:`ValueSet`."""

    def __init_subclass__(
        cls, *, path: str | None = None, of: Type[R, W] | None = None, extends: type[OptionSet] | None = None
    ) -> None:
        super().__init_subclass__(path=path, extends=extends)
        element: Type[Any, Any] | None = of
        if element is None:
            for base in getattr(cls, "__orig_bases__", ()):
                arguments: tuple[Any, ...] = getattr(base, "__args__", ())
                if len(arguments) == 1 and isinstance(arguments[0], type):
                    entry: type[OptionSet] = arguments[0]
                    element = submodule(entry)
        if element is None:
            return
        frame = frame_at(1)
        root: Option[Any, Any] = Option(attrs_of(element), frame.f_code, frame.f_lasti)
        root.name, root.label, root.owner = "*", "", cls
        root.doc = (cls.__doc__ or "").strip()
        cls.__hf_root__ = root
        cls.__hf_options__ = {**cls.__hf_options__, "*": root}

    def _entries(self) -> Attrs[R, W]:
        entries: Attrs[R, W] = self.__hf__.read(type(self).__hf_root__)
        return entries

    @overload
    def __getitem__(self, key: str) -> R: ...
    @overload
    def __getitem__(self, key: type[S]) -> S: ...
    def __getitem__(self, key: Any) -> Any:
        """Entry under a key; or the options that another set adds to this one."""
        if isinstance(key, type):
            extension: type[OptionSet] = key
            return self.__hf__.extension(extension)
        return self._entries().__hf__.item(key, frame_at(1))

    def __setitem__(self, key: str, value: W | Def[W]) -> None:
        self._entries().__hf__.write(key, value, frame_at(1))

    def __contains__(self, key: object) -> bool:
        return self._entries().__hf__.contains(key, frame_at(1))

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries().__hf__.keys(frame_at(1)))

    def __len__(self) -> int:
        return len(self._entries().__hf__.keys(frame_at(1)))

    def keys(self) -> KeysView[str]:
        """Keys of the entries, sorted."""
        return self._entries().keys()

    def values(self) -> ValuesView[R]:
        """Entries in the order of their keys."""
        return self._entries().values()

    def items(self) -> ItemsView[str, R]:
        """Keys and entries."""
        return self._entries().items()

    def add(self, key: str) -> R:
        """See :meth:`Attrs.add`."""
        added: R = self._entries().__hf__.add(key, frame_at(1))
        return added

    def each(self, keys: Callable[[Config], Iterable[str]], body: Callable[[R, str], None]) -> None:
        """See :meth:`Attrs.each`."""
        self._entries().__hf__.record_each(keys, body, frame_at(1))


if TYPE_CHECKING:

    class KeyedSet(RootedSet[E, "Callable[[E], None]"], Generic[E]):
        """A mapping of submodules: ``class Files(KeyedSet[File], path="files")``."""

        def __init_subclass__(
            cls, *, path: str | None = None, extends: type[OptionSet] | None = None
        ) -> None: ...

    class ValueSet(RootedSet[R, W], Generic[R, W]):
        """A mapping of plain values: ``class Sysctl(ValueSet[str, str], of=STR)``."""

        def __init_subclass__(
            cls, *, of: Type[R, W], path: str | None = None, extends: type[OptionSet] | None = None
        ) -> None: ...
else:

    class KeyedSet(RootedSet):
        """A mapping of submodules: ``class Files(KeyedSet[File], path="files")``."""

    class ValueSet(RootedSet):
        """A mapping of plain values: ``class Sysctl(ValueSet[str, str], of=STR)``."""
