"""``@dataclass`` whose methods are compiled when a class is first used, not when its module is loaded (docs/adr/0016).

:func:`dataclasses.dataclass` compiles six methods for each class. Of a command that loads two hundred classes and uses sixty, that
is nearly half of the time it takes to start. What comes of a class here is exactly what the standard decorator makes of it, by
that decorator, as soon as somebody makes an instance or asks for its fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses
    import threading

    _FIELDS = "__dataclass_fields__"
    _AT_A_TIME = threading.RLock()

    def dataclass(cls=None, /, **options):
        """The decorator of the same name in :mod:`dataclasses`."""
        if cls is None:
            return lambda cls: dataclass(cls, **options)
        if "slots" in options or cls.__new__ is not object.__new__:
            return dataclasses.dataclass(cls, **options)
        awaited = _Awaited(cls, options)
        setattr(cls, _FIELDS, awaited)
        cls.__new__ = awaited.new
        return cls

    class _Awaited:
        """In place of a class's fields until somebody asks for them."""

        def __init__(self, cls, options) -> None:
            self._cls, self._options = cls, options

        def __get__(self, _instance, _owner):
            self._complete()
            return getattr(self._cls, _FIELDS)

        def new(self, cls, *_arguments, **_named):
            self._complete()
            return object.__new__(cls)

        def _complete(self) -> None:
            # Other threads come in through __new__, and wait here, until everything is there: it is replaced last.
            with _AT_A_TIME:
                if self._cls.__dict__.get(_FIELDS) is self:
                    dataclasses.dataclass(self._cls, **self._options)
                    self._cls.__new__ = _new

    def _new(cls, *_arguments, **_named):
        """Python cannot go back to object's own: for a class that ever had another it refuses arguments."""
        return object.__new__(cls)
