"""One system: its packages as the base layer, its first generation as the layer on top, an image in the store."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from holdfast.base.codec import canonical_json
from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.base.events import stage
from holdfast.build.accounts import known_ids
from holdfast.build.cache import run_layer_step, run_step
from holdfast.build.checks import check_tree
from holdfast.build.layers import collect_layer
from holdfast.build.locales import make_locale
from holdfast.build.steps import Step, code_digest
from holdfast.distro.family import family
from holdfast.distro.lockfile import Ids as LockedIds
from holdfast.distro.lockfile import PackageSet, request_key
from holdfast.host.accounts.ids import Ids
from holdfast.host.offline import activate
from holdfast.manifest.document import manifest_digest
from holdfast.manifest.model import Manifest
from holdfast.sandbox import Root, overlay
from holdfast.store import Artifact, ImageConfig, Layer, Store

_OURS = ("holdfast.build", "holdfast.host", "holdfast.manifest", "holdfast.store")
_OCI_ARCHITECTURES: Mapping[str, tuple[str, str]] = {
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v5"),
    "i386": ("386", ""),
    "ppc64el": ("ppc64le", ""),
}
"""Where OCI's name (Go's) of an architecture and its variant differ from Debian's."""

_NO_IDS = LockedIds()

LABEL_NAME = "org.holdfast.name"
LABEL_MANIFEST = "org.holdfast.manifest"


def build_system(
    store: Store, manifest: Manifest, package_set: PackageSet, accounts: LockedIds = _NO_IDS
) -> Artifact:
    """Build ``manifest`` from the packages of its lock: an OCI image of a bootable system.

    ``accounts`` are the locked ids of accounts that the manifest declares. A function of its arguments: any store gives the same identity. What was built before is taken from the cache.
    Blobs that the manifest names must be in the store.

    Raises:
        HoldfastError: the packages were locked for another request, cannot be had or configured; the manifest cannot be made
            true on them; a check of the finished tree fails.
    """
    _check_lock(manifest, package_set)
    step = Step(
        "system",
        {
            "manifest": manifest_digest(manifest),
            "packages": package_set.digest,
            "accounts": digest_bytes(canonical_json(accounts)),
        },
        {"holdfast": code_digest(*_OURS)},
    )
    return run_step(store, step, lambda: _build(store, manifest, package_set, accounts))


def _check_lock(manifest: Manifest, package_set: PackageSet) -> None:
    if request_key(manifest.distribution, manifest.packages) != package_set.key:
        raise HoldfastError(
            f"the lock is stale: its packages were chosen for another request than that of {manifest.name!r}",
            resolution="Run `holdfast lock`.",
        )


def _build(store: Store, manifest: Manifest, package_set: PackageSet, accounts: LockedIds) -> Artifact:
    with stage("Preparing the packages") as progress:
        base = family(manifest.distribution).bootstrap(store, package_set)
        progress.note = f"{len(package_set.packages)} packages"
    ids = known_ids(package_set, accounts)
    wanted = manifest.identity.locale or "C"
    locale = make_locale(store, base.layer, wanted, epoch=base.epoch)
    lowers = (base.layer, *((locale,) if locale else ()))
    step = Step(
        "configuration",
        {
            "manifest": manifest_digest(manifest),
            "ids": digest_bytes(canonical_json(ids)),
            "lowers": " ".join(layer.diff_id for layer in lowers),
            "epoch": str(base.epoch),
        },
        {"holdfast": code_digest(*_OURS)},
    )
    configuration = run_layer_step(store, step, lambda: _configure(store, manifest, ids, lowers, base.epoch))
    architecture, variant = _OCI_ARCHITECTURES.get(
        manifest.distribution.architecture, (manifest.distribution.architecture, "")
    )
    config = ImageConfig(
        architecture,
        base.epoch,
        variant=variant,
        labels={LABEL_NAME: manifest.name, LABEL_MANIFEST: manifest_digest(manifest)},
    )
    return store.put_image(config, [*lowers, configuration])


def _configure(store: Store, manifest: Manifest, ids: Ids, lowers: tuple[Layer, ...], epoch: int) -> Layer:
    """The configuration layer: generation 1, activated offline on the packages, then checked by the target's own tools."""
    trees = tuple(store.trees.ensure(layer.diff_id) for layer in lowers)
    with collect_layer(store, trees, epoch=epoch) as work:
        with stage("Activating the configuration") as progress:
            with overlay(Root(trees, upper=work.upper)) as root:
                done = activate(manifest, root, blobs=store.blobs.open, ids=ids, epoch=epoch)
            progress.note = f"{len(done.plan.actions)} changes"
        with ThreadPoolExecutor(1, thread_name_prefix="pack") as pool:
            packed = pool.submit(contextvars.copy_context().run, work.pack, store, epoch)
            check_tree((*trees, work.upper), manifest)
            packed.result()
    return work.layer
