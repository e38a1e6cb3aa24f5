from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.host.accounts.ids import Ids
from holdfast.host.accounts.tables import Ranges, Table
from holdfast.manifest.model import Group, User
from tests.host.roots import DAY, GROUP, PASSWD, SHADOW, a_manifest, make_root, run, snapshot


def lines(root: Path, name: str) -> list[str]:
    return (root / "etc" / name).read_text().splitlines()


def test_a_person(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    ann = User(
        comment="Ann",
        groups=("sudo",),
        hashed_password="$y$x",
        authorized_keys=("ssh-ed25519 A", "ssh-ed25519 B\n"),
        linger=True,
    )
    run(a_manifest(users={"ann": ann}), root)
    assert lines(root, "passwd") == [*PASSWD.splitlines(), "ann:x:1000:1000:Ann:/home/ann:/bin/bash"]
    assert lines(root, "shadow") == [*SHADOW.splitlines(), f"ann:$y$x:{DAY}:0:99999:7:::"]
    assert lines(root, "group") == [*GROUP.replace("sudo:x:27:", "sudo:x:27:ann").splitlines(), "ann:x:1000:"]
    assert "sudo:*::ann" in lines(root, "gshadow")
    assert "ann:!::" in lines(root, "gshadow")
    assert (root / "etc/shadow").stat().st_mode & 0o777 == 0o640
    seen = {path: (kind, mode, owner) for path, (kind, mode, owner, _, _) in snapshot(root / "home").items()}
    assert seen == {
        "/ann": ("d", "0700", 1000),
        "/ann/.profile": ("-", "0644", 1000),
        "/ann/.config": ("d", "0755", 1000),
        "/ann/.config/app.conf": ("-", "0644", 1000),
        "/ann/.ssh": ("d", "0700", 1000),
        "/ann/.ssh/authorized_keys": ("-", "0600", 1000),
    }
    assert (root / "home/ann/.ssh/authorized_keys").read_text() == "ssh-ed25519 A\nssh-ed25519 B\n"
    assert (root / "var/lib/systemd/linger/ann").read_bytes() == b""


def test_a_system_account(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    users = {"app": User(system=True), "db": User(system=True, home="/var/lib/db", shell="/bin/bash")}
    run(a_manifest(users=users), root)
    assert lines(root, "passwd")[-2:] == [
        "app:x:999:999::/nonexistent:/usr/sbin/nologin",
        "db:x:997:997::/var/lib/db:/bin/bash",
    ]
    assert f"app:!:{DAY}:0:99999:7:::" in lines(root, "shadow")
    assert not (root / "nonexistent").exists()
    assert (root / "var/lib/db").stat().st_uid == 997
    assert list((root / "var/lib/db").iterdir()) == []


def test_the_homes_of_others_and_used_homes_are_left_alone(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {"home/ann/mine": "x"})
    run(a_manifest(users={"ann": User()}), root)
    assert [path.name for path in (root / "home/ann").iterdir()] == ["mine"]
    assert (root / "home/ann").stat().st_uid != 1000


def test_ids_come_from_the_table_then_in_order(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    pinned = Ids(users={"b": 1500, "gone": 1000, "sys": 123}, groups={"b": 1600, "sys": 124, "g": 1001})
    users = {"a": User(), "b": User(), "c": User(uid=1002), "sys": User(system=True)}
    activation = run(a_manifest(users=users, groups={"g": Group()}), root, ids=pinned)
    numbers = {line.split(":")[0]: line.split(":")[2:4] for line in lines(root, "passwd")[5:]}
    # 1000 is pinned to another name, 1001 is a pinned group, 1002 is asked for by c.
    assert numbers == {
        "a": ["1003", "1003"],
        "b": ["1500", "1600"],
        "c": ["1002", "1002"],
        "sys": ["123", "124"],
    }
    assert activation.ids == Ids(
        users={"a": 1003, "b": 1500, "c": 1002, "sys": 123},
        groups={"a": 1003, "b": 1600, "c": 1002, "g": 1001, "sys": 124},
    )


def test_ids_are_never_given_again(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(users={"ann": User(hashed_password="$y$x")}), root)
    (root / "home/ann/mine").write_text("x")
    os.chown(root / "home/ann/mine", 1000, 1000)
    run(a_manifest(users={"bob": User()}), root)
    assert lines(root, "passwd")[-2:] == [
        "ann:x:1000:1000::/home/ann:/usr/sbin/nologin",
        "bob:x:1001:1001::/home/bob:/bin/bash",
    ]
    assert f"ann:!$y$x:{DAY}:0:99999:7::1:" in lines(root, "shadow")


def test_an_account_that_is_there_keeps_what_is_not_declared(tmp_path: Path) -> None:
    shadow = SHADOW.replace("root:*:", "root:$y$own:")
    root = make_root(tmp_path / "root", {"etc/shadow": shadow})
    run(a_manifest(users={"root": User(hashed_password="$y$r", authorized_keys=("k",))}), root)
    assert lines(root, "passwd") == PASSWD.splitlines()
    assert lines(root, "shadow")[0] == f"root:$y$r:{DAY}:0:99999:7:::"
    assert (root / "root/.ssh/authorized_keys").stat().st_mode & 0o777 == 0o600
    run(a_manifest(users={"root": User()}), root)
    assert lines(root, "shadow") == shadow.splitlines()
    assert not (root / "root/.ssh").exists()


def test_memberships_of_ours_are_taken_back(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    (root / "etc/group").write_text(GROUP.replace("sudo:x:27:", "sudo:x:27:daemon"))
    run(
        a_manifest(
            users={"ann": User(groups=("sudo",))}, groups={"sudo": Group(members=("daemon", "nobody"))}
        ),
        root,
    )
    assert "sudo:x:27:daemon,ann,nobody" in lines(root, "group")
    run(a_manifest(users={"ann": User()}), root)
    assert "sudo:x:27:daemon" in lines(root, "group")


@pytest.mark.parametrize(
    ("users", "groups", "message"),
    [
        ({"sshd": User(uid=5)}, {}, "user 'sshd' has the id 998 on this system, and the definition says 5"),
        ({}, {"sudo": Group(gid=5)}, "group 'sudo' has the id 27 on this system"),
        ({"x": User(uid=998)}, {}, "user 'x' cannot have the id 998: 'sshd' has it"),
        ({"x": User(uid=5000), "y": User(uid=5000)}, {}, "cannot have the id 5000"),
        ({"x": User(groups=("sdo",))}, {}, "there is no such group; did you mean 'sudo'?"),
        ({"x": User(group="sdo")}, {}, "the primary group of user 'x' is 'sdo', but there is no such group"),
        ({}, {"g": Group(members=("deamon",))}, "there is no such user; did you mean 'daemon'?"),
        ({"x": User(shell="/bin/zsh")}, {}, "the shell of user 'x' is not there: /bin/zsh"),
        ({"x": User(shell="/etc/passwd")}, {}, "the shell of user 'x' is not there: /etc/passwd"),
        ({"X y": User()}, {}, "'X y' is no user name"),
        ({"x": User(comment="a:b")}, {}, "the comment of user 'x' contains a colon"),
        (
            {"x": User(hashed_password="a\nroot::0:0")},
            {},
            "the hashed_password of user 'x' contains a colon or a line break",
        ),
        ({"x": User(home="here")}, {}, "the home of user 'x' is not an absolute path"),
        ({"x": User(system=True, authorized_keys=("k",))}, {}, "has authorized_keys, but no home"),
    ],
)
def test_refused(tmp_path: Path, users: dict[str, User], groups: dict[str, Group], message: str) -> None:
    root = make_root(tmp_path / "root")
    before = snapshot(root)
    with pytest.raises(HoldfastError) as caught:
        run(a_manifest(users=users, groups=groups), root)
    assert message in str(caught.value)
    assert snapshot(root) == before


def test_tables_keep_what_they_do_not_understand() -> None:
    data = b"# c\n\nroot:x:0:0::/:/bin/sh\nbroken:line\nj\xe9r:x:7:7::/:/bin/sh\n+::::::\n"
    table = Table.parse(data, 7)
    assert table.render() == data
    new = table.put(("new", "x", "1", "1", "", "/", "/bin/sh"))
    assert new.render() == data.replace(b"+::", b"new:x:1:1::/:/bin/sh\n+::")
    assert (
        new.put(("root", "x", "0", "0", "", "/r", "/bin/sh"))
        .render()
        .startswith(b"# c\n\nroot:x:0:0::/r:/bin/sh\n")
    )
    assert Table.parse(b"a:b", 2).render() == b"a:b"
    assert Table.parse(b"", 2).put(("a", "b")).render() == b"a:b\n"
    assert new.drop("new").render() == data


def test_ranges_of_login_defs() -> None:
    ranges = Ranges.parse(b"#UID_MIN 7\nUID_MIN 2000\nSYS_UID_MAX\t499\nUMASK\t027\nnonsense\nGID_MIN x\n")
    assert (ranges.uid, ranges.system_uid, ranges.gid, ranges.home_mode) == (
        (2000, 60000),
        (100, 499),
        (1000, 60000),
        "0700",
    )
    assert Ranges.parse(b"UMASK 022\nHOME_MODE 0750\n").home_mode == "0750"
    assert Ranges.parse(b"") == Ranges()


def test_lingering_needs_pam_systemd(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {"usr/lib/systemd/system/user@.service": ""})
    with pytest.raises(HoldfastError, match=r"user 'ann' lingers, but .* add the package 'libpam-systemd'"):
        run(a_manifest(users={"ann": User(linger=True)}), root)
    module = root / "usr/lib/x86_64-linux-gnu/security/pam_systemd.so"
    module.parent.mkdir(parents=True)
    module.write_text("")
    run(a_manifest(users={"ann": User(linger=True)}), root)
    assert (root / "var/lib/systemd/linger/ann").exists()
