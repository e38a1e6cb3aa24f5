"""A system: a name, modules that say what it is, and the distribution it is made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from holdfast.base.errors import HoldfastError
from holdfast.manifest.model import Distribution, Source

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from holdfast.options import ModuleLike

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_TARGET = r"(?:[^\s@/-][^\s@/]*@)?[^\s@/-][^\s@/]*"


def Debian(
    release: str,
    *,
    mirror: str | None = None,
    architecture: str = "amd64",
    sources: Sequence[Source] = (),
) -> Distribution:
    """Debian of one release: ``bookworm``, ``trixie``, ``forky``, ``sid``.

    ``mirror`` is the base address of its main archive; None leaves it to the environment and the machine.
    ``sources`` replace the release's own (main, updates, security).
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]*", release):
        raise HoldfastError(
            f"{release!r} is not the name of a Debian release",
            resolution='Write its code name: Debian("trixie").',
        )
    return Distribution("debian", release, architecture, tuple(sources), mirror)


class System:
    """One system of a project: ``System("web", modules=[web], distro=Debian("trixie"))``.

    ``name`` selects it on the command line and is the host name unless `Identity` says another. ``modules`` are functions
    that take a ``Module``. ``target`` is ``USER@HOST`` to deploy to. ``tags`` select several systems: ``tag:web``.
    """

    __slots__ = ("distro", "modules", "name", "tags", "target")

    def __init__(
        self,
        name: str,
        *,
        modules: Sequence[ModuleLike],
        distro: Distribution,
        target: str | None = None,
        tags: Collection[str] = (),
    ) -> None:
        self.name = _check(name, _NAME, "name", "letters, digits, . _ and -")
        if not isinstance(cast("object", distro), Distribution):
            raise HoldfastError(
                f"system {name!r}: distro is {distro!r}", resolution='Write distro=Debian("trixie").'
            )
        if isinstance(tags, str):
            raise HoldfastError(f"system {name!r}: tags is a string", resolution=f"Write tags={{{tags!r}}}.")
        if callable(modules) or not hasattr(modules, "__iter__"):
            raise HoldfastError(f"system {name!r}: modules is not a list", resolution="Write modules=[...].")
        self.modules = tuple(modules)
        self.distro = distro
        self.target = target if target is None else _check(target, _TARGET, "target", "USER@HOST")
        self.tags = frozenset(_check(tag, _NAME, "tag", "letters, digits, . _ and -") for tag in tags)

    def __repr__(self) -> str:
        return f"System({self.name!r})"


def _check(value: object, pattern: str, what: str, allowed: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise HoldfastError(f"{value!r} is not the {what} of a system", resolution=f"Write {allowed}.")
    return value
