"""Declaring options: an option set is a class of descriptors, and the class itself is the key to its values."""

from __future__ import annotations

from holdfast.base.errors import HoldfastError
from holdfast.options.definition import Def
from holdfast.options.places import frame_at
from holdfast.options.tree import UNSET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any, Generic, Never, TypeVar, overload

    from holdfast.options.config import NodeView
    from holdfast.options.definition import Anything
    from holdfast.options.modules import ModuleFunction
    from holdfast.options.paths import Path
    from holdfast.options.record import Recording
    from holdfast.options.types import Type
else:
    from holdfast.options.lean import Generic, TypeVar, overload

R = TypeVar("R")
W = TypeVar("W")
S = TypeVar("S", bound="OptionSet")


class Option(Generic[R, W]):
    """One declared option: ``R`` is what reading gives, ``W`` what may be assigned. Made by :func:`option`."""

    __slots__ = (
        "apply",
        "code",
        "constant",
        "default",
        "default_text",
        "doc",
        "example",
        "fallback_function",
        "forward",
        "internal",
        "label",
        "name",
        "offset",
        "owner",
        "read_only",
        "removed",
        "type",
    )

    def __init__(
        self,
        type_: Type[R, W],
        code: CodeType,
        offset: int,
        default: object = UNSET,
        default_text: str | None = None,
        doc: str = "",
        example: object = None,
        read_only: bool = False,
        internal: bool = False,
        apply: Callable[[R], R] | None = None,
    ):
        self.type = type_
        self.code = code  # with offset: where it is declared
        self.offset = offset
        self.name = ""
        self.label = ""  # last path segment; empty for the root mapping of a keyed set
        self.owner: type[OptionSet] | None = None
        self.default = default
        self.constant: object = UNSET  # what it is without definitions, once known to be always the same
        self.default_text = default_text
        self.fallback_function: Callable[[Any], object] | None = None
        self.doc = doc
        self.example = example
        self.read_only = read_only
        self.internal = internal
        self.apply = apply
        self.forward: Option[R, W] | None = None
        self.removed: str | None = None

    def fallback(self, function: Callable[[S], W | Def[W]]) -> Callable[[S], W | Def[W]]:
        """Compute the default from the set's other options::

        description = option(STR)

        @description.fallback
        def default_description(self) -> str:
            return f"The {self.name} service"
        """
        self.fallback_function = function
        return function

    def __repr__(self) -> str:
        return f"<option {self.owner.__name__ if self.owner else '?'}.{self.name}: {self.type.words}>"

    @overload
    def __get__(self, instance: None, owner: type[OptionSet]) -> Option[R, W]: ...
    @overload
    def __get__(self, instance: OptionSet, owner: type[OptionSet]) -> R: ...
    def __get__(self, instance: OptionSet | None, owner: type[OptionSet]) -> Any:
        if instance is None:
            return self
        return instance.__hf__.read(self)

    if TYPE_CHECKING:
        # What assigning means is decided in OptionSet.__setattr__, which also sees misspelled names.
        def __set__(self, instance: OptionSet, value: W | Def[W]) -> None: ...


@overload
def option(
    type_: Type[R, W],
    /,
    *,
    default_text: str | None = None,
    doc: str = "",
    example: object = None,
    read_only: bool = False,
    internal: bool = False,
    apply: Callable[[R], R] | None = None,
) -> Option[R, W]: ...
@overload
def option(
    type_: Type[R, W],
    /,
    *,
    default: W | Def[W],
    default_text: str | None = None,
    doc: str = "",
    example: object = None,
    read_only: bool = False,
    internal: bool = False,
    apply: Callable[[R], R] | None = None,
) -> Option[R, W]: ...
def option(
    type_: Type[R, W],
    /,
    *,
    default: object = UNSET,
    default_text: str | None = None,
    doc: str = "",
    example: object = None,
    read_only: bool = False,
    internal: bool = False,
    apply: Callable[[R], R] | None = None,
) -> Option[R, W]:
    """Declare an option of an :class:`OptionSet`.

    ``default`` may be ``lazy(...)`` (then ``default_text`` says it in words); without one, reading an option nobody
    defined is an error. ``apply`` turns the merged value into what readers see. ``read_only`` allows one definition.
    ``internal`` keeps it out of the documentation.
    """
    frame = frame_at(1)
    return Option(
        type_,
        frame.f_code,
        frame.f_lasti,
        default,
        default_text,
        doc,
        example,
        read_only,
        internal,
        apply,
    )


def entry_name(*, doc: str = "Key of this entry.") -> Option[str, Never]:
    """Declare the option of a submodule that holds the key it is found under. Nobody can assign it."""
    from holdfast.options.types import STR

    frame = frame_at(1)
    made: Option[Any, Any] = Option(STR, frame.f_code, frame.f_lasti)
    made.doc = doc
    made.read_only = True
    made.fallback_function = key_of
    made.default_text = "the entry's key"
    return made


def key_of(view: OptionSet) -> str:
    """Key that a submodule is found under."""
    return view.__hf__.node.key()


def renamed_option(to: Option[R, W]) -> Option[R, W]:
    """Declare an old name: definitions go to ``to`` with their priority, and each earns a warning."""
    frame = frame_at(1)
    made: Option[R, W] = Option(to.type, frame.f_code, frame.f_lasti)
    made.forward = to
    made.internal = True
    made.doc = "Renamed."
    return made


def removed_option(advice: str) -> Option[Never, Never]:
    """Declare a name that is gone: a definition of it fails the evaluation, and says ``advice``."""
    from holdfast.options.types_python import RAW

    frame = frame_at(1)
    made: Option[Any, Any] = Option(RAW, frame.f_code, frame.f_lasti)
    made.removed = advice
    made.internal = True
    made.doc = "Removed."
    return made


class SetMeta(type):
    """Keeps instances without a ``__dict__``: there is nowhere for a misspelled name to go."""

    def __new__(
        mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **details: object
    ) -> SetMeta:
        namespace.setdefault("__slots__", ())
        return super().__new__(mcs, name, bases, namespace, **details)


class OptionSet(metaclass=SetMeta):
    """A class of options, and the key to their values: ``m[Nginx].enable = True``, ``c[Nginx].enable``.

    ``path`` is where the options appear in documentation, errors and JSON (dotted; the class name in kebab-case unless
    given). ``extends`` adds this set to every place of another one: ``svc[Hardening].x``; its path is below that place.
    """

    __slots__ = ("__hf__",)
    __hf_options__: dict[str, Option[Anything, Anything]] = {}  # noqa: RUF012 - replaced in each subclass
    __hf_path__: Path = ()
    __hf_extends__: type[OptionSet] | None = None
    __hf_function__: ModuleFunction | None = None
    __hf_root__: Any = None  # an Option, or None; a descriptor cannot say both

    if TYPE_CHECKING:
        __hf__: Recording | NodeView

    def __init_subclass__(cls, *, path: str | None = None, extends: type[OptionSet] | None = None) -> None:
        inherited: dict[str, Option[Any, Any]] = {}
        for base in reversed(cls.__bases__):
            inherited.update(getattr(base, "__hf_options__", ()))
        own: dict[str, Option[Any, Any]] = {
            name: one for name, one in vars(cls).items() if type(one) is Option
        }
        cls.__hf_options__ = {**inherited, **own}
        for name, one in own.items():
            one.owner = cls
            one.name = one.label = name
            if name.startswith("_"):
                raise HoldfastError(
                    f"option {cls.__name__}.{name} starts with an underscore; options are public."
                )
        if path is None:
            cls.__hf_path__ = (_kebab(cls.__name__),)
        else:
            cls.__hf_path__ = tuple(path.split(".")) if path else ()
        cls.__hf_extends__ = extends
        cls.__hf_function__ = None

    def __getitem__(self, key: type[S]) -> S:
        """Options that another set adds to this one."""
        return self.__hf__.extension(key)

    if not TYPE_CHECKING:
        # Hidden from checkers: a visible __setattr__ or __getattr__ would accept misspelled names.
        def __setattr__(self, name, value):
            self.__hf__.write(type(self), name, value, frame_at(1))

        def __getattr__(self, name):
            raise self.__hf__.unknown(type(self), name, frame_at(1))

        def __bool__(self):
            raise self.__hf__.no_truth(frame_at(1))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {'.'.join(self.__hf__.node.path())}>"


_bind = vars(OptionSet)["__hf__"].__set__


def bind(cls: type[S], state: Recording | NodeView) -> S:
    """Make the object people hold: an instance of the set whose reads and writes go to ``state``."""
    made = object.__new__(cls)
    _bind(made, state)
    return made


def _kebab(name: str) -> str:
    parts: list[str] = []
    for index, char in enumerate(name):
        if (
            char.isupper()
            and index
            and (not name[index - 1].isupper() or name[index + 1 : index + 2].islower())
        ):
            parts.append("-")
        parts.append(char.lower())
    return "".join(parts)
