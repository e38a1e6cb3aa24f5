from __future__ import annotations

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.distro.family import family
from holdfast.manifest.model import Distribution


def test_debian_is_known() -> None:
    assert family(Distribution("debian", "trixie", "amd64")).releases() == (
        "bookworm",
        "trixie",
        "forky",
        "sid",
    )


def test_an_unknown_family_names_the_nearest_and_all() -> None:
    with pytest.raises(HoldfastError) as caught:
        family(Distribution("debain", "trixie", "amd64"))
    assert caught.value.brief == "unknown distribution family 'debain'; did you mean 'debian'?"
    assert caught.value.resolution == "Known: debian."
