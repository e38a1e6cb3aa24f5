from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.build.cache import run_layer_step, run_step
from holdfast.build.steps import Step, code_digest
from holdfast.store import Artifact, ImageConfig, Layer, Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store")


def test_a_key_depends_on_everything_that_decides_the_result() -> None:
    step = Step("configuration", {"a": "1", "b": "2"}, {"holdfast": "x"})
    assert step.key == Step("configuration", {"b": "2", "a": "1"}, {"holdfast": "x"}).key
    others = [
        Step("other", step.inputs, step.tools),
        Step(step.name, {"a": "1"}, step.tools),
        Step(step.name, {"a": "2", "b": "1"}, step.tools),
        Step(step.name, step.inputs, {"holdfast": "y"}),
        Step(step.name, {**step.inputs, **step.tools}),
    ]
    assert len({step.key, *(other.key for other in others)}) == 6
    assert step.key.startswith("configuration-")


def test_code_digest_is_of_the_sources() -> None:
    assert code_digest("holdfast.host", "holdfast.build") == code_digest("holdfast.build", "holdfast.host")
    assert code_digest("holdfast.host") != code_digest("holdfast.build")


def test_a_known_step_is_not_done_again(store: Store) -> None:
    made: list[int] = []

    def make() -> Artifact:
        made.append(1)
        return store.put_image(ImageConfig("amd64", 7), [])

    step = Step("system", {"manifest": "m"})
    assert run_step(store, step, make) == run_step(store, step, make)
    run_step(store, Step("system", {"manifest": "n"}), make)
    assert len(made) == 2


def test_a_failed_step_is_not_remembered(store: Store) -> None:
    def fail() -> Artifact:
        raise HoldfastError("no")

    with pytest.raises(HoldfastError, match="no"):
        run_step(store, Step("system", {}), fail)
    run_step(store, Step("system", {}), lambda: store.put_image(ImageConfig("amd64", 7), []))


def test_a_layer_step_gives_the_layer_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/file").write_text("x")

    def make() -> Layer:
        return store.layers.from_tree(tmp_path / "tree", clamp_mtime=7)

    layer = run_layer_step(store, Step("locale", {}), make)

    def never() -> Layer:
        raise AssertionError("it was made already")

    assert run_layer_step(store, Step("locale", {}), never) == layer
