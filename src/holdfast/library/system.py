"""A system: a name, modules that say what it is, and the distribution it is made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from holdfast.base.errors import HoldfastError
from holdfast.manifest.model import Distribution, Source

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from holdfast.options import ModuleLike

# What the tables of holdfast.distro have, which definitions do not import; a test holds the two together.
DEBIAN = ("bookworm", "trixie", "forky", "sid")
UBUNTU = ("jammy", "noble", "plucky", "questing", "resolute")

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
_TARGET = r"(?:ssh://)?(?:[^\s@/-][^\s@/]*@)?[^\s@/-][^\s@/]*"


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
    _check_release("Debian", release, DEBIAN)
    return Distribution("debian", release, architecture, tuple(sources), mirror)


def Ubuntu(
    release: str,
    *,
    mirror: str | None = None,
    architecture: str = "amd64",
    sources: Sequence[Source] = (),
) -> Distribution:
    """Ubuntu of one release: ``jammy``, ``noble``, ``plucky``, ``questing``, ``resolute``.

    The arguments are those of :func:`Debian`, whose family it is.
    """
    _check_release("Ubuntu", release, UBUNTU)
    return Distribution("debian", release, architecture, tuple(sources), mirror)


def _check_release(name: str, release: object, known: tuple[str, ...]) -> None:
    if release in known:
        return
    from difflib import get_close_matches  # only on the way to an error

    other = "Ubuntu" if release in UBUNTU else "Debian" if release in DEBIAN else None
    near = get_close_matches(str(release).lower(), known, n=1)
    advice = f'{other or name}("{release if other else near[0] if near else known[1]}")'
    raise HoldfastError(
        f"{release!r} is not the code name of a release of {name}",
        details=f"Known: {', '.join(known)}.",
        resolution=f"Write {advice}.",
    )


class System:
    """One system of a project: ``System("web", modules=[web], distro=Debian("trixie"))``.

    ``name`` selects it on the command line and is the host name unless `Identity` says another. ``modules`` are functions
    that take a ``Module``. ``target`` is ``USER@HOST`` or ``ssh://USER@HOST:PORT`` to deploy to. ``tags`` select several systems: ``tag:web``.
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
        self.target = (
            target
            if target is None
            else _check(target, _TARGET, "target", "USER@HOST or ssh://USER@HOST:PORT")
        )
        self.tags = frozenset(_check(tag, _NAME, "tag", "letters, digits, . _ and -") for tag in tags)

    def __repr__(self) -> str:
        return f"System({self.name!r})"


def _check(value: object, pattern: str, what: str, allowed: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise HoldfastError(f"{value!r} is not the {what} of a system", resolution=f"Write {allowed}.")
    return value
