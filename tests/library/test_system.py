from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.library import Debian, System, Ubuntu
from holdfast.manifest.model import Distribution, Source

TRIXIE = Debian("trixie")


def test_debian_is_data() -> None:
    source = Source("internal", "trixie", ("main",))
    assert Debian(
        "sid", mirror="https://mirror.example.org/debian", architecture="arm64", sources=[source]
    ) == Distribution("debian", "sid", "arm64", (source,), "https://mirror.example.org/debian")


def test_a_system_holds_what_it_was_given() -> None:
    system = System("web", modules=[], distro=TRIXIE, target="root@web1", tags={"web", "prod"})
    assert (system.name, system.modules, system.distro, system.target) == ("web", (), TRIXIE, "root@web1")
    assert system.tags == frozenset({"web", "prod"})
    assert System("web", modules=[], distro=TRIXIE, target="ssh://root@web1:2222").target is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "a b"}, "'a b' is not the name of a system"),
        ({"name": "-x"}, "'-x' is not the name"),
        ({"name": 3}, "3 is not the name"),
        ({"distro": "trixie"}, r'Write distro=Debian\("trixie"\)'),
        ({"tags": "web"}, r"Write tags=\{'web'\}"),
        ({"tags": ["a b"]}, "'a b' is not the tag"),
        ({"modules": len}, r"Write modules=\[...\]"),
        ({"target": "root@"}, "is not the target"),
        ({"target": "-oProxyCommand=x"}, "is not the target"),
        ({"target": "root@-oProxyCommand"}, "is not the target"),
    ],
)
def test_mistakes_say_what_to_write(arguments: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"name": "web", "modules": [], "distro": TRIXIE, **arguments}
    name = given.pop("name")
    with pytest.raises(HoldfastError, match=message):
        System(name, **given)


@pytest.mark.parametrize("release", ["", "Trixie", "debian 13", "../x"])
def test_a_release_is_a_code_name(release: str) -> None:
    with pytest.raises(HoldfastError, match="not the code name of a release of Debian"):
        Debian(release)


def test_ubuntu_is_of_the_same_family() -> None:
    assert Ubuntu("noble", architecture="arm64") == Distribution("debian", "noble", "arm64")


@pytest.mark.parametrize(
    ("make", "release", "advice"),
    [
        (Debian, "trixy", 'Debian("trixie")'),
        (Debian, "Trixie", 'Debian("trixie")'),
        (Debian, "noble", 'Ubuntu("noble")'),
        (Ubuntu, "trixie", 'Debian("trixie")'),
        (Ubuntu, "nobel", 'Ubuntu("noble")'),
        (Ubuntu, "24.04", 'Ubuntu("noble")'),
    ],
)
def test_a_misspelled_release_is_told_at_once(
    make: Callable[[str], Distribution], release: str, advice: str
) -> None:
    with pytest.raises(HoldfastError) as caught:
        make(release)
    assert caught.value.resolution == f"Write {advice}."
