"""Content of configuration files computed from plain data: JSON, INI, TOML and KEY=value, always the same bytes for equal data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Union

Scalar = Union[None, bool, int, float, str]
Data = Union[Scalar, Sequence["Data"], Mapping[str, "Data"]]

_BARE_KEY = r"[A-Za-z0-9_-]+"


def to_json(value: Data) -> str:
    """JSON, keys sorted, indented by two, with a final newline."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_ini(sections: Mapping[str, Mapping[str, Scalar | Sequence[Scalar]]]) -> str:
    """INI: sections and keys sorted; a list is the key once per item. Settings of the section "" stand before all others.

    Raises:
        ValueError: a name or value that would break the lines up.
    """
    blocks: list[str] = []
    for name in sorted(sections):
        if "]" in name:
            raise ValueError(f"INI cannot hold the section {name!r}: its name would end at the bracket")
        lines = [f"[{_one_line(name)}]"] if name else []
        for key in sorted(sections[name]):
            value = sections[name][key]
            if key[:1] in ("[", "#", ";", "") or "=" in key:
                raise ValueError(f"INI cannot hold the key {key!r}: it reads as something else")
            items = [value] if value is None or isinstance(value, (bool, int, float, str)) else value
            lines += [f"{_one_line(key)}={_one_line(_ini_scalar(item))}" for item in items]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _ini_scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def to_key_value(values: Mapping[str, Scalar]) -> str:
    """Shell-like assignments, as in ``/etc/default``: keys sorted, values in double quotes where they need them.

    Raises:
        ValueError: a value with a line break, or no name of a variable.
    """
    lines: list[str] = []
    for key in sorted(values):
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise ValueError(f"{key!r} is not the name of a variable")
        text = _one_line(_ini_scalar(values[key]))
        if not re.fullmatch(r"[A-Za-z0-9_@%+:,./-]*", text):
            text = '"' + re.sub(r'(["\\$`])', r"\\\1", text) + '"'
        lines.append(f"{key}={text}\n")
    return "".join(lines)


def to_toml(table: Mapping[str, Data]) -> str:
    """TOML 1.0, keys sorted, plain values of each table before its subtables.

    Raises:
        ValueError: None, which TOML cannot say.
    """
    return "\n".join(_toml_table(table, ())) + "\n" if table else ""


def _toml_table(table: Mapping[str, Data], path: tuple[str, ...]) -> list[str]:
    lines: list[str] = []
    for key in sorted(table):
        value = table[key]
        if not isinstance(value, Mapping) and not _is_table_array(value):
            lines.append(f"{_toml_key(key)} = {_toml_value(value, (*path, key))}")
    for key in sorted(table):
        value = table[key]
        here = (*path, key)
        header = ".".join(map(_toml_key, here))
        if isinstance(value, Mapping):
            lines += [*([""] if lines else []), f"[{header}]", *_toml_table(value, here)]
        elif _is_table_array(value) and isinstance(value, Sequence):
            for item in value:
                if isinstance(item, Mapping):
                    lines += [*([""] if lines else []), f"[[{header}]]", *_toml_table(item, here)]
    return lines


def _is_table_array(value: Data) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(item, Mapping) for item in value)
    )


def _toml_value(value: Data, path: tuple[str, ...]) -> str:
    if value is None:
        raise ValueError(f"TOML has no null, and {'.'.join(path)} is None: leave it out")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return _toml_string(value)
    if isinstance(value, Mapping):
        pairs = (f"{_toml_key(key)} = {_toml_value(value[key], (*path, key))}" for key in sorted(value))
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    return "[" + ", ".join(_toml_value(item, path) for item in value) + "]"


def _toml_key(key: str) -> str:
    return key if re.fullmatch(_BARE_KEY, key) else _toml_string(key)


def _toml_string(text: str) -> str:
    """A basic string; its escapes are JSON's, but DEL must be escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError(f"{text!r} has a line break, which this format cannot hold")
    return text
