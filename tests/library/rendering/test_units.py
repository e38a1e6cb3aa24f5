from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.library.rendering.units import environment_line, merge_sections, plain_text, render_unit
from tests.examples import at_most
from tests.library.rendering.systemd_model import expand_specifiers, split_words


def test_golden() -> None:
    text = render_unit(
        [
            ("Unit", [("Description", plain_text("Serves 100% of it")), ("After", "a.service b.service")]),
            ("Empty", []),
            (
                "Service",
                [
                    ("PrivateTmp", True),
                    ("Nice", 5),
                    ("ExecStart", ["", "/bin/a", "/bin/b"]),
                    ("RemainAfterExit", False),
                ],
            ),
        ]
    )
    assert text == (
        "[Unit]\nDescription=Serves 100%% of it\nAfter=a.service b.service\n"
        "\n[Service]\nPrivateTmp=yes\nNice=5\nExecStart=\nExecStart=/bin/a\nExecStart=/bin/b\nRemainAfterExit=no\n"
    )


@at_most(60)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
def test_environment_values_come_back(value: str) -> None:
    (word,) = split_words(environment_line("NAME", value), semicolons=False)
    assert expand_specifiers(word) == f"NAME={value}"


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("Service", "Exec Start", "x", "'Exec Start' in \\[Service\\] is not the name of a setting"),
        ("Ser]vice", "X", "x", "not the name of a section"),
        ("Service", "X", "a\nY=b", "X= in \\[Service\\] contains a line break"),
        ("Service", "X", "a\\", "ends in a backslash"),
    ],
)
def test_what_would_break_the_file_up_is_refused(section: str, key: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_unit([(section, [(key, value)])])


def test_environment_names_are_checked() -> None:
    with pytest.raises(ValueError, match="'A-B' is not the name"):
        environment_line("A-B", "x")


def test_freeform_settings_follow_the_typed_ones_by_name() -> None:
    merged = merge_sections(
        [("Unit", [("Description", "d")]), ("Service", [("Type", "simple")])],
        {"X-Mine": {"A": 1}, "Service": {"Nice": 5, "CPUQuota": "10%"}},
    )
    assert merged == [
        ("Unit", [("Description", "d")]),
        ("Service", [("Type", "simple"), ("CPUQuota", "10%"), ("Nice", 5)]),
        ("X-Mine", [("A", 1)]),
    ]


def test_a_setting_given_both_ways_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r'Type= is set by its own option and by section\["Service"\]\["Type"\]'
    ):
        merge_sections([("Service", [("Type", "simple")])], {"Service": {"Type": "oneshot"}})
