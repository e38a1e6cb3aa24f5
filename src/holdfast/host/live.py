"""The machine that a change is carried out on: its root, its systemd if one runs, and where content comes from."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.base.errors import explain_os_errors
from holdfast.base.records import dataclass
from holdfast.host.files.content import Blobs as Blobs
from holdfast.host.files.rooted import RootDirectory

if TYPE_CHECKING:
    from holdfast.host.units.systemd import Systemd


def _nothing(_where: str) -> None:
    return


@dataclass
class Live:
    """One machine, for the length of one command."""

    root: RootDirectory
    path: Path
    """Where the root is: ``/``, or the directory given with ``--root``."""
    systemd: Systemd | None
    """None where none runs: below ``--root``, in a chroot, in a container without one. Steps that need it do not exist then."""
    blobs: Blobs
    running: bool = False
    """It is the machine itself, where other programs change things at the same time."""
    checkpoint: Callable[[str], None] = _nothing
    """Called wherever a crash leaves something else behind than elsewhere: tests crash there."""

    def reconnect(self) -> None:
        """Talk to systemd anew: it drops its connections when it reads itself anew, as changed packages may make it do."""
        if self.systemd is not None:
            self.systemd = _systemd()


@contextmanager
def open_live(path: Path = Path("/"), *, blobs: Blobs) -> Generator[Live]:
    """Open the machine itself (``/``), or a root that does not run.

    Raises:
        HoldfastError: it cannot be opened, or a systemd runs it that cannot be asked.
    """
    with explain_os_errors(f"open the root {path}"):
        root = RootDirectory(path)
    with root:
        running = path.samefile("/")
        yield Live(root, path, _systemd() if running else None, blobs, running)


def _systemd() -> Systemd | None:
    if not os.path.isdir("/run/systemd/system"):  # noqa: PTH112  (what sd_booted(3) looks at)
        return None
    from holdfast.host.units.systemd import connect  # only here: it brings D-Bus with it

    return connect()
