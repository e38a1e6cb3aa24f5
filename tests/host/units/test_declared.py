from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.host.units.declared import Install, parse_install, template_of
from holdfast.manifest.model import TextFile, Unit
from tests.host.roots import a_manifest, make_root, run, snapshot

PACKAGED = "usr/lib/systemd/system"
NGINX = "[Service]\nExecStart=/x\n[Install]\nWantedBy=multi-user.target\nAlias=web.service\nAlso=nginx.socket gone.service\n"


def links(root: Path) -> dict[str, str]:
    return {path: seen[4] for path, seen in snapshot(root / "etc/systemd/system").items() if seen[0] == "l"}


def unit_root(path: Path) -> Path:
    root = make_root(
        path,
        {
            f"{PACKAGED}/nginx.service": NGINX,
            f"{PACKAGED}/nginx.socket": "[Install]\nWantedBy=sockets.target\n",
            f"{PACKAGED}/static.service": "[Service]\nExecStart=/x\n",
            f"{PACKAGED}/getty@.service": "[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n",
            f"{PACKAGED}/bare@.service": "[Install]\nWantedBy=%i.target\n",
            f"{PACKAGED}/apt.timer": "[Install]\nWantedBy=timers.target\n",
            "etc/init.d/old": "#!/bin/sh\n",
        },
    )
    (root / PACKAGED / "http.service").symlink_to("nginx.service")
    wants = root / "etc/systemd/system/timers.target.wants"
    wants.mkdir()
    (wants / "apt.timer").symlink_to("/lib/systemd/system/apt.timer")
    return root


def test_own_units(tmp_path: Path) -> None:
    root = unit_root(tmp_path / "root")
    hello = Unit(
        text="[Service]\nExecStart=/x\n",
        dropins={"10-limits": "[Service]\nNice=1\n", "b.conf": ""},
        wanted_by=("multi-user.target",),
        required_by=("a.target",),
        upheld_by=("b.target",),
        aliases=("hi.service",),
    )
    run(a_manifest(units={"hello.service": hello, "static.service": Unit(masked=True)}), root)
    system = root / "etc/systemd/system"
    assert (system / "hello.service").read_text() == hello.text
    assert (system / "hello.service.d/10-limits.conf").read_text() == "[Service]\nNice=1\n"
    assert (system / "hello.service.d/b.conf").exists()
    assert links(root) == {
        "/multi-user.target.wants/hello.service": "/etc/systemd/system/hello.service",
        "/a.target.requires/hello.service": "/etc/systemd/system/hello.service",
        "/b.target.upholds/hello.service": "/etc/systemd/system/hello.service",
        "/hi.service": "/etc/systemd/system/hello.service",
        "/static.service": "/dev/null",
        "/timers.target.wants/apt.timer": "/lib/systemd/system/apt.timer",
    }


def test_enable_as_systemctl_does(tmp_path: Path) -> None:
    root = unit_root(tmp_path / "root")
    units = {
        "nginx.service": Unit(enable=True),
        "getty@.service": Unit(enable=True),
        "bare@x.service": Unit(enable=True),
        "apt.timer": Unit(enable=True),
        "static.service": Unit(wanted_by=("x.target",)),
    }
    run(a_manifest(units=units), root)
    assert links(root) == {
        "/multi-user.target.wants/nginx.service": f"/{PACKAGED}/nginx.service",
        "/web.service": f"/{PACKAGED}/nginx.service",
        "/sockets.target.wants/nginx.socket": f"/{PACKAGED}/nginx.socket",
        "/getty.target.wants/getty@tty1.service": f"/{PACKAGED}/getty@.service",
        "/x.target.wants/bare@x.service": f"/{PACKAGED}/bare@.service",
        "/x.target.wants/static.service": f"/{PACKAGED}/static.service",
        # The package's own link says the same: it is left as it is.
        "/timers.target.wants/apt.timer": "/lib/systemd/system/apt.timer",
    }


def test_what_is_disabled_stays_disabled(tmp_path: Path) -> None:
    root = unit_root(tmp_path / "root")
    for unit in (Unit(enable=False), Unit(masked=True), Unit(enable=False)):
        for _ in range(2):
            run(a_manifest(units={"apt.timer": unit}), root)
            assert ("/timers.target.wants/apt.timer" in links(root)) == unit.masked
    run(a_manifest(), root)
    assert links(root) == {"/timers.target.wants/apt.timer": "/lib/systemd/system/apt.timer"}


def test_disable_and_undeclare(tmp_path: Path) -> None:
    root = unit_root(tmp_path / "root")
    run(a_manifest(units={"nginx.service": Unit(enable=True)}), root)
    run(a_manifest(units={"nginx.service": Unit(enable=False), "apt.timer": Unit(enable=False)}), root)
    assert links(root) == {}
    run(a_manifest(), root)
    assert links(root) == {"/timers.target.wants/apt.timer": "/lib/systemd/system/apt.timer"}


def test_an_instance_of_a_declared_template(tmp_path: Path) -> None:
    root = unit_root(tmp_path / "root")
    units = {
        "job@.service": Unit(text="[Service]\n"),
        "job@a.service": Unit(wanted_by=("multi-user.target",)),
    }
    run(a_manifest(units=units), root)
    assert links(root)["/multi-user.target.wants/job@a.service"] == "/etc/systemd/system/job@.service"


def test_a_unit_given_as_a_file_can_be_enabled(tmp_path: Path) -> None:
    root = unit_root(tmp_path / "root")
    files = {"/etc/systemd/system/f.service": TextFile("[Install]\nWantedBy=a.target\n")}
    run(a_manifest(files=files, units={"f.service": Unit(enable=True)}), root)
    assert links(root)["/a.target.wants/f.service"] == "/etc/systemd/system/f.service"


@pytest.mark.parametrize(
    ("name", "unit", "message"),
    [
        ("ngnix.service", Unit(enable=True), "there is no unit 'ngnix.service': no installed package has it"),
        ("ngnix.service", Unit(wanted_by=("a.target",)), "did you mean 'nginx.service'"),
        ("old.service", Unit(enable=True), "only a script in /etc/init.d"),
        ("static.service", Unit(enable=True), "has no [Install] section; say what wants it with wanted_by"),
        ("http.service", Unit(enable=True), "another name of 'nginx.service'"),
        ("bare@.service", Unit(enable=True), "a template without DefaultInstance="),
        ("a.service", Unit(text="x", masked=True), "has a text and is masked"),
    ],
)
def test_refused(tmp_path: Path, name: str, unit: Unit, message: str) -> None:
    with pytest.raises(HoldfastError) as caught:
        run(a_manifest(units={name: unit}), unit_root(tmp_path / "root"))
    assert message in str(caught.value)


def test_parse_install() -> None:
    text = (
        "[Unit]\nWantedBy=not.this\n# [Install]\n[Install]\nWantedBy=a.target \\\n; comment\n  b.target\n"
        "WantedBy=c.target\nAlias=\nRequiredBy=x\nRequiredBy=\nUpheldBy=u\nDefaultInstance=i\n[X]\nAlso=no\n"
    )
    assert parse_install(text) == Install(("a.target", "b.target", "c.target"), (), ("u",), (), (), "i")
    assert parse_install("") == Install()
    assert template_of("a@b.service") == "a@.service"
    assert template_of("a@.service") is None
    assert template_of("a.service") is None


def test_a_drop_in_has_a_name_without_a_slash(tmp_path: Path) -> None:
    root = unit_root(tmp_path)
    with pytest.raises(HoldfastError, match=r"'\.\./x' of nginx.service has a / in its name"):
        run(a_manifest(units={"nginx.service": Unit(dropins={"../x": "[Unit]\n"})}), root)
