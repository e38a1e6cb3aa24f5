"""Parts of the manifest that most systems do without: checks, tasks, commands, probes, the kernel, the host."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.library import (
    Checks,
    Debian,
    Evaluated,
    Health,
    Hooks,
    Host,
    KernelModules,
    Sysctl,
    System,
    Tasks,
    Users,
    evaluate_system,
)
from holdfast.library.assembling.sets import LIBRARY, every_set
from holdfast.manifest import model
from holdfast.manifest.document import read_manifest, write_manifest
from holdfast.options import Module, after, before, default

pytestmark = pytest.mark.slow  # it starts programs or waits for them

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def evaluated(*modules: Callable[[Module], None]) -> Evaluated:
    return evaluate_system(System("test", modules=modules, distro=Debian("trixie")))


def problems(module: Callable[[Module], None]) -> str:
    with pytest.raises(HoldfastError) as caught:
        evaluated(module)
    return f"{caught.value}\n{caught.value.details}"


def test_what_the_manifest_has_when_nothing_is_said() -> None:
    manifest = evaluated().manifest
    empty = model.Manifest(1, "x", manifest.distribution, manifest.identity)
    for field in ("sysctl", "kernel_modules", "checks", "before_switch", "after_switch", "tasks", "health"):
        assert getattr(manifest, field) == getattr(empty, field)
    assert (manifest.allow_any_distribution, manifest.state_version) == (False, 0)


def test_checks_tasks_and_hooks() -> None:
    def module(m: Module) -> None:
        m[Checks]["disk"].command = ["/usr/bin/test", "-d", "/srv"]
        m[Checks]["disk"].message = "No disk."
        m[Checks]["net"].script = "ping -c 1 10.0.0.1\ntrue\n"
        m[Checks]["off"].enable = False
        database = m[Tasks]["createdb"]
        database.command = ["createdb", "shop"]
        database.done = ["/bin/sh", "-c", "psql -lqt | grep -qw shop"]
        database.undo = ["dropdb", "shop"]
        database.user = "postgres"
        m[Users].from_packages = ["postgres"]
        m[Hooks].after_switch = after([["/bin/last"]])
        m[Hooks].after_switch = [["/bin/middle", "$x", "%n"]]
        m[Hooks].after_switch = before([["/bin/first"]])
        m[Hooks].before_switch = [["/usr/local/bin/drain"]]

    made = evaluated(module).manifest
    assert made.checks == {
        "disk": model.Check(("/usr/bin/test", "-d", "/srv"), "No disk."),
        "net": model.Check(("/bin/sh", "-ec", "ping -c 1 10.0.0.1\ntrue\n")),
    }
    assert made.tasks == {
        "createdb": model.Task(
            ("createdb", "shop"),
            ("/bin/sh", "-c", "psql -lqt | grep -qw shop"),
            "postgres",
            ("dropdb", "shop"),
        )
    }
    assert made.after_switch == (("/bin/first",), ("/bin/middle", "$x", "%n"), ("/bin/last",))
    assert made.before_switch == (("/usr/local/bin/drain",),)
    assert read_manifest(write_manifest(made)) == made


def test_what_is_wrong_with_checks_and_tasks_is_told_together_with_places() -> None:
    def module(m: Module) -> None:
        m[Checks].add("empty")
        m[Checks]["both"].command = ["/bin/true"]
        m[Checks]["both"].script = "true"
        m[Tasks]["a b"].command = ["/bin/true"]
        m[Tasks]["who"].command = ["/bin/true"]
        m[Tasks]["who"].user = "nobody-knows"

    told = problems(module)
    assert "has 4 problems" in told
    assert "checks.empty: It has neither command nor script" in told
    assert "checks.both: It has both command and script" in told
    assert "'a b' is no name here" in told
    assert "tasks.who.user: There is no user 'nobody-knows'" in told
    assert f"{__file__.rpartition('/')[2]}:" in told


@pytest.mark.parametrize("command", ["/bin/true --now", ["./local"], ["/bin/"], [""], ["/bin/x", "a\0b"], []])
def test_what_is_no_command(command: object) -> None:
    def module(m: Module) -> None:
        m[Checks]["a"].command = command  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]

    assert "checks.a.command" in problems(module)


def test_a_command_in_one_string_is_told_how_to_be_written() -> None:
    def module(m: Module) -> None:
        m[Hooks].after_switch = [["/bin/a"], "/bin/b x"]

    told = problems(module)
    assert '["/bin/b", "x"]' in told
    assert "item 2" in told


def test_probes() -> None:
    def module(m: Module) -> None:
        m[Health].probes["page"].http = "http://127.0.0.1:8080/health?x=1"
        m[Health].probes["page"].contains = "ok"
        m[Health].probes["gone"].http = "https://[::1]/"
        m[Health].probes["gone"].status = 404
        m[Health].probes["db"].tcp = 5432
        m[Health].probes["remote"].tcp = 53
        m[Health].probes["remote"].host = "ns.example.org"
        m[Health].probes["run"].unit = "nginx.service"
        m[Health].probes["say"].command = ["/usr/bin/pg_isready"]
        m[Health].probes["off"].enable = False
        m[Health].deadline = 30
        m[Health].may_fail = ["b.service", "a.service"]

    assert evaluated(module).manifest.health == model.Health(
        {
            "page": model.HttpProbe("http://127.0.0.1:8080/health?x=1", 200, "ok"),
            "gone": model.HttpProbe("https://[::1]/", 404),
            "db": model.TcpProbe(5432),
            "remote": model.TcpProbe(53, "ns.example.org"),
            "run": model.UnitProbe("nginx.service"),
            "say": model.CommandProbe(("/usr/bin/pg_isready",)),
        },
        30,
        ("a.service", "b.service"),
    )


def test_a_probe_asks_one_question_and_has_only_what_belongs_to_it() -> None:
    def module(m: Module) -> None:
        m[Health].probes.add("none")
        m[Health].probes["two"].tcp = 1
        m[Health].probes["two"].unit = "a.service"
        m[Health].probes["stray"].tcp = 1
        m[Health].probes["stray"].status = 204
        m[Health].probes["alien"].unit = "a.service"
        m[Health].probes["alien"].host = "b"
        m[Health].probes["url"].http = "http://user:word@host/"
        m[Health].probes["name"].tcp = 1
        m[Health].probes["name"].host = "a b"

    told = problems(module)
    assert "has 6 problems" in told
    assert "health.probes.none: It has no question" in told
    assert "health.probes.two: It has both tcp and unit" in told
    assert "health.probes.stray: It has status, which belongs to http" in told
    assert "health.probes.alien: It has host, which belongs to tcp" in told
    assert "without user, password or spaces" in told
    assert "'a b' is neither the name nor the address" in told


def test_the_kernel() -> None:
    def module(m: Module) -> None:
        m[Sysctl]["net.ipv4.ip_forward"] = True
        m[Sysctl]["vm.swappiness"] = default(60)
        m[Sysctl]["vm.swappiness"] = 10
        m[Sysctl]["kernel.core_pattern"] = None
        m[KernelModules].load = ["tun", "br_netfilter"]
        m[KernelModules].load = ["tun"]
        m[KernelModules].blacklist = ["nouveau"]
        m[KernelModules].options["kvm"]["halt_poll_ns"] = 0

    made = evaluated(module).manifest
    assert made.sysctl == {"net.ipv4.ip_forward": "1", "vm.swappiness": "10"}
    assert made.kernel_modules == ("br_netfilter", "tun")
    assert made.files == {
        "/etc/sysctl.d/60-holdfast.conf": model.TextFile("net.ipv4.ip_forward = 1\nvm.swappiness = 10\n"),
        "/etc/modules-load.d/holdfast.conf": model.TextFile("br_netfilter\ntun\n"),
        "/etc/modprobe.d/holdfast.conf": model.TextFile("blacklist nouveau\noptions kvm halt_poll_ns=0\n"),
    }


def test_two_values_of_one_kernel_parameter_name_both_lines() -> None:
    def one(m: Module) -> None:
        m[Sysctl]["vm.swappiness"] = 10

    def two(m: Module) -> None:
        m[Sysctl]["vm.swappiness"] = 20

    with pytest.raises(HoldfastError, match=r"sysctl\.\"?vm\.swappiness") as caught:
        evaluated(one, two)
    assert str(caught.value.details).count("test_further_parts.py:") >= 2


def test_what_is_wrong_with_the_kernel() -> None:
    def module(m: Module) -> None:
        m[Sysctl]["net/ipv4/ip_forward"] = 1
        m[Sysctl]["vm.x"] = "a\nb"
        m[KernelModules].load = ["br-netfilter"]
        m[KernelModules].blacklist = ["br_netfilter"]

    told = problems(module)
    assert "has 3 problems" in told
    assert "write 'net.ipv4.ip_forward'" in told
    assert 'sysctl."vm.x"' in told
    assert "to be loaded and is blacklisted" in told

    def options(m: Module) -> None:
        m[KernelModules].options["kvm"]["x"] = 'a"b'

    assert "kernel-modules.options.kvm: The parameter x" in problems(options)


def test_the_host() -> None:
    def module(m: Module) -> None:
        m[Host].state_version = 3
        m[Host].allow_any_distribution = True

    made = evaluated(module).manifest
    assert (made.state_version, made.allow_any_distribution) == (3, True)


def test_every_set_of_the_library_has_its_name_and_a_function() -> None:
    for name, cls in zip(LIBRARY, every_set(), strict=True):
        assert cls.__name__ == name
        assert cls.__hf_function__ is not None, name


@pytest.mark.parametrize("example", sorted(path.parent.name for path in EXAMPLES.glob("*/systems.py")))
def test_a_set_that_nobody_imports_says_nothing(example: str) -> None:
    script = (
        "import sys, runpy\n"
        "from holdfast.library import evaluate_system, resolve\n"
        "from holdfast.library.assembling.manifest import assemble\n"
        "from holdfast.library.assembling.sets import every_set, sets_at_hand\n"
        f"systems = runpy.run_path({str(EXAMPLES / example / 'systems.py')!r})['systems']\n"
        "lean = [evaluate_system(system) for system in systems]\n"
        "assert len(sets_at_hand()) < len(every_set())\n"
        "assert lean == [assemble(system, c := resolve(system), c.verify()) for system in systems]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_set_may_be_imported_while_modules_run() -> None:
    script = (
        "from holdfast.library import Debian, System, evaluate_system\n"
        "def module(m):\n"
        "    from holdfast.library import Checks, Sysctl\n"
        "    m[Checks]['late'].command = ['/bin/true']\n"
        "    m[Sysctl]['vm.swappiness'] = 1\n"
        "made = evaluate_system(System('a', modules=[module], distro=Debian('trixie'))).manifest\n"
        "assert list(made.checks) == ['late'] and made.sysctl == {'vm.swappiness': '1'}, made\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
