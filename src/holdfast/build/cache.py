"""Steps whose result is in the store already are not done again."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.base.codec import canonical_json
from holdfast.build.steps import Step
from holdfast.store import Artifact, Layer, Store

_LAYER = "application/vnd.holdfast.step.v1"


def run_step(store: Store, step: Step, make: Callable[[], Artifact]) -> Artifact:
    """The step's artifact: from the cache, else made by ``make`` and remembered."""
    known = store.cache.get(step.key)
    if known is not None:
        return store.artifact(known)
    artifact = make()
    store.cache.put(step.key, artifact.manifest)
    return artifact


def run_layer_step(store: Store, step: Step, make: Callable[[], Layer]) -> Layer:
    """:func:`run_step` for a step that makes one layer. The step itself is the artifact's configuration."""

    def keep() -> Artifact:
        return store.put_artifact(_LAYER, canonical_json(step), f"{_LAYER}+json", [make()])

    (layer,) = run_step(store, step, keep).layers
    return layer
