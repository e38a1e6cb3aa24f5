from __future__ import annotations

import time

import pytest

from holdfast.base.process import Completed
from holdfast.host.packages.apt.apt import parse_simulation
from holdfast.host.packages.apt.database import Database, Installed, alternatives, needed_by_others, parse
from holdfast.host.packages.apt.facts import Simulated
from holdfast.host.packages.apt.reading import release_names

STATUS = b"""\
Package: dpkg
Essential: yes
Status: install ok installed
Architecture: amd64
Version: 1.22
Installed-Size: 10
Pre-Depends: libc6 (>= 2.38), libz1 | libz-ng (>= 1)
Depends: tar

Package: libc6
Status: hold ok installed
Architecture: amd64
Version: 2.41-1
Provides: libc6-abi (= 1), libc

Package: libc6
Status: install ok installed
Architecture: i386
Version: 2.41-1

Package: app
Status: install reinstreq half-installed
Architecture: all
Version: 1:2.0
Conffiles:
 /etc/app.conf 0123456789abcdef0123456789abcdef
 /etc/with space 0123456789abcdef0123456789abcdee obsolete
 /etc/new newconffile
Description: app
 Status: install ok installed

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 3
Conffiles:
 /etc/gone 0123456789abcdef0123456789abcdea

Package: never
Status: purge ok not-installed
Architecture: amd64
"""
EXTENDED = b"""\
Package: libc6
Architecture: i386
Auto-Installed: 1

Package: dpkg
Architecture: amd64
Auto-Installed: 0

Package: app
Architecture: amd64
Auto-Installed: 1
"""


def test_parse() -> None:
    found = parse(STATUS, EXTENDED)
    assert found.architecture == "amd64"
    assert set(found.packages) == {"dpkg", "libc6", "libc6:i386", "app", "gone"}
    dpkg, app = found.packages["dpkg"], found.packages["app"]
    assert dpkg.essential and dpkg.whole and dpkg.size == 10240 and not dpkg.automatic
    assert dpkg.depends == (("libc6",), ("libz1", "libz-ng"), ("tar",))
    assert found.packages["libc6"].held and found.packages["libc6"].provides == ("libc6-abi", "libc")
    assert found.packages["libc6:i386"].automatic and not found.packages["libc6"].automatic
    assert (app.status, app.broken, app.whole, app.version, app.automatic) == (
        "half-installed",
        True,
        False,
        "1:2.0",
        True,
    )
    assert found.whole("gone") is None and found.whole("app") is None and found.whole("libc6") is not None
    assert found.conffiles == {
        "/etc/app.conf": "0123456789abcdef0123456789abcdef",
        "/etc/with space": "0123456789abcdef0123456789abcdee",
        "/etc/gone": "0123456789abcdef0123456789abcdea",
    }
    assert parse(b"", None) == Database()


def test_a_big_machine_is_read_fast() -> None:
    stanza = STATUS.split(b"\n\n")[0] + b"\nDescription: x\n" + b" something long about it\n" * 20
    status = b"\n\n".join(stanza.replace(b"dpkg", b"package%d" % number) for number in range(2000))
    started = time.process_time()
    assert len(parse(status, EXTENDED).packages) == 2000
    assert time.process_time() - started < 0.5


def test_what_others_need_stays() -> None:
    def one(name: str, depends: str = "", provides: str = "", status: str = "installed") -> Installed:
        return Installed(
            name, "amd64", "1", status, depends=alternatives(depends), provides=tuple(provides.split())
        )

    base = Database(
        "amd64",
        {
            package.name: package
            for package in (
                one("user", "lib, mta"),
                one("lib", "deep"),
                one("deep"),
                one("postfix", provides="mta"),
                one("either", "free | other"),
                one("free"),
                one("other"),
                one("removed", "gone", status="config-files"),
                one("gone"),
            )
        },
    )
    going = frozenset({"lib", "deep", "postfix", "free", "gone"})
    assert needed_by_others(base, going) == {"lib": "user", "deep": "lib", "postfix": "user"}
    assert needed_by_others(base, going | {"user"}) == {}
    assert set(needed_by_others(base, frozenset({"free", "other"}))) == {"free", "other"}


def test_simulations() -> None:
    output = """\
Reading package lists...
Remv foo [1.0] [bar:amd64 ]
Inst libc6 [2.40-1] (2.41-1 local [amd64]) [libc6:i386 on libc6:amd64] [libc6:i386 ]
Inst libc6:i386 [2.40-1] (2.41-1 local [i386])
Inst app (1:1.0 local [all])
Conf app (1:1.0 local [all])
Purg old:i386 [3]
"""
    steps = parse_simulation(Completed((), 0, output.encode(), b"")).steps
    assert steps == (
        Simulated("foo", "", "1.0", None),
        Simulated("libc6", "amd64", "2.40-1", "2.41-1"),
        Simulated("libc6", "i386", "2.40-1", "2.41-1"),
        Simulated("app", "all", None, "1:1.0"),
        Simulated("old", "i386", "3", None),
    )
    failed = parse_simulation(Completed((), 100, b"The following ...\n", b"E: Unable to correct problems"))
    assert failed.steps == () and failed.error.endswith("E: Unable to correct problems")


@pytest.mark.parametrize(
    ("pretty", "codename", "expected"),
    [
        ("Debian GNU/Linux 13 (trixie)", "trixie", {"trixie"}),
        ("Debian GNU/Linux forky/sid", "forky", {"forky", "sid"}),
        ("Ubuntu 24.04.1 LTS", "noble", {"noble"}),
        ("", "", set()),
    ],
)
def test_releases(pretty: str, codename: str, expected: set[str]) -> None:
    assert release_names({"PRETTY_NAME": pretty, "VERSION_CODENAME": codename}) == expected
