"""What the kernel is told: planned by tables, done on a tree that stands for /proc/sys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.host import settings
from holdfast.host.live import Live, open_live
from holdfast.host.steps import CreateTmpfiles, LoadModules, SetSysctl
from tests.host.roots import blobs_of, make_root

FORWARD, RANGE = "net.ipv4.ip_forward", "net.ipv4.ip_local_port_range"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    root = make_root(
        tmp_path / "root",
        {
            "proc/sys/net/ipv4/ip_forward": "0\n",
            "proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
            "proc/sys/net/ipv4/conf/eth0.100/forwarding": "0\n",
            "proc/modules": "nf_tables 1 2 - Live 0x0\nsnd_pcm 1 2 - Live 0x0\n",
        },
    )
    with open_live(root, blobs=blobs_of()) as opened:
        yield replace(opened, running=True)


Values = Mapping[str, str]


@pytest.mark.parametrize(
    ("wanted", "given", "found", "values", "ours"),
    [
        ({}, {}, {}, None, {}),
        ({FORWARD: "1"}, {}, {FORWARD: "0"}, {FORWARD: "1"}, {FORWARD: "0"}),
        ({FORWARD: "1"}, {FORWARD: "0"}, {FORWARD: "1"}, None, {FORWARD: "0"}),  # as it is: nothing to do, nothing forgotten
        ({FORWARD: "2"}, {FORWARD: "0"}, {FORWARD: "1"}, {FORWARD: "2"}, {FORWARD: "0"}),  # what was before us stays known
        ({RANGE: "32768 60999"}, {}, {RANGE: "32768\t60999"}, None, {RANGE: "32768\t60999"}),  # only spaces differ
        ({}, {FORWARD: "0"}, {FORWARD: "1"}, {FORWARD: "0"}, {}),  # dropped: as it was
        ({}, {FORWARD: "0"}, {FORWARD: None}, None, {}),  # dropped, and the kernel has it no more
        ({}, {FORWARD: ""}, {FORWARD: "1"}, None, {}),  # dropped: it came with a module of ours, and was nothing before
        ({FORWARD: "1"}, {}, {FORWARD: None}, {FORWARD: "1"}, {FORWARD: ""}),  # unknown: the kernel says no when it is set
    ],
)  # fmt: skip
def test_which_parameters_are_set(
    wanted: Values, given: Values, found: Mapping[str, str | None], values: Values | None, ours: Values
) -> None:
    step, recorded = settings.plan_sysctl(wanted, given, found)
    assert (step.values if step else None) == values and recorded == ours
    if step:
        assert step.before == {name: found.get(name) or "" for name in step.values}


def test_parameters_are_read_set_and_put_back(live: Live) -> None:
    names = [FORWARD, RANGE, "net.ipv4.conf.eth0/100.forwarding", "net/ipv4/ip_forward", "no.such"]
    assert settings.read_sysctl(names, live) == {
        FORWARD: "0",
        RANGE: "32768\t60999",
        "net.ipv4.conf.eth0/100.forwarding": "0",
        "net/ipv4/ip_forward": "0",
        "no.such": None,
    }
    step = SetSysctl({FORWARD: "1"}, {FORWARD: "0"})
    settings.do(step, live)
    assert (live.path / "proc/sys/net/ipv4/ip_forward").read_text() == "1\n"
    settings.undo(step, live)
    assert (live.path / "proc/sys/net/ipv4/ip_forward").read_text() == "0\n"
    with pytest.raises(HoldfastError) as caught:
        settings.do(SetSysctl({"no.such": "1", "net.none.deep": "2", FORWARD: "1"}, {}), live)
    assert caught.value.details.splitlines() == [
        "net.none.deep: this kernel has no such parameter",
        "no.such: this kernel has no such parameter",
    ]
    assert (live.path / "proc/sys/net/ipv4/ip_forward").read_text() == "1\n", "the others are set"
    settings.undo(SetSysctl({"no.such": "1"}, {"no.such": ""}), live)  # what was not there is not set


def test_a_parameter_that_is_gone_needs_no_taking_back(live: Live) -> None:
    gone = "net.ipv4.conf.eth1.forwarding"
    settings.undo(SetSysctl({gone: "1", FORWARD: "1"}, {gone: "0", FORWARD: "2"}), live)
    assert (live.path / "proc/sys/net/ipv4/ip_forward").read_text() == "2\n"


def test_only_missing_modules_are_loaded(live: Live) -> None:
    loaded = settings.read_modules(live)
    assert loaded == {"nf_tables", "snd_pcm"}
    assert settings.plan_modules(["nf-tables", "snd_pcm"], loaded) is None
    assert settings.plan_modules(["wireguard", "nf_tables"], loaded) == LoadModules(("wireguard",))
    (live.path / "proc/modules").unlink()
    assert settings.read_modules(live) == frozenset()


def test_what_rules_have_made_goes_back_unless_it_was_filled(live: Live) -> None:
    made = {"/srv/empty": "", "/srv/full": "", "/srv/full/inner": ""}
    for path in made:
        (live.path / path[1:]).mkdir(parents=True)
    (live.path / "srv/full/precious").write_text("x")
    settings.do(CreateTmpfiles("do", made), live)  # there is no file of ours: nothing to run
    settings.do(CreateTmpfiles("undo"), live)
    before = sorted(path.name for path in (live.path / "srv").rglob("*"))
    settings.undo(CreateTmpfiles("undo"), live)
    assert sorted(path.name for path in (live.path / "srv").rglob("*")) == before


def test_the_kernel_of_another_machine_is_left_alone(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*argv: object, **_more: object) -> None:
        raise AssertionError(argv)

    monkeypatch.setattr(process, "run", refuse)
    still = replace(live, running=False)
    (live.path / "etc/tmpfiles.d").mkdir()
    (live.path / "etc/tmpfiles.d/holdfast.conf").write_text("d /srv/x\n")
    for step in (
        SetSysctl({FORWARD: "1"}, {FORWARD: "7"}),
        LoadModules(("wireguard",)),
        CreateTmpfiles("undo"),
    ):
        settings.undo(step, still)
    assert (live.path / "proc/sys/net/ipv4/ip_forward").read_text() == "0\n"
    with pytest.raises(AssertionError):
        settings.undo(LoadModules(("wireguard",)), live)
