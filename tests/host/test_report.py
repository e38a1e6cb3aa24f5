from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.style import coloured
from holdfast.host.change import Change, FileChange
from holdfast.host.drift import Drift
from holdfast.host.files.actions import PutFile
from holdfast.host.files.nodes import Absent, File, Folder, Node, Symlink
from holdfast.host.generations import Generation
from holdfast.host.operations import Recovered, Status, SwitchResult
from holdfast.host.packages.change import (
    Debris,
    NewConffile,
    PackageAction,
    PackageChange,
    PackageMark,
    PackageResult,
    Stale,
)
from holdfast.host.report import (
    DIFF_LINES,
    change_json,
    render_change,
    render_generations,
    render_result,
    render_status,
)
from holdfast.host.state import AccountLines, AccountRecord, State
from holdfast.host.steps import (
    ChangeFiles,
    Commit,
    DecryptSecret,
    LoadModules,
    ProbeHealth,
    RunHooks,
    RunTasks,
    RunUnits,
    SetSysctl,
    Step,
    UnitJob,
)
from holdfast.host.trial import Trial
from holdfast.manifest.model import CommandProbe, Health, HttpProbe, Task, TcpProbe, UnitProbe

A, B = digest_bytes(b"a"), digest_bytes(b"b")
MOTD = FileChange("/etc/motd", Absent(), File(A), "declared")


def change(*steps: Step, files: tuple[FileChange, ...] = (), **more: object) -> Change:
    base = Change("switch", 3, 4, steps, files, None, None)
    return replace(base, **more)  # type: ignore[arg-type]


def text(value: Change) -> str:
    return "\n".join(render_change(value))


def test_nothing_is_one_sentence() -> None:
    assert render_change(change()) == ["Nothing to change: generation 4 is current."]
    assert render_change(change(generation=None)) == ["Nothing to change."]


def test_what_is_only_recorded_is_one_sentence() -> None:
    said = "Nothing on the machine changes: generation 4 is recorded."
    assert render_change(change(Commit(()))) == [said]


FILES = (
    MOTD,
    FileChange("/etc/old", File(A), Absent(), "no longer declared"),
    FileChange("/etc/a.conf", File(A), File(B), "declared", True, "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n"),
    FileChange("/etc/mode", File(A), File(A, "0600", 1, 2), ""),
    FileChange("/etc/link", File(A), Symlink("target"), "declared"),
    FileChange("/etc/dir", Absent(), Folder(), "declared"),
    FileChange("/etc/key", File(A), File(B, "0400"), "declared", hidden="secret"),
)
STEPS: tuple[Step, ...] = (
    RunHooks((("make", "ready"),), "before"),
    RunUnits((UnitJob("old.service", "stop", "no longer declared"),)),
    RunUnits(undo=(UnitJob("web.service", "restart", "undo"),)),
    ChangeFiles((PutFile("/etc/motd", File(A), Absent(), "declared"),)),
    DecryptSecret("/etc/key", A, "age", ("/etc/id",), "0400", 0, 0),
    LoadModules(("wireguard",)),
    SetSysctl({"net.ipv4.ip_forward": "1"}, {"net.ipv4.ip_forward": "0"}),
    RunUnits((UnitJob("web.service", "restart", "changed"), UnitJob("pod.service", "start", "", "ann"))),
    RunTasks({"index": Task(("index", "a b"), done=("test", "-e", "/x"), user="ann")}, {"gone": Task(("x",), undo=("y",))}),
    ProbeHealth(
        Health({"page": HttpProbe("http://[::1]/"), "db": TcpProbe(5432), "u": UnitProbe("web.service"), "c": CommandProbe(("true",))}, 30),
        (),
    ),
    Commit(()),
)  # fmt: skip


def test_a_whole_plan() -> None:
    assert render_change(change(*STEPS, files=FILES, notes=("ann is locked",), warnings=("beware",))) == [
        "switch: generation 3 -> 4",
        "",
        "Files",
        "  + /etc/motd  (declared)",
        "  - /etc/old  (no longer declared)",
        "  ~ /etc/a.conf  (declared, was changed by hand)",
        "      @@ -1 +1 @@",
        "      -x",
        "      +y",
        "  ~ /etc/mode  (mode 0644 -> 0600, owner 0:0 -> 1:2)",
        "  ~ /etc/link  (declared, link to target)",
        "  + /etc/dir  (declared, directory)",
        "  ~ /etc/key  (declared, mode 0644 -> 0400)",
        "      content changes (secret)",
        "",
        "Secrets",
        "  decrypt /etc/key (age)",
        "",
        "Settings",
        "  load module wireguard",
        "  net.ipv4.ip_forward = 1  (is 0)",
        "",
        "Units",
        "  stop    old.service  (no longer declared)",
        "  restart web.service  (changed)",
        "  start   pod.service of ann",
        "",
        "Commands",
        "  before the switch: make ready",
        "  task index: index 'a b' as ann, unless test -e /x succeeds",
        "  task gone is dropped: y",
        "",
        "Probes",
        "  page: http://[::1]/ answers 200",
        "  db: 127.0.0.1 port 5432 accepts a connection",
        "  u: web.service is active",
        "  c: true succeeds",
        "  all within 30 s, or the change is taken back",
        "",
        "warning: beware",
        "note: ann is locked",
        "",
        "7 files, 3 units",
    ]


def test_differences_are_bounded() -> None:
    long = "".join(f"+line {number}\n" for number in range(DIFF_LINES + 5))
    item = replace(MOTD, before=File(B), diff="--- a\n+++ b\n" + long)
    shown = text(change(Commit(()), files=(item,)))
    assert "+line 59" in shown
    assert "+line 60" not in shown
    assert "... 5 more lines" in shown


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\r", "\x9b1m", "\u202e", "\x07", "a\nb"])
def test_nothing_steers_the_terminal(hostile: str) -> None:
    item = FileChange(f"/etc/{hostile}", File(A), Symlink(hostile), hostile, diff=f"+{hostile}\n")
    steps: tuple[Step, ...] = (
        RunUnits((UnitJob(hostile, "start", hostile, hostile),)),
        SetSysctl({hostile: hostile}, {hostile: hostile}),
        RunTasks({hostile: Task((hostile,), user=hostile)}),
        ProbeHealth(Health({hostile: HttpProbe(hostile, contains=hostile)}), ()),
    )
    value = change(*steps, files=(item,), notes=(hostile,), warnings=(hostile,))
    status = Status(
        1,
        hostile,
        drift=(Drift(hostile, "other", File(A), Symlink(hostile)),),
        adopted=(hostile,),
        interrupted=hostile,
    )
    table = render_generations((Generation(1, A, hostile),))
    for line in [*render_change(value), *render_status(status), *table]:
        assert line.isprintable(), line


def test_users_come_from_what_is_recorded() -> None:
    def state(**users: AccountRecord) -> State:
        return State(1, 1, A, users=users)

    ann, bob = AccountRecord(1000, 1000, True), AccountRecord(1001, 1001, True)
    locked = replace(bob, locked=AccountLines(("bob",)))
    value = change(Commit(()), before=state(bob=bob), after=state(ann=ann, bob=locked))
    assert "Users\n  + ann\n  - bob" in text(value)
    assert change_json(value)["users"] == [
        {"name": "ann", "change": "added"},
        {"name": "bob", "change": "removed"},
    ]


def test_json_always_has_the_same_keys() -> None:
    full = change(SetSysctl({"a": "1"}, {}), Commit(()), files=(MOTD,), warnings=("w",))
    assert change_json(full).keys() == change_json(change()).keys()
    assert json.loads(json.dumps(change_json(full)))["files"] == [
        {
            "path": "/etc/motd",
            "before": {"kind": "absent"},
            "after": {"kind": "file", "digest": A, "mode": "0644", "uid": 0, "gid": 0},
            "reason": "declared",
            "drifted": False,
            "diff": "",
            "hidden": "",
        }
    ]
    assert change_json(full)["steps"] == [{"kind": "sysctl", "values": {"a": "1"}, "before": {}}]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("switch", "Generation 4 is current."),
        ("rollback", "Back at generation 4."),
        ("deactivate", "taken back"),
    ],
)
def test_results(kind: str, words: str) -> None:
    lines = render_result(SwitchResult(change(Commit(()), files=(MOTD,), kind=kind)))
    assert words in lines[0]
    assert lines[0].endswith("(1 file)")


def test_a_recovery_is_told_with_the_result() -> None:
    lines = render_result(SwitchResult(change(), Recovered("undone", 3, "switch to generation 4")))
    assert lines == [
        "An interrupted run (switch to generation 4) was taken back: generation 3 is current.",
        "Nothing to change: generation 4 is current.",
    ]


@pytest.mark.parametrize(
    ("wanted", "found", "what", "words"),
    [
        (File(A), File(B), "changed", "content"),
        (File(A), Absent(), "missing", "is gone"),
        (File(A), File(A, "0600"), "metadata", "mode 0644 -> 0600"),
        (File(A), Folder(), "other", "is a directory"),
        (Symlink("a"), Symlink("b"), "changed", "is a link to b"),
    ],
)
def test_drift(wanted: Node, found: Node, what: str, words: str) -> None:
    status = Status(4, "web", A, drift=(Drift("/etc/motd", what, wanted, found),))  # type: ignore[arg-type]
    lines = render_status(status)
    assert lines[:4] == ["Generation 4 of web", "", "Changed by hand (1)", f"  ~ /etc/motd  ({words})"]
    assert "holdfast repair" in lines[4]


def test_status_without_drift() -> None:
    assert render_status(Status(None)) == ["Holdfast manages nothing here."]
    assert render_status(Status(4, "web", A, pending=5, unconfirmed=True)) == [
        "Generation 4 of web",
        "It is taken back unless it is confirmed: `holdfast confirm`.",
        "Generation 5 becomes current at the next boot.",
        "Every managed file is as it was put there.",
    ]


def test_generations() -> None:
    midnight = int(time.mktime((2026, 11, 20, 0, 0, 0, 0, 0, -1)))
    table = render_generations(
        (
            Generation(9, A, "web", recorded=midnight),
            Generation(10, B, "web", current=True, pending=True, recorded=midnight + 3660),
        )
    )
    assert table == [
        "GENERATION  RECORDED          SYSTEM  MANIFEST",
        f"9           2026-11-20 00:00  web     {A[7:19]}",
        f"10          2026-11-20 01:01  web     {B[7:19]}  current, at next boot",
    ]


def test_colours_are_the_callers() -> None:
    assert "\x1b" not in text(change(Commit(()), files=(MOTD,)))
    assert "\x1b[32m+\x1b[0m /etc/motd" in "\n".join(
        render_change(change(Commit(()), files=(MOTD,)), coloured)
    )


def test_packages() -> None:
    packages = PackageChange(
        (
            PackageAction("install", "nginx", None, "1.2", "wanted"),
            PackageAction("upgrade", "curl", "7", "8", ""),
            PackageAction("downgrade", "jq", "2", "1", "locked"),
            PackageAction("remove", "exim4", "4", None, "not wanted"),
        ),
        (PackageMark("curl", True, False, False, True),),
        irreversible=("curl",),
    )
    lines = render_change(change(packages=packages))
    assert lines[1:] == [
        "",
        "Packages",
        "  + nginx 1.2  (wanted)",
        "  ^ curl 7 -> 8",
        "  v jq 2 -> 1  (locked)",
        "  - exim4 4  (not wanted)",
        "  ~ curl is held",
        "  ~ curl counts as asked for",
        "  packages irreversible: the old version cannot be had of curl",
        "",
        "4 packages",
    ]
    assert change_json(change())["packages"] == []


def test_what_packages_brought_is_said() -> None:
    file = File(digest_bytes(b"x"))
    brought = PackageResult(
        (),
        (
            NewConffile("/etc/a", file, restored=True, diff="--- a\n+++ b\n@@\n-old\n+new\n"),
            NewConffile("/etc/b", file, restored=False, diff=""),
        ),
        stale=(Stale("", ("sleep (7)",), ("/usr/lib/x", "/usr/lib/y")),),
    )
    done = replace(change(Commit(()), files=(MOTD,)), brought=brought)
    lines = render_result(SwitchResult(done))
    assert lines[:-1] == [
        "~ /etc/a stays ours; its package brought another version (it comes back when the entry goes)",
        "    @@",
        "    -old",
        "    +new",
        "~ /etc/b stays ours; its package brought another version (a person had edited it before us: that comes back)",
        "still in use: sleep (7) uses /usr/lib/x and 1 more, replaced by now",
        "  `holdfast switch --restart-stale` restarts the services among them that a restart does not harm.",
    ]
    written = change_json(done)
    assert [one["path"] for one in _objects(written["conffiles"])] == ["/etc/a", "/etc/b"]
    assert [one["unit"] for one in _objects(written["stale"])] == [""]
    assert change_json(change())["conffiles"] == change_json(change())["stale"] == []


def test_debris_of_others_is_part_of_the_plan() -> None:
    file = File(digest_bytes(b"x"))
    packages = PackageChange(
        debris=(
            Debris("/etc/a.dpkg-dist", "/etc/a", file, new=True),
            Debris("/etc/a.dpkg-old", "/etc/a", file, new=False),
        )
    )
    assert render_change(change(packages=packages))[3:5] == [
        "  - /etc/a.dpkg-dist  (the packaged version of /etc/a; it is kept, and comes back when the entry goes)",
        "  - /etc/a.dpkg-old  (left behind by a package)",
    ]


def _objects(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def test_a_plan_says_why_it_would_be_refused() -> None:
    refused = change(Commit(()), files=(MOTD,), problems=("ports: 80 is taken",))
    assert (
        render_change(refused)[-4:]
        == ["", "This would be refused:", "  - ports: 80 is taken", "", "1 file"][-4:]
    )
    assert change_json(refused)["problems"] == ["ports: 80 is taken"]


def test_trials_are_told() -> None:
    tried = change(Commit(()), files=(MOTD,), kind="try", generation=3)
    assert render_change(tried)[0] == "try, until the next reboot"
    lines = render_result(SwitchResult(tried, ended=Trial("web", A, ("/etc/motd",))))
    assert lines == [
        "The trial is over (web): nothing is left of what it changed.",
        "This lasts until the next reboot, or until `holdfast rollback`. (1 file)",
    ]
    shown = render_status(Status(3, "web", trial=Trial("next", A, ("/etc/motd",))))
    assert "next is on trial until the next reboot (1 paths); `holdfast rollback` ends it." in shown
