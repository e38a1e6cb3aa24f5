"""What the kernel is told at boot: lines of sysctl.d(5) and modprobe.d(5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Union

Scalar = Union[bool, int, str]

_PART = r"[A-Za-z0-9_@:/+-]+"
_NAME = rf"[A-Za-z0-9_-]+(?:\.{_PART})+"
_MODULE = r"[A-Za-z0-9_][A-Za-z0-9_-]*"


def check_sysctl_name(name: str) -> str:
    """``name`` when it names one kernel parameter, with dots between its parts.

    Raises:
        ValueError: it does not; the message says what to write.
    """
    if re.fullmatch(_NAME, name):
        return name
    if "/" in name and "." not in name:
        dotted = name.removeprefix("/proc/sys/").replace("/", ".")
        raise ValueError(f"{name!r} has slashes between its parts: write {dotted!r}")
    if "*" in name or "?" in name:
        raise ValueError(f"{name!r} is a pattern: name each parameter by itself, or the one called `all`")
    raise ValueError(f"{name!r} is not the name of a kernel parameter, such as net.ipv4.ip_forward")


def check_module(name: str) -> str:
    """``name`` when it can name a kernel module.

    Raises:
        ValueError: it cannot.
    """
    if not re.fullmatch(_MODULE, name):
        raise ValueError(
            f"{name!r} is not the name of a kernel module, such as br_netfilter: no .ko, no path"
        )
    return name


def same_module(name: str) -> str:
    """The kernel takes ``-`` and ``_`` in names of modules for one character."""
    return name.replace("-", "_")


def plain_value(value: Scalar) -> str:
    """The value as the kernel reads it.

    Raises:
        ValueError: it is more than one line, or nothing at all.
    """
    text = str(int(value)) if isinstance(value, bool) else str(value)
    if any(char in text for char in "\n\r\0"):
        raise ValueError(f"the value {text!r} is more than one line")
    if text != text.strip() or not text:
        raise ValueError(f"the value {text!r} is empty, or begins or ends with a space")
    return text


def render_sysctl(parameters: Mapping[str, str]) -> str:
    """The file for systemd-sysctl, by name."""
    return "".join(f"{name} = {parameters[name]}\n" for name in sorted(parameters))


def render_modprobe(
    blacklist: Iterable[str], options: Mapping[str, Mapping[str, Scalar]], extra: str = ""
) -> str:
    """The file for modprobe.

    Raises:
        ValueError: a module or parameter that modprobe could not read; the message names it.
    """
    lines = [f"blacklist {name}" for name in sorted(blacklist)]
    for module in sorted(options):
        check_module(module)
        words = [_option(name, options[module][name]) for name in sorted(options[module])]
        if words:
            lines.append(" ".join(["options", module, *words]))
    text = "".join(f"{line}\n" for line in lines)
    extra = extra.strip("\n")
    return f"{text}{extra}\n" if extra.strip() else text


def _option(name: str, value: Scalar) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ValueError(f"{name!r} is not the name of a module's parameter")
    text = plain_value(value)
    if '"' in text or "\\" in text:
        raise ValueError(
            f"the parameter {name} is {text!r}: modprobe.d(5) can hold neither quotes nor backslashes"
        )
    # Quotes reach the kernel, which reads what is between them as one value.
    return f'{name}="{text}"' if re.search(r"\s", text) else f"{name}={text}"
