"""A layer from what happens on top of other layers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

from holdfast.base.errors import explain_os_errors
from holdfast.base.records import dataclass
from holdfast.store import Layer, Store


@dataclass
class Work:
    upper: Path
    """Changes go here, in overlayfs form; it lies on the store's file system."""
    _layers: list[Layer] = field(default_factory=list[Layer])

    @property
    def layer(self) -> Layer:
        """What came of it; once the body has ended."""
        return self._layers[0]

    def pack(self, store: Store, epoch: int) -> Layer:
        """Make the layer now, while others still read ``upper``. Nothing may change in it from here on."""
        if not self._layers:
            self._layers.append(store.layers.from_overlay_upper(self.upper, clamp_mtime=epoch))
        return self._layers[0]


@contextmanager
def collect_layer(store: Store, lowers: tuple[Path, ...], *, epoch: int) -> Generator[Work]:
    """An empty upper directory for the body; what is in it at the end becomes a layer, with its tree in the store."""
    with store.scratch("layer") as scratch:
        upper = scratch / "upper"
        with explain_os_errors(f"write to the store {store.root}"):
            upper.mkdir()
            # The upper directory is the root directory of what is seen: it must look like the one beneath.
            beneath = lowers[-1].stat()
            os.chown(upper, beneath.st_uid, beneath.st_gid)
            shutil.copystat(lowers[-1], upper)
        work = Work(upper)
        yield work
        layer = work.pack(store, epoch)
        store.trees.adopt(layer.diff_id, upper)
