"""What one evaluation records: nodes (one option set at one place) and slots (one value at one place).

Slots and nodes hold the definitions as they were written and, later, what they were resolved to.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from holdfast.options.declare import Option, OptionSet
    from holdfast.options.definition import Anything, Recorded
    from holdfast.options.paths import Path
    from holdfast.options.types import Type

    Parent = Union["Node", "Slot"]


class Marker:
    """A value no definition can have."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


UNSET = Marker("UNSET")
BUSY = Marker("BUSY")


class Slot:
    """One value and its definitions. What most have not, because they are leaves, is in :class:`Branch`."""

    if TYPE_CHECKING:
        entries: dict[str, Slot] | None
        node: Node | None
        each: list[Recorded] | None
        presence: list[Recorded] | None
        dropped: Slot | None
        ran: list[Recorded] | None
    else:
        __slots__ = ("defs", "doing", "name", "option", "parent", "present", "type", "value")
        entries = node = each = presence = dropped = ran = None

    def __init__(
        self,
        parent: Parent,
        name: str,
        type_: Type[Anything, Anything],
        option: Option[Anything, Anything] | None,
    ):
        self.parent = parent
        self.name = name
        self.type = type_
        self.option = option
        self.defs: list[Recorded] = []
        self.value: object = UNSET
        self.present: object = UNSET  # whether anything defines it, once somebody asked
        self.doing: Recorded | None = None  # the definition at work, for chains

    def path(self) -> Path:
        """Where it is, from the root; a set's own root mapping has no name."""
        return (*self.parent.path(), self.name) if self.name else self.parent.path()

    def entry(self, key: str) -> Slot:
        """Slot below a mapping, created when missing."""
        if self.entries is None:
            self.entries = {}
        slot = self.entries.get(key)
        if slot is None:
            slot = self.entries[key] = slot_of(self, key, self.type.element(), None)
        return slot

    def below(self, cls: type[OptionSet]) -> Node:
        """Node of a submodule, created when missing."""
        if self.node is None:
            self.node = Node(cls, self, ())
        return self.node

    def defining_option(self) -> Option[Anything, Anything] | None:
        """Option that declares this slot, or the mapping it is in."""
        at: Parent | None = self
        while isinstance(at, Slot):
            if at.option is not None:
                return at.option
            at = at.parent
        return None


class Branch(Slot):
    """A slot of a mapping or submodule: ``entries`` or a ``node`` below it.

    ``each``: entries whose keys depend on the config. ``presence``: reasons to exist without a definition of its own.
    ``ran``: whole-value functions that have already recorded below. ``dropped``: what a stronger definition of the whole
    value put aside, for explain.
    """

    __slots__ = ("dropped", "each", "entries", "node", "presence", "ran")

    def __init__(
        self,
        parent: Parent,
        name: str,
        type_: Type[Anything, Anything],
        option: Option[Anything, Anything] | None,
    ):
        super().__init__(parent, name, type_, option)
        self.entries = None
        self.node = None
        self.each = None
        self.presence = None
        self.dropped = None
        self.ran = None


def slot_of(
    parent: Parent, name: str, type_: Type[Anything, Anything], option: Option[Anything, Anything] | None
) -> Slot:
    """Slot of the kind the type needs."""
    return (Branch if type_.structural else Slot)(parent, name, type_, option)


class Node:
    """One option set at one place: a top-level set, a submodule, or a set that extends one of these."""

    __slots__ = ("cls", "extensions", "own_path", "parent", "slots", "view")

    def __init__(self, cls: type[OptionSet], parent: Parent | None, own_path: Path):
        self.cls = cls
        self.parent = parent
        self.own_path = own_path
        self.slots: dict[str, Slot] = {}
        self.extensions: dict[type[OptionSet], Node] | None = None
        self.view: OptionSet | None = None

    def path(self) -> Path:
        """Where it is, from the root."""
        return self.own_path if self.parent is None else self.parent.path() + self.own_path

    def slot(self, option: Option[Anything, Anything]) -> Slot:
        """Slot of an option, created when missing."""
        slot = self.slots.get(option.name)
        if slot is None:
            slot = self.slots[option.name] = slot_of(self, option.label, option.type, option)
        return slot

    def extension(self, cls: type[OptionSet]) -> Node:
        """Node of a set that extends this one, created when missing."""
        if self.extensions is None:
            self.extensions = {}
        node = self.extensions.get(cls)
        if node is None:
            node = self.extensions[cls] = Node(cls, self, cls.__hf_path__)
            if not cls.__hf_path__:
                node.slots = self.slots  # its options lie among this one's, and some may be the same options
        return node

    def key(self) -> str:
        """Key of the entry this submodule is, or the option's name."""
        at: Parent | None = self
        while at is not None:
            if isinstance(at, Slot):
                return at.name
            at = at.parent
        return ""
