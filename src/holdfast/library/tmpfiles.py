"""Volatile and state directories, their clean-up and permissions: lines of tmpfiles.d(5)."""

from __future__ import annotations

from holdfast.library.types import ACCOUNT, AGE, STRINGS, TMPFILES_MODE
from holdfast.options import STR, Module, OptionSet, attrs_of, implements, null_or, option, submodule


class Rule(OptionSet, path=""):
    """What one type of rule does at one path; None is `-`, the type's own default."""

    mode = option(null_or(TMPFILES_MODE), doc="Permissions, octal.", example="0750")
    user = option(null_or(ACCOUNT), doc="Owner.")
    group = option(null_or(ACCOUNT), doc="Group.")
    age = option(null_or(AGE), doc="Clean up what is older.", example="10d")
    argument = option(
        null_or(STR),
        doc="Content of a file, target of a link, source of a copy. `%` begins a specifier.",
    )


class Tmpfiles(OptionSet, path="tmpfiles"):
    """Rules of tmpfiles.d, applied at boot and at each switch."""

    rules = option(STRINGS, doc="Whole lines.", example=["d /var/lib/demo 0750 demo demo"])
    settings = option(
        attrs_of(attrs_of(submodule(Rule))),
        doc='Rules by path and type: `settings["/var/lib/demo"]["d"].mode = "0750"`. For a rule without any setting write `.add("d")`.',
    )


@implements(Tmpfiles)
def tmpfiles(m: Module) -> None:
    """Nothing to add: the manifest carries the lines."""
