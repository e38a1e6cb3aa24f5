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
    """One value: its definitions, and what lies below it when it is a mapping or a submodule."""

    __slots__ = (
        "defs",
        "doing",
        "dropped",
        "each",
        "entries",
        "name",
        "node",
        "option",
        "parent",
        "presence",
        "present",
        "ran",
        "type",
        "value",
    )

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
        self.entries: dict[str, Slot] | None = None  # of a mapping
        self.node: Node | None = None  # of a submodule
        self.each: list[Recorded] | None = None  # of a mapping: entries whose keys depend on the config
        self.presence: list[Recorded] | None = None  # reasons to exist without a definition of its own
        self.dropped: Parent | None = None  # what a stronger whole-value definition put aside, for explain
        self.ran: list[Recorded] | None = (
            None  # whole-value functions that have already recorded into the node
        )
        self.value: object = UNSET
        self.present: object = UNSET
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
            slot = self.entries[key] = Slot(self, key, self.type.element(), None)
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
            slot = self.slots[option.name] = Slot(self, option.label, option.type, option)
        return slot

    def extension(self, cls: type[OptionSet]) -> Node:
        """Node of a set that extends this one, created when missing."""
        if self.extensions is None:
            self.extensions = {}
        node = self.extensions.get(cls)
        if node is None:
            node = self.extensions[cls] = Node(cls, self, cls.__hf_path__)
        return node

    def key(self) -> str:
        """Key of the entry this submodule is, or the option's name."""
        at: Parent | None = self
        while at is not None:
            if isinstance(at, Slot):
                return at.name
            at = at.parent
        return ""
