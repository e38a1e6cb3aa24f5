"""Packages of the distribution, and further repositories to take them from."""

from __future__ import annotations

from holdfast.library.types import PACKAGES, WORDS
from holdfast.options import (
    BOOL,
    LINES,
    LOCAL_FILE,
    STR,
    Module,
    OptionSet,
    attrs_of,
    entry_name,
    implements,
    null_or,
    option,
    submodule,
)


class Repository(OptionSet, path=""):
    """One package repository; the key names its file in /etc/apt/sources.list.d."""

    name = entry_name(doc="Name of the repository: letters, digits, `.`, `_` and `-`.")
    enable = option(BOOL, default=True, doc="False leaves the repository out.")
    uri = option(STR, doc="Base address.", example="https://packages.example.org/debian")
    suites = option(
        WORDS, doc="Suites; one that ends in `/` is a flat repository without components.", example=["trixie"]
    )
    components = option(WORDS, doc="Components of the suites.", example=["main"])
    key = option(
        null_or(LINES),
        doc="ASCII-armoured OpenPGP keys that may sign it. None (and no `key_file`) means the distribution's own keyring.",
    )
    key_file = option(
        null_or(LOCAL_FILE),
        doc="File beside the definition that holds `key`.",
        example="keys/example.asc",
    )
    check_valid_until = option(BOOL, default=True, doc="False accepts an index whose validity has run out.")


class Packages(OptionSet, path="packages"):
    """What is installed, through the distribution's package manager; which versions is the lock's matter."""

    install = option(PACKAGES, doc="Packages to have.", example=["curl", "htop"])
    remove = option(
        PACKAGES,
        doc="Packages not to have, even if the distribution installs them by itself.",
        example=["nano"],
    )
    hold = option(PACKAGES, doc="Packages that upgrades made on the machine leave alone.")
    recommends = option(BOOL, default=False, doc="Install what packages merely recommend, too.")
    repositories = option(attrs_of(submodule(Repository)), doc="Further repositories, by name.")


@implements(Packages)
def packages(m: Module) -> None:
    """Nothing to add: the manifest carries packages as they are."""
