"""Package relations: ``Depends: a (>= 1), b | c`` (deb-control(5), Debian policy chapter 7), and the order they make."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from holdfast.distro.debian.deb import Unpacked

_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.\-]*)")


def alternatives(field: str) -> list[list[str]]:
    """Names in each comma-separated group of alternatives; versions and architectures left out."""
    groups: list[list[str]] = []
    for group in field.split(","):
        names = [match[1] for part in group.split("|") if (match := _NAME.match(part))]
        if names:
            groups.append(names)
    return groups


def names_in(field: str) -> set[str]:
    """All names that a relation field mentions."""
    return {name for group in alternatives(field) for name in group}


def dependency_order(packages: Sequence[Unpacked]) -> list[Unpacked]:
    """``packages`` so that what a package pre-depends and depends on comes before it, as far as cycles allow.

    A function of the set: the order in which they are given does not matter.
    """
    by_name: dict[str, Unpacked] = {}
    for package in sorted(packages, key=lambda package: package.name):
        by_name.setdefault(package.name, package)
        for provided in sorted(names_in(package.control.get("provides", ""))):
            by_name.setdefault(provided, package)
    for package in packages:
        by_name[package.name] = package
    order: list[Unpacked] = []
    seen: set[str] = set()
    for start in sorted(by_name[name].name for name in {package.name for package in packages}):
        _visit(start, by_name, seen, order)
    return order


def _visit(start: str, by_name: Mapping[str, Unpacked], seen: set[str], order: list[Unpacked]) -> None:
    """Depth first without recursion: chains of dependencies may be longer than Python's stack."""
    if start in seen:
        return
    seen.add(start)
    stack = [(by_name[start], _needs(by_name[start], by_name))]
    while stack:
        package, needs = stack[-1]
        if needs:
            name = needs.pop(0)
            if name not in seen:
                seen.add(name)
                stack.append((by_name[name], _needs(by_name[name], by_name)))
        else:
            order.append(package)
            stack.pop()


def _needs(package: Unpacked, by_name: Mapping[str, Unpacked]) -> list[str]:
    groups = [
        *alternatives(package.control.get("pre-depends", "")),
        *alternatives(package.control.get("depends", "")),
    ]
    return [by_name[name].name for group in groups for name in group if name in by_name]
