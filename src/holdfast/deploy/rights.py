"""Root's rights at the other end: how a command gets them, without a password in any command line, environment or log (pure)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import field
from typing import Literal

from holdfast.base.records import dataclass

_SKIP_TO_MARKER = (
    'marker=$1; shift; while IFS= read -r line; do [ "$line" = "$marker" ] && break; done; exec "$@"'
)
"""sudo(8) reads a password from stdin only if it needs one. Whoever comes after it must find its own input in either case."""


@dataclass(frozen=True)
class Rights:
    """What has to be done to be root."""

    way: Literal["none", "sudo", "password", "terminal"] = "none"
    """``none``: it is root already. ``sudo``: no password is asked. ``password``: it is sent. ``terminal``: sudo asks the person."""
    password: str = field(default="", repr=False)
    tried: bool = True
    """The password is known to be right. Until then nothing follows it: sudo would take that for another try, and accounts are
    locked after a few (pam_faillock(8))."""


def with_rights(words: Sequence[str], rights: Rights) -> tuple[list[str], bytes]:
    """The command that runs ``words`` as root, and what has to come first on its stdin. With rights that are not ``tried`` yet
    the command may read nothing from there.
    """
    if rights.way == "none":
        return list(words), b""
    if rights.way == "sudo":
        return ["sudo", "-n", "--", *words], b""
    if rights.way == "terminal":
        return ["sudo", "--", *words], b""
    if not rights.tried:
        return ["sudo", "-S", "-p", "", "--", *words], f"{rights.password}\n".encode()
    marker = secrets.token_hex(16)
    argv = ["sudo", "-S", "-p", "", "--", "sh", "-c", _SKIP_TO_MARKER, "sh", marker, *words]
    return argv, f"{rights.password}\n{marker}\n".encode()
