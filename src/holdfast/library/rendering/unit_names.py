"""Names of systemd units: validity, suffixes and the escaping of paths (systemd.unit(5), systemd-escape(1))."""

from __future__ import annotations

import re

SUFFIXES = (
    "service",
    "socket",
    "timer",
    "path",
    "target",
    "mount",
    "automount",
    "slice",
    "swap",
    "device",
    "scope",
)
_VALID = r"[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]*)?"
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_.")
_MAX_LENGTH = 255


def escape(text: str) -> str:
    """What ``systemd-escape TEXT`` prints: any string as part of a unit name."""
    data = text.encode()
    parts = [_escape_byte(byte) for byte in data]
    if parts and data[0] == ord("."):
        parts[0] = r"\x2e"
    return "".join(parts)


def _escape_byte(byte: int) -> str:
    if byte == ord("/"):
        return "-"
    return chr(byte) if byte in _PLAIN else f"\\x{byte:02x}"


def escape_path(path: str) -> str:
    """What ``systemd-escape --path PATH`` prints for an absolute, normalised path: ``/srv/my-data`` is ``srv-my\\x2ddata``."""
    return "-" if path == "/" else escape(path.strip("/"))


def unit_name(name: str, suffix: str) -> str:
    """The full unit name of ``name`` (without its suffix) as a unit of that kind.

    Raises:
        ValueError: systemd would not accept it, or it already carries a suffix.
    """
    stem, _, last = name.rpartition(".")
    if stem and last in SUFFIXES:
        remedy = f"write {stem!r}" if last == suffix else f"it names a .{last} unit"
        raise ValueError(f"{name!r} must be written without a suffix here: {remedy}")
    return check_unit_name(f"{name}.{suffix}")


def check_unit_name(full: str) -> str:
    """``full`` itself, when systemd accepts it as the name of a unit with its suffix.

    Raises:
        ValueError: it does not; the message says why.
    """
    stem, _, suffix = full.rpartition(".")
    if suffix not in SUFFIXES:
        raise ValueError(f"{full!r} is not a unit name: it lacks a suffix such as .service or .timer")
    if not re.fullmatch(_VALID, stem):
        raise ValueError(
            f"{full!r} is not a unit name: letters, digits and : _ . - are allowed, and one @; "
            f"systemd-escape would write {escape(stem)}.{suffix}"
        )
    if len(full) > _MAX_LENGTH:
        raise ValueError(f"the unit name {full[:40]!r}... is longer than {_MAX_LENGTH} characters")
    return full
