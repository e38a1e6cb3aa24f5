"""What Holdfast did to a system, kept on that system: ``/var/lib/holdfast/host`` (see docs/adr/0009)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import cast

from holdfast.base.codec import DecodeError, canonical_json, decode
from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.host.files.nodes import Node
from holdfast.host.packages.record import PackageState
from holdfast.manifest.model import Task

STATE_VERSION = 1
HOME = "/var/lib/holdfast/host"
STATE = f"{HOME}/state.json"
KEPT = f"{HOME}/kept"
"""Content of files that were replaced, by the 64 digits of their digest."""
CURRENT = f"{HOME}/current"


def generation_path(number: int) -> str:
    return f"{HOME}/generations/{number}"


@dataclass(frozen=True)
class Managed:
    """One path of ours: what we put there, and what was there before we did."""

    node: Node
    before: Node
    attributes: Mapping[str, str] = field(default_factory=lambda: {})
    """Extended attributes that the file had that was there before."""


@dataclass(frozen=True)
class Adopted:
    """A change that somebody made by hand and that was accepted."""

    declared: Node
    """What the definition said then: when it says something else, it is obeyed again."""
    node: Node
    """What is accepted in its place; content is kept."""


@dataclass(frozen=True)
class Edited:
    """A file that we share with others, as it was before we first changed it, and as we left it."""

    before: Node
    after: Node


@dataclass(frozen=True)
class AccountLines:
    """An account's lines in passwd(5) and shadow(5), by field."""

    passwd: tuple[str, ...]
    shadow: tuple[str, ...] = ()
    """Nothing: it had none."""


@dataclass(frozen=True)
class AccountRecord:
    """A user that was declared at some time. Ids are never given to another name, even after it is gone."""

    uid: int
    gid: int
    made: bool
    """We created the account; it was not there before."""
    password: bool = False
    """The password is ours to take away again."""
    ours: tuple[str, ...] = ()
    """Which of ``comment``, ``group``, ``home`` and ``shell`` the definition said; the others are left to the person."""
    before: AccountLines | None = None
    """What was found, where we did not create the account; None is also what an account of ours has."""
    locked: AccountLines | None = None
    """As it was when it was locked because nobody declares it any more; it gets that back when it is declared again."""
    listed: tuple[str, ...] = ()
    """Groups that named the account already before it was created."""
    subids: bool = False
    """Its lines in subuid(5) and subgid(5) are ours."""
    home: str = ""
    """Where we made the home of an account that was there before us: with nothing of its owner's in it, it goes again."""


@dataclass(frozen=True)
class State:
    version: int
    """:data:`STATE_VERSION` of whoever wrote it; always present, so that a reader can refuse early."""
    generation: int
    manifest: Digest
    """Digest of the generation's manifest."""
    paths: Mapping[str, Managed] = field(default_factory=lambda: {})
    parents: tuple[str, ...] = ()
    """Directories made only because something of ours is in them."""
    users: Mapping[str, AccountRecord] = field(default_factory=lambda: {})
    groups: Mapping[str, int] = field(default_factory=lambda: {})
    """Groups we made, with their ids."""
    kept_groups: tuple[str, ...] = ()
    """Those of them that nobody declares any more, and that stay because something still belongs to them."""
    memberships: tuple[str, ...] = ()
    """``GROUP:USER`` that we added."""
    hosts_line: str | None = None
    """Our line of /etc/hosts."""
    holds: tuple[str, ...] = ()
    """Packages whose hold mark is ours."""
    active: bool = True
    """False when everything was given back: what is left is what must never be forgotten, such as ids."""
    transaction: str = ""
    """The run that left this state on a live machine: a change of packages is finished when the state names its run."""
    adopted: Mapping[str, Adopted] = field(default_factory=lambda: {})
    edited: Mapping[str, Edited] = field(default_factory=lambda: {})
    """Shared files, as long as nobody else has changed them since."""
    state_version: int = 0
    """The highest that a generation here had."""
    packages: PackageState = field(default_factory=PackageState)
    sysctl: Mapping[str, str] = field(default_factory=lambda: {})
    """Kernel parameters of ours, with the values that they had before us."""
    tasks: Mapping[str, Task] = field(default_factory=lambda: {})
    """Tasks that have run."""
    tmpfiles: Mapping[str, str] = field(default_factory=lambda: {})
    """Paths that rules of ours made: with the content of files and the target of links, see :mod:`holdfast.host.files.tmpfiles`."""
    built: bool = False
    """The system was made by a build of ours; it was not there before its first generation."""


def current_generation(state: State | None) -> int | None:
    """The generation that a machine with this state is at; None where nothing is managed."""
    return state.generation if state is not None and state.active else None


def write_state(state: State) -> bytes:
    return canonical_json(state)


@lru_cache(maxsize=2)  # a command reads it more than once, and a large one takes a tenth of a second
def read_state(data: bytes) -> State:
    """Parse what :func:`write_state` wrote.

    Raises:
        HoldfastError: it is damaged, or a newer Holdfast wrote it.
    """
    try:
        document: object = json.loads(data)
    except ValueError as error:
        raise DecodeError(
            f"{STATE} is not valid JSON: {error}",
            resolution="Holdfast writes it whole or not at all: something else damaged it. Restore it from a backup.",
        ) from None
    version = _version(document)
    if isinstance(version, int) and version > STATE_VERSION:
        raise HoldfastError(
            f"{STATE} has version {version}; this holdfast reads up to {STATE_VERSION}",
            resolution="Upgrade the Holdfast that you run: a newer one has managed this machine.",
        )
    return decode(State, document, what=STATE)


def _version(document: object) -> object:
    return cast("dict[object, object]", document).get("version") if isinstance(document, dict) else None
