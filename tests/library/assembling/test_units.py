from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.process import run
from holdfast.library import CommandLine, Files, System, Systemd, evaluate_system
from holdfast.library.assembling.units import directive, own_options
from holdfast.library.rendering.units import render_unit
from holdfast.library.system import Debian
from holdfast.library.systemd_kinds import Automount, Mount, PlainUnit, Slice, Socket, Swap, Target, Timer
from holdfast.library.systemd_kinds import Path as PathUnit
from holdfast.library.systemd_service import Service
from holdfast.library.systemd_unit import Unit as UnitOptions
from holdfast.manifest.model import Manifest, TextFile, Unit
from holdfast.options import Module

WHOLE_SERVICE = """\
[Unit]
Description=The shop, 100%% open
Documentation=man:shop(8)
After=network-online.target db.service
Wants=network-online.target
ConditionPathExists=/etc/shop.conf
ConditionPathExists=!/run/closed

[Service]
Type=notify
ExecStart=/usr/bin/shop --instance %i $SHOP_OPTIONS
ExecStartPre=-/bin/mkdir "/run/my shop"
ExecStartPre=/bin/echo $$HOME 100%%
Restart=on-failure
RestartSec=5
TimeoutStopSec=1min 30s
DynamicUser=yes
Environment="A=50%% of $5"
Environment="B=two words"
EnvironmentFile=-/etc/default/shop
StateDirectory=shop
LimitNOFILE=65536
CPUQuota=50%
ProtectSystem=strict
SystemCallFilter=@system-service ~@mount
ReadWritePaths="/srv/my shop" /var/shop
BindPaths=/a
BindPaths=/b
OOMPolicy=continue

[X-Shop]
Owner=ada
"""


def manifest(*modules: Callable[[Module], None]) -> Manifest:
    return evaluate_system(System("test", modules=modules, distro=Debian("trixie"))).manifest


def units(*modules: Callable[[Module], None]) -> dict[str, Unit]:
    """Without the libraries' own (there are none while nothing is enabled)."""
    return dict(manifest(*modules).units)


def test_a_service_in_full() -> None:
    def module(m: Module) -> None:
        shop = m[Systemd].services["shop"]
        shop.description = "The shop, 100% open"
        shop.documentation = ["man:shop(8)"]
        shop.after = ["network-online.target", "db.service"]
        shop.wants = ["network-online.target"]
        shop.condition_path_exists = ["/etc/shop.conf", "!/run/closed"]
        shop.type = "notify"
        shop.exec_start_pre = [["-/bin/mkdir", "/run/my shop"], ["/bin/echo", "$HOME", "100%"]]
        shop.exec_start = CommandLine("/usr/bin/shop --instance %i $SHOP_OPTIONS")
        shop.environment = {"B": "two words", "A": "50% of $5"}
        shop.environment_files = ["-/etc/default/shop"]
        shop.restart = "on-failure"
        shop.restart_sec = 5
        shop.timeout_stop_sec = "1min 30s"
        shop.dynamic_user = True
        shop.state_directory = ["shop"]
        shop.limit_nofile = 65536
        shop.cpu_quota = "50%"
        shop.protect_system = "strict"
        shop.read_write_paths = ["/srv/my shop", "/var/shop"]
        shop.system_call_filter = ["@system-service", "~@mount"]
        shop.section["Service"]["OOMPolicy"] = "continue"
        shop.section["Service"]["BindPaths"] = ["/a", "/b"]
        shop.section["X-Shop"]["Owner"] = "ada"
        shop.wanted_by = ["multi-user.target"]
        shop.aliases = ["store.service"]

    unit = units(module)["shop.service"]
    assert unit.text == WHOLE_SERVICE
    assert unit.wanted_by == ("multi-user.target",)
    assert unit.aliases == ("store.service",)
    assert unit.on_change == "restart"


def test_what_a_packaged_unit_gets_is_a_drop_in_and_commands_replace() -> None:
    def module(m: Module) -> None:
        db = m[Systemd].services["postgresql"]
        db.from_package = True
        db.enable = False
        db.exec_start = ["/usr/bin/pg"]
        db.exec_stop = [["/usr/bin/pg", "stop"]]
        db.limit_nofile = 1000
        db.dropins["10-more.conf"] = "[Service]\nNice=5\n"

    unit = units(module)["postgresql.service"]
    assert unit.text is None
    assert unit.enable is False
    assert unit.dropins == {
        "10-more.conf": "[Service]\nNice=5\n",
        "50-holdfast.conf": (
            "[Service]\nExecStart=\nExecStart=/usr/bin/pg\nExecStop=\nExecStop=/usr/bin/pg stop\nLimitNOFILE=1000\n"
        ),
    }


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("restart_if_changed", False, "nothing"),
        ("reload_if_changed", True, "reload"),
        ("stop_if_changed", True, "stop-start"),
        ("stop_if_changed", False, "restart"),
    ],
)
def test_what_a_change_does(option: str, value: bool, expected: str) -> None:
    def module(m: Module) -> None:
        service = m[Systemd].services["a"]
        service.exec_start = ["/bin/a"]
        setattr(service, option, value)

    assert units(module)["a.service"].on_change == expected


def test_triggers_that_are_declared_files_stand_for_their_content() -> None:
    def build(text: str, mode: str = "0644") -> Unit:
        def module(m: Module) -> None:
            m[Files]["/etc/a/one"].text = text
            m[Files]["/etc/a/one"].mode = mode
            m[Files]["/etc/b"].text = "b"
            service = m[Systemd].services["a"]
            service.exec_start = ["/bin/a"]
            service.restart_triggers = ["/etc/a/", "v1"]
            service.reload_triggers = ["/etc/b"]

        return units(module)["a.service"]

    first, second, third = build("1"), build("2"), build("1", "0600")
    assert len({first.restart_triggers, second.restart_triggers, third.restart_triggers}) == 3
    assert first.restart_triggers[0].startswith("/etc/a/one sha256:")
    assert first.restart_triggers[1:] == ("v1",)
    assert first.reload_triggers == second.reload_triggers
    assert first == build("1")


@pytest.mark.parametrize("option", ["restart_triggers", "reload_triggers"])
def test_a_trigger_that_names_no_declared_file_is_an_error(option: str) -> None:
    def module(m: Module) -> None:
        service = m[Systemd].services["a"]
        service.exec_start = ["/bin/a"]
        setattr(service, option, ["/etc/not/declared"])

    with pytest.raises(HoldfastError, match=rf"services\.a\.{option}: /etc/not/declared is no declared file"):
        units(module)


def test_a_script_is_a_file_and_a_change_of_it_restarts() -> None:
    def module(m: Module) -> None:
        m[Systemd].services["demo@"].script = "echo $HOME 100%\n"

    made = manifest(module)
    assert made.files["/etc/holdfast/scripts/demo@"] == TextFile(
        "#!/bin/sh -e\necho $HOME 100%\n", mode="0755"
    )
    unit = made.units["demo@.service"]
    assert unit.text == "[Service]\nExecStart=/etc/holdfast/scripts/demo@\n"
    assert unit.restart_triggers[0].startswith("/etc/holdfast/scripts/demo@ sha256:")


def test_timers() -> None:
    def module(m: Module) -> None:
        for name in ("short", "both", "long"):
            m[Systemd].services[name].exec_start = ["/bin/a"]
        m[Systemd].services["short"].start_at = ["daily"]
        m[Systemd].services["both"].start_at = ["Mon 04:00"]
        m[Systemd].timers["both"].persistent = True
        long = m[Systemd].timers["long"]
        long.on_calendar = ["*-*-* 03:30", "Sun 12:00"]
        long.on_boot_sec = "5min"
        long.randomized_delay_sec = 60
        long.wanted_by = []

    made = units(module)
    assert made["short.timer"] == Unit(text="[Timer]\nOnCalendar=daily\n", wanted_by=("timers.target",))
    assert made["both.timer"].text == "[Timer]\nOnCalendar=Mon 04:00\nPersistent=yes\n"
    assert made["long.timer"].text == (
        "[Timer]\nOnCalendar=*-*-* 03:30\nOnCalendar=Sun 12:00\nOnBootSec=5min\nRandomizedDelaySec=60\n"
    )
    assert made["long.timer"].wanted_by == ()


def test_the_other_kinds() -> None:
    def module(m: Module) -> None:
        s = m[Systemd]
        s.sockets["web"].listen_stream = ["80", "/run/web.sock"]
        s.paths["inbox"].directory_not_empty = ["/srv/inbox"]
        s.targets["shop"].description = "Shop"
        s.slices["batch"].memory_max = "1G"
        s.mounts["/srv/my-data"].what = "LABEL=data"
        s.mounts["/srv/my-data"].options = ["noatime", "nofail"]
        s.mounts["/srv/100%"].what = "LABEL=full"
        s.mounts["/srv/nfs"].what = "nas:/x"
        s.mounts["/srv/nfs"].fs_type = "nfs4"
        s.mounts["/srv/nfs"].wanted_by = []
        s.automounts["/srv/nfs"].timeout_idle_sec = 60
        s.swaps["/dev/sdb2"].priority = 5
        s.units["odd.service"].text = "[Service]\nExecStart=/bin/a\n"
        s.units["odd.service"].wanted_by = ["multi-user.target"]
        s.units["ssh.service"].enable = True
        s.units["apt-daily.timer"].after = ["odd.service"]
        s.masked = ["apt-daily-upgrade.timer"]
        s.services["gone"].exec_start = ["/bin/a"]
        s.services["gone"].enable = False

    made = units(module)
    assert {name: (unit.text, unit.wanted_by) for name, unit in made.items() if unit.text} == {
        "web.socket": ("[Socket]\nListenStream=80\nListenStream=/run/web.sock\n", ("sockets.target",)),
        "inbox.path": ("[Path]\nDirectoryNotEmpty=/srv/inbox\n", ("paths.target",)),
        "shop.target": ("[Unit]\nDescription=Shop\n", ()),
        "batch.slice": ("[Slice]\nMemoryMax=1G\n", ()),
        "srv-my\\x2ddata.mount": (
            "[Mount]\nWhere=/srv/my-data\nWhat=LABEL=data\nOptions=noatime,nofail\n",
            ("local-fs.target",),
        ),
        "srv-100\\x25.mount": ("[Mount]\nWhere=/srv/100%%\nWhat=LABEL=full\n", ("local-fs.target",)),
        "srv-nfs.mount": ("[Mount]\nWhere=/srv/nfs\nWhat=nas:/x\nType=nfs4\n", ()),
        "srv-nfs.automount": ("[Automount]\nWhere=/srv/nfs\nTimeoutIdleSec=60\n", ("local-fs.target",)),
        "dev-sdb2.swap": ("[Swap]\nWhat=/dev/sdb2\nPriority=5\n", ("swap.target",)),
        "odd.service": ("[Service]\nExecStart=/bin/a\n", ("multi-user.target",)),
    }
    assert made["ssh.service"] == Unit(enable=True)
    assert made["apt-daily.timer"].dropins == {"50-holdfast.conf": "[Unit]\nAfter=odd.service\n"}
    assert made["apt-daily-upgrade.timer"] == Unit(masked=True)
    assert "gone.service" not in made


def test_a_mount_without_what_is_refused() -> None:
    def module(m: Module) -> None:
        m[Systemd].mounts["/srv/data"].fs_type = "ext4"

    with pytest.raises(Exception, match=r"systemd\.mounts\.\"/srv/data\"\.what"):
        units(module)


KINDS: dict[str, type[UnitOptions]] = {
    "service": Service,
    "timer": Timer,
    "socket": Socket,
    "path": PathUnit,
    "target": Target,
    "mount": Mount,
    "automount": Automount,
    "slice": Slice,
    "swap": Swap,
}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_knows_every_setting_by_the_name_we_write(tmp_path: Path) -> None:
    for suffix, cls in KINDS.items():
        sections = [
            ("Unit", [(directive(name), "x") for name in own_options(UnitOptions)]),
            (
                "Unit" if suffix == "target" else suffix.capitalize(),
                [(directive(name), "x") for name in own_options(cls)],
            ),
        ]
        (tmp_path / f"planted.{suffix}").write_text(render_unit([*sections, ("Install", [("Planted", "x")])]))
    told = run(["systemd-analyze", "verify", *sorted(tmp_path.iterdir())], check=False).stderr.decode()
    unknown = {line.partition("Unknown key")[2] for line in told.splitlines() if "Unknown key" in line}
    assert {line for line in unknown if "Planted" not in line} == set()
    assert any("Planted" in line for line in unknown)  # it does tell


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units_of_a_whole_system(tmp_path: Path) -> None:
    def module(m: Module) -> None:
        service = m[Systemd].services["demo"]
        service.description = "Demo"
        service.exec_start = ["/bin/sh", "-c", "echo '$HOME' \"100%\"; exit"]
        service.exec_start_pre = [["-/bin/true", "", ";", "a\\b", "\t"]]
        service.environment = {"A": 'quote " and \\ and %i'}
        service.start_at = ["*-*-* 03:30"]
        service.restart_sec = "1min 30s"
        m[Systemd].mounts["/srv/my-data"].what = "tmpfs"
        m[Systemd].mounts["/srv/my-data"].fs_type = "tmpfs"

    for name, unit in units(module).items():
        (tmp_path / name).write_text(unit.text or "")
    done = run(["systemd-analyze", "verify", *sorted(tmp_path.iterdir())], check=False)
    told = [line for line in done.stderr.decode().splitlines() if str(tmp_path) in line or "demo" in line]
    assert (done.returncode, told) == (0, [])


def test_plain_units_have_no_typed_settings_of_their_own() -> None:
    assert own_options(PlainUnit) == ()


def test_units_of_users_are_those_of_the_system_but_for_mounts() -> None:
    def module(m: Module) -> None:
        user = m[Systemd].user
        sync = user.services["sync"]
        sync.exec_start = ["/usr/bin/sync-notes"]
        sync.wanted_by = ["default.target"]
        sync.start_at = ["daily"]
        user.services["tidy"].script = "rm -rf ~/.cache/old\n"
        user.masked = ["gpg-agent.service"]

    made = manifest(module)
    assert made.units == {}
    assert made.user_units["sync.service"].wanted_by == ("default.target",)
    assert "ExecStart=/usr/bin/sync-notes" in (made.user_units["sync.service"].text or "")
    assert made.user_units["sync.timer"].wanted_by == ("timers.target",)
    assert made.user_units["gpg-agent.service"] == Unit(masked=True)
    assert "/etc/holdfast/user-scripts/tidy" in made.files
    (trigger,) = made.user_units["tidy.service"].restart_triggers
    assert trigger.startswith("/etc/holdfast/user-scripts/tidy sha256:")

    def wrong(m: Module) -> None:
        m[Systemd].user.services["empty"].wanted_by = ["default.target"]

    with pytest.raises(HoldfastError, match="systemd") as caught:
        manifest(wrong)
    assert "systemd.user.services.empty" in f"{caught.value.brief}\n{caught.value.details}"
