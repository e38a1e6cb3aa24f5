"""Activation on a root file system that is not running: an image under construction, a mounted disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from holdfast.base.digests import Digest
from holdfast.base.errors import explain_os_errors
from holdfast.base.records import dataclass
from holdfast.host.accounts.ids import Ids
from holdfast.host.files.apply import apply_plan
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.planning.facts import read_facts, read_recorded_state
from holdfast.host.planning.plan import Plan, make_plan
from holdfast.manifest.model import Manifest


@dataclass(frozen=True)
class Activation:
    plan: Plan
    """What was done; no actions when nothing had to be."""

    @property
    def ids(self) -> Ids:
        """Ids that declared accounts have now; recorded in a lock, the next system gives them the same ones."""
        state = self.plan.state
        return Ids(
            {name: record.uid for name, record in state.users.items() if record.made}, dict(state.groups)
        )


def activate(
    manifest: Manifest,
    root: Path,
    *,
    blobs: Callable[[Digest], BinaryIO],
    ids: Ids | None = None,
    epoch: int,
) -> Activation:
    """Make ``manifest`` true below ``root``. Links in ``root`` are resolved as chroot(2) would; none leads out of it.

    ``blobs`` opens the content of :class:`~holdfast.manifest.model.BlobFile` entries. ``epoch`` (seconds since 1970) is the
    only time that gets into files, so that the same input gives the same tree.

    Raises:
        HoldfastError: the manifest cannot be made true there, and nothing was changed; or an input or output error, and the
            root is to be thrown away.
    """
    with explain_os_errors(f"open the root {root}"):
        directory = RootDirectory(root)
    with directory:
        state = read_recorded_state(directory)
        pinned = ids or Ids()
        facts = read_facts(directory, manifest, state, ids=pinned, epoch=epoch)
        plan = make_plan(facts, state, manifest, ids=pinned, epoch=epoch)
        apply_plan(directory, plan, blobs=blobs)
    return Activation(plan)
