"""What people get wrong in definitions, and what they are told. Every test reads the message."""

from __future__ import annotations

from pathlib import Path

from tests.cli.projects import CommandLine, write_project


def test_misspelled_option(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, 'm[Identity].hostnam = "web1"')
    told = holdfast.fails("eval")
    assert "systems.py:6" in told
    assert "hostnam" in told
    assert "hostname" in told.replace("hostnam ", ""), "the nearest option is suggested"


def test_definitions_in_conflict_name_both_lines(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, 'm[Identity].hostname = "one"\nm[Identity].hostname = "two"')
    told = holdfast.fails("eval")
    assert "identity.hostname" in told
    for word in ("systems.py:6", "systems.py:7", "one", "two", "force"):
        assert word in told


def test_a_wrong_type_says_the_type_in_words(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, "m[Identity].hostname = 5")
    told = holdfast.fails("eval")
    assert "systems.py:6" in told
    assert "identity.hostname" in told
    assert "5" in told


def test_a_cycle_prints_its_chain(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(
        tmp_path,
        """
        m[Identity].hostname = lazy(lambda c: c[Identity].timezone)
        m[Identity].timezone = lazy(lambda c: c[Identity].hostname)
        """,
    )
    told = holdfast.fails("eval", advice="Break the circle")
    assert "identity.hostname needs identity.timezone (at systems.py:6)" in told
    assert "identity.timezone needs identity.hostname (at systems.py:7)" in told


def test_a_syntax_error_has_file_line_and_caret(holdfast: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "systems.py").write_text('x = 1\nsystems = [System("web" modules=[])]\n')
    told = holdfast.fails("eval")
    assert "systems.py:2: SyntaxError" in told
    lines = told.splitlines()
    source = next(number for number, line in enumerate(lines) if "modules=[]" in line)
    assert set(lines[source + 1].strip()) == {"^"}


def test_wrong_indentation(holdfast: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "systems.py").write_text("def web(m):\npass\n")
    assert "systems.py:2: IndentationError" in holdfast.fails("eval")


def test_an_exception_shows_the_authors_frames_alone(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(
        tmp_path, "m[Identity].hostname = helper()", extra="def helper() -> str:\n    return {}['missing']\n"
    )
    told = holdfast.fails("eval")
    assert "systems.py:10" in told
    assert "KeyError: 'missing'" in told
    assert "module (systems.py:5)" in told, "and whose module it was"
    assert "holdfast/options" not in told
    assert "holdfast/project" not in told


def test_an_exception_in_a_lazy_value(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, "m[Identity].hostname = lazy(lambda c: str(1 // 0))")
    told = holdfast.fails("eval")
    assert "ZeroDivisionError" in told
    assert "systems.py:6" in told


def test_an_import_of_nothing(holdfast: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "systems.py").write_text("from modules.web import web\n")
    told = holdfast.fails("eval")
    assert "systems.py:1: ModuleNotFoundError: No module named 'modules'" in told
    assert "modules.py beside systems.py" in told


def test_modules_beside_the_file_are_found_from_anywhere(holdfast: CommandLine, tmp_path: Path) -> None:
    path = write_project(tmp_path / "project", "part(m)", extra="from part import part\n")
    (tmp_path / "project" / "part.py").write_text("def part(m): pass\n")
    assert holdfast("eval", f"{path}:web") == 0, holdfast.err
    assert not (tmp_path / "project" / "__pycache__").exists()


def test_a_stray_print_is_seen_and_corrupts_nothing(holdfast: CommandLine, tmp_path: Path) -> None:
    path = write_project(tmp_path, 'm[Identity].hostname = "web1"')
    assert holdfast("eval", "--json") == 0, holdfast.err
    clean = holdfast.out
    path.write_text(path.read_text() + "print('stray', [1, 2])\nimport os\nos.system('echo deeper')\n")
    assert holdfast("eval", "--json") == 0
    assert holdfast.out == clean
    assert "stray [1, 2]" in holdfast.err
    assert "deeper" in holdfast.err


def test_an_unknown_system_lists_and_suggests(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, "", name="webserver")
    told = holdfast.fails("eval", "websrever")
    assert "systems.py has no system 'websrever'" in told
    assert "It has: webserver" in told
    assert "Did you mean 'webserver'?" in told


def test_no_project_at_all(holdfast: CommandLine) -> None:
    assert "holdfast init" in holdfast.fails("eval", "web")


def test_a_file_without_systems(holdfast: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "systems.py").write_text("x = 1\n")
    assert "does not define `systems`" in holdfast.fails("eval")


def test_a_module_in_place_of_a_system(holdfast: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "systems.py").write_text("def web(m): pass\nsystems = [web]\n")
    told = holdfast.fails("eval")
    assert "systems[0]" in told
    assert "function" in told


def test_two_systems_of_one_name(holdfast: CommandLine, tmp_path: Path) -> None:
    path = write_project(tmp_path, "")
    path.write_text(path.read_text() + "systems = systems * 2\n")
    assert "defines the system 'web' twice" in holdfast.fails("eval")


def test_what_a_system_refuses_is_told_with_the_line(holdfast: CommandLine, tmp_path: Path) -> None:
    path = write_project(tmp_path, "")
    path.write_text(path.read_text().replace('distro=Debian("trixie")', 'distro="trixie"'))
    told = holdfast.fails("eval")
    assert told.startswith("error: systems.py:10: system 'web': distro is 'trixie'\n")
    assert 'Write distro=Debian("trixie")' in told


def test_exit_in_a_definition(holdfast: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "systems.py").write_text("import sys\nsys.exit(3)\n")
    assert "called exit (3)" in holdfast.fails("eval")


def test_the_network_cannot_be_reached(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(
        tmp_path, "", extra="import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)\n"
    )
    told = holdfast.fails("eval")
    assert "systems.py:10: " in told
    assert "unreachable" in told or "PermissionError" in told


def test_an_unknown_release_names_the_known_ones(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, "", release="trixi")
    told = holdfast.fails("lock")
    assert "trixi" in told
    for release in ("bookworm", "trixie", "forky", "sid"):
        assert release in told
