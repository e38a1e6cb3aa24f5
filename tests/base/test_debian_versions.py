from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.debian_versions import older
from holdfast.base.process import run
from tests.examples import at_most

ORDERED = [
    "1.0~beta1~svn1245", "1.0~beta1", "1.0~rc1-1", "1.0", "1.0-0.1", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0-9", "1.0-10",
    "1.0a", "1.0+dfsg-1", "1.0.1", "1.1", "1.10", "2.0", "1:0.1", "2:0.0.1-1",
]  # fmt: skip


def test_the_order_of_policy() -> None:
    for number, left in enumerate(ORDERED):
        for right in ORDERED[number + 1 :]:
            assert older(left, right), (left, right)
            assert not older(right, left), (left, right)
        assert not older(left, left)


def test_zeros_and_missing_revisions_are_equal() -> None:
    for left, right in (("1.0", "1.0-0"), ("0:1", "1"), ("1.02", "1.2"), ("1.", "1.0")):
        assert not older(left, right) and not older(right, left), (left, right)


WORDS = st.text("019az.+~", min_size=0, max_size=5).map("1".__add__)


@at_most(25)
@given(WORDS, WORDS)
def test_dpkg_agrees(left: str, right: str) -> None:
    says = run(["dpkg", "--compare-versions", left, "lt", right], check=False).returncode == 0
    assert older(left, right) == says
