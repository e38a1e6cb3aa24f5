"""The whole way through the command line: init, lock, build, run, change, rebuild, export. Boots real systems."""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.base.locks import file_lock
from holdfast.base.process import Completed, run
from holdfast.cli.commands.run import machine_name
from holdfast.project.building import store_contents
from holdfast.project.evaluation import Evaluation, evaluate
from holdfast.store import Store, open_store
from tests.architecture.checkout import ROOT
from tests.cli.projects import write_project
from tests.distro.debian.archives import serve
from tests.system.pages import essence

HOLDFAST = Path(sys.executable).with_name("holdfast")
pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]


@pytest.mark.parametrize(
    ("system", "name"), [("web", "web"), ("Web_1.eu", "web-1-eu"), ("-", "machine"), ("x" * 80, "x" * 63)]
)
def test_machine_names(system: str, name: str) -> None:
    assert machine_name(system) == name


# The service is started when systemd has executed it, a moment before it listens.
FETCH = (
    "curl",
    "-sS",
    "--fail",
    "--retry",
    "20",
    "--retry-delay",
    "1",
    "--retry-connrefused",
    "http://localhost:8080/",
)


class Project:
    """A directory with a definition, and a store."""

    def __init__(self, directory: Path, store: Path) -> None:
        self.directory = directory
        self.store = store

    def __call__(self, *arguments: str, check: bool = True) -> Completed:
        return run(
            [HOLDFAST, *arguments],
            cwd=self.directory,
            env={"HOLDFAST_STORE": str(self.store)},
            check=check,
            timeout=600,
        )


@pytest.fixture(scope="module")
def project(shared_store: Store) -> Project:
    """What `holdfast init` writes, locked and built once in the run's store, whichever worker comes first."""
    template = files("holdfast.cli.templates").joinpath("container.py").read_bytes()
    made = Project(shared_store.root / f"life-{digest_bytes(template)[7:19]}", shared_store.root)
    made.directory.mkdir(exist_ok=True)
    with file_lock(made.directory / "turn", wait_seconds=600, purpose="the project of the life tests"):
        if not (made.directory / "systems.py").exists():
            made("init")
        made("build")
    return made


def build(project: Project) -> str:
    """Identity of what a build gives."""
    (built,) = json.loads(project("build", "web", "--json").text)
    assert built["identity"].startswith("sha256:")
    return str(built["identity"])


def test_building_twice_gives_the_same_and_the_second_time_nothing_is_done(project: Project) -> None:
    assert build(project) == build(project)
    assert (project.directory / "holdfast.lock").exists()
    assert project.directory.name in project("store", "ls").text


def test_another_store_without_network_gives_the_same_identity(project: Project, tmp_path: Path) -> None:
    wanted = build(project)
    other = tmp_path / "store"
    (other / "blobs").mkdir(parents=True, mode=0o700)
    run(["cp", "--archive", "--link", project.store / "blobs" / "sha256", other / "blobs"])
    completed = run(
        ["unshare", "--net", HOLDFAST, "build", "web", "--json"],
        cwd=project.directory,
        env={"HOLDFAST_STORE": str(other)},
        timeout=600,
    )
    assert json.loads(completed.text)[0]["identity"] == wanted


def test_a_command_in_a_booted_system(project: Project) -> None:
    completed = project("run", "web", "--", *FETCH)
    assert completed.text == "<h1>Held fast.</h1>\n"


def test_the_commands_exit_code_is_ours(project: Project) -> None:
    assert project("run", "web", "--", "sh", "-c", "exit 42", check=False).returncode == 42
    assert project("run", "web", "--", "sh", "-c", "kill -TERM $$", check=False).returncode == 143


def test_run_as_json(project: Project) -> None:
    completed = project("run", "web", "--json", "--", "sh", "-c", "hostname; exit 3", check=False)
    result = json.loads(completed.text)
    assert completed.returncode == 3
    assert (result["stdout"], result["exit_code"]) == ("web1\n", 3)
    events = [json.loads(line)["event"] for line in completed.stderr.decode().splitlines()]
    assert "stage-ended" in events


def test_a_system_is_running_without_failed_units(project: Project) -> None:
    completed = project("run", "web", "--", "systemctl", "is-system-running", check=False)
    failed = (
        "" if completed.text == "running\n" else project("run", "web", "--", "systemctl", "--failed").text
    )
    assert completed.text == "running\n", failed


def test_a_changed_line_is_in_the_next_build(project: Project, tmp_path: Path) -> None:
    changed = Project(tmp_path, project.store)
    for name in ("systems.py", "holdfast.lock"):
        (tmp_path / name).write_bytes((project.directory / name).read_bytes())
    path = tmp_path / "systems.py"
    path.write_text(path.read_text().replace("Held fast.</h1>", "Held faster.</h1>"))
    before = (tmp_path / "holdfast.lock").read_bytes()
    assert build(changed) != build(project)
    assert (tmp_path / "holdfast.lock").read_bytes() == before
    assert changed("run", "web", "--", "cat", "/srv/www/index.html").text == "<h1>Held faster.</h1>\n"


def test_a_fetched_file_is_in_the_system_and_its_server_may_go_away(project: Project, tmp_path: Path) -> None:
    changed = Project(tmp_path, project.store)
    (tmp_path / "holdfast.lock").write_bytes((project.directory / "holdfast.lock").read_bytes())
    tool = f"#!/bin/sh\necho fetched into {tmp_path}\n".encode()
    (tmp_path / "web").mkdir()
    (tmp_path / "web/tool").write_bytes(tool)
    with serve(tmp_path / "web") as server:
        line = f'm[Files]["/usr/local/bin/tool"].source = Fetched("{server.url}/tool", sha256="{digest_bytes(tool)}")'
        text = (
            (project.directory / "systems.py")
            .read_text()
            .replace("import Debian,", "import Debian, Fetched,")
        )
        head, motd, rest = text.partition("    m[Files]")
        assert motd
        for more in ("", '    m[Files]["/etc/second"].text = "another build"\n'):
            mode = '    m[Files]["/usr/local/bin/tool"].mode = "0755"\n'
            (tmp_path / "systems.py").write_text(f"{head}    {line}\n{mode}{more}{motd}{rest}")
            build(changed)
            server.answer = lambda _path, _range: (500, {}, b"")
        assert server.requests == ["/tool"]
    assert changed("run", "web", "--", "tool").text == tool.decode().partition("echo ")[2]


def test_locking_again_moves_nothing(project: Project) -> None:
    before = (project.directory / "holdfast.lock").read_bytes()
    report = json.loads(project("lock", "--json").text)
    assert report["written"] is False
    assert report["sets"][0]["packages"] > 50
    assert (project.directory / "holdfast.lock").read_bytes() == before
    assert "Nothing to change" in project("lock").text


def test_an_update_prints_the_difference(project: Project, tmp_path: Path) -> None:
    """A package that was locked and is not needed shows up as removed; nothing else moves within one run."""
    changed = Project(tmp_path, project.store)
    (tmp_path / "systems.py").write_bytes((project.directory / "systems.py").read_bytes())
    (tmp_path / "holdfast.lock").write_bytes((project.directory / "holdfast.lock").read_bytes())
    text = (tmp_path / "systems.py").read_text()
    (tmp_path / "systems.py").write_text(text.replace('"python3", "curl"', '"python3"'))
    assert changed("build", check=False).returncode == 1
    report = changed("lock").text
    assert "  - curl " in report
    assert "  + " not in report


def test_ids_that_a_lock_gives_are_told(project: Project, tmp_path: Path) -> None:
    changed = Project(tmp_path, project.store)
    text = (project.directory / "systems.py").read_text()
    text = text.replace("import Files,", "import Files, Users,").replace(
        "    hello = m", '    m[Users].users["hello"].system = True\n    hello = m', 1
    )
    (tmp_path / "systems.py").write_text(text)
    (tmp_path / "holdfast.lock").write_bytes((project.directory / "holdfast.lock").read_bytes())
    assert "no ids for accounts of the system 'web': hello" in changed("build", check=False).stderr.decode()
    report = json.loads(changed("lock", "--json").text)
    ids = report["accounts"]["web"]
    assert ids["users"].keys() == ids["groups"].keys() == {"hello"}
    (tmp_path / "holdfast.lock").write_bytes((project.directory / "holdfast.lock").read_bytes())
    uid, gid = ids["users"]["hello"], ids["groups"]["hello"]
    assert f"web: new ids: user hello {uid}, group hello {gid}\n" in changed("lock").text
    assert "new ids" not in changed("lock").text


def test_a_file_that_changes_during_the_build_is_refused(project: Project, tmp_path: Path) -> None:
    """The definition says so by itself: the file is another one when it is read for the second time."""
    (tmp_path / "page.html").write_text("one\n")
    evaluation = evaluate_with_source(tmp_path)
    (tmp_path / "page.html").write_text("two\n")
    with pytest.raises(HoldfastError, match=r"page\.html changed while web was being built"):
        store_contents(open_store(tmp_path / "store"), evaluation.systems[0])


def evaluate_with_source(directory: Path) -> Evaluation:
    write_project(directory, 'm[Files]["/srv/page.html"].source = "page.html"')
    return evaluate("web", start=directory)


def test_the_demo_shows_the_page_and_the_changed_page(shared_store: Store, tmp_path: Path) -> None:
    (tmp_path / "store").symlink_to(shared_store.root)
    before = example_files()
    completed = run([ROOT / "examples" / "demo.sh"], env={"DEMO_PLACE": str(tmp_path)}, timeout=600)
    assert "\n<h1>Held fast.</h1>\n" in completed.text
    assert "\n<h1>Held fast since " in completed.text
    assert "packages.install = [" in completed.text
    assert "systems/web/web" in completed.text
    assert example_files() == before, "the demo works on a copy"
    readme = by_command((ROOT / "README.md").read_text().partition("From `make demo`")[2])
    printed = by_command(completed.text)
    assert printed.keys() <= readme.keys(), "the README shows what the demo does"
    for command, lines in printed.items():
        if not command.startswith(("$ holdfast store ls", "$ grep")):  # other systems, other versions
            assert lines <= readme[command], command


def by_command(text: str) -> dict[str, set[str]]:
    """What a console shows, in essence: the lines below each command. Progress is in some places only."""
    found: dict[str, set[str]] = {}
    for line in essence(text).splitlines():
        if line.startswith("$ "):
            lines = found.setdefault(line, set())
        elif found and line and not line.startswith("#"):
            lines.add(line)
    return found


def example_files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (ROOT / "examples").rglob("*") if path.is_file()}


def test_doctor_finds_this_machine_able() -> None:
    completed = run([HOLDFAST, "doctor", "--json"], check=False)
    checks = {check["name"]: check for check in json.loads(completed.text)}
    assert completed.returncode == 0, completed.text
    assert checks["evaluation"]["status"] == "ok"
    assert checks["overlayfs"]["status"] == "ok"
