"""The script that makes security wrappers: all or none, by one rename of a link."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from holdfast.base.records import dataclass
from holdfast.library.rendering.shell import quote


@dataclass(frozen=True)
class Wrapper:
    """One program: where it comes from and what it may."""

    name: str
    source: str
    owner: str = "root"
    group: str = "root"
    mode: str = "0755"
    capabilities: Sequence[str] = ()


def check_wrapper(wrapper: Wrapper) -> None:
    """Raises ValueError for a name that is no file's, or a wrapper that gives no rights."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", wrapper.name):
        raise ValueError(f"{wrapper.name!r} is not the name of a program")
    if wrapper.mode[0] == "0" and not wrapper.capabilities:
        raise ValueError("it gives no rights: set setuid, setgid or capabilities")


def render_wrappers(place: str, wrappers: Iterable[Wrapper]) -> str:
    """Commands for /bin/sh -e. ``place`` is a file system of their own; ``bin`` in it is what people see."""
    lines = [
        f"cd {quote(place)}",
        # Nobody can reach into it while a program in it lacks its owner or has rights it shall not have.
        "new=$(mktemp -d wrappers.XXXXXXXX)",
    ]
    for one in wrappers:
        target = f'"$new"/{one.name}'
        # install(1) sets the mode last: a change of owner would take the setuid bit away.
        lines.append(
            f"install --owner={quote(one.owner)} --group={quote(one.group)} --mode={one.mode} --no-target-directory "
            f"-- {quote(one.source)} {target}"
        )
        if one.capabilities:
            lines.append(f"setcap {quote(','.join(sorted(one.capabilities)) + '+ep')} {target}")
    lines += [
        'chmod 0755 "$new"',
        'ln -s "$new" "$new.link"',
        'mv --no-target-directory "$new.link" bin',
        "for old in wrappers.*; do",
        '    [ "$old" = "$new" ] || rm -r -- "$old"',
        "done",
    ]
    return "".join(f"{line}\n" for line in lines)
