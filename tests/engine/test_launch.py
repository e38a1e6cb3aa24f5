"""The scripts, run by real shells in a directory that has only the programs that the test puts there."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from holdfast.base.process import Completed, run
from holdfast.engine import launch

pytestmark = pytest.mark.slow  # it starts programs or waits for them

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
OLD = sorted(Path("~/.pyenv/versions").expanduser().glob("[23].[0-9].*/bin/python"))


def with_home(text: str, home: Path) -> str:
    """The script for another place, and without the absolute names of Python, so that PATH decides."""
    found = text.replace(launch.ENGINE_HOME, str(home)).replace(
        "/usr/bin/python3 /usr/local/bin/python3 ", ""
    )
    assert found != text
    return found


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    directory = tmp_path / "programs"
    directory.mkdir()
    for name in ("uname", "mkdir", "cat", "rm", "id", "sh"):
        (directory / name).symlink_to(str(shutil.which(name)))
    return directory


def shell(name: str, script: str, *words: str, programs: Path, stdin: bytes = b"") -> Completed:
    interpreter = [str(shutil.which(name)), *(["sh"] if name == "busybox" else [])]
    return run(
        [*interpreter, "-c", script, "holdfast", *words],
        env={"PATH": str(programs)},
        stdin=stdin,
        check=False,
    )


@pytest.mark.parametrize("name", SHELLS)
def test_the_engine_is_started_with_its_arguments(name: str, programs: Path, tmp_path: Path) -> None:
    (programs / "python3").symlink_to(sys.executable)
    engine = tmp_path / "home" / "abc"
    engine.mkdir(parents=True)
    (engine / "run").write_text(with_home(launch.RUN + f"# {launch.ENGINE_HOME}", tmp_path / "home"))
    (engine / "__main__.py").write_text(
        "import sys; print(sys.argv[1:], sys.flags.isolated, sys.flags.no_site)"
    )
    script = with_home(launch.start_script("abc"), tmp_path / "home")
    done = shell(name, script, "status", "a b", "$x", programs=programs)
    assert (done.returncode, done.text.strip()) == (0, "['status', 'a b', '$x'] 1 1")


@pytest.mark.parametrize("name", SHELLS)
def test_an_engine_that_is_not_there_is_a_code_of_its_own(name: str, programs: Path, tmp_path: Path) -> None:
    script = with_home(launch.start_script("abc"), tmp_path / "home")
    assert shell(name, script, "status", programs=programs).returncode == launch.EXIT_NO_ENGINE


@pytest.mark.parametrize("name", SHELLS)
def test_no_python_is_told_with_the_package(name: str, programs: Path, tmp_path: Path) -> None:
    done = shell(
        name, with_home(launch.install_script("abc"), tmp_path / "home"), programs=programs, stdin=b"zip"
    )
    assert done.returncode == launch.EXIT_NO_PYTHON
    said = done.stderr.decode()
    assert "there is no python3" in said
    assert "apt-get install python3" in said or "install" in said
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("name", SHELLS)
def test_installing_hands_over_stdin_and_leaves_nothing(name: str, programs: Path, tmp_path: Path) -> None:
    fake = programs / "python3"
    fake.write_text(
        '#!/bin/sh\n[ "$1 $2" = "-I -S" ] || exit 9\n[ "$3" = -c ] && exit 0\necho "$4 $5 $6 $7: $(cat "$3")"\nexit 7\n'
    )
    fake.chmod(0o755)
    script = with_home(launch.install_script("abc"), tmp_path / "home")
    done = shell(name, script, programs=programs, stdin=b"the archive")
    assert (done.returncode, done.text) == (7, "install --json --digest abc: the archive\n")
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\3\4half of a zip"])
def test_what_is_no_archive_is_not_run(data: bytes, programs: Path, tmp_path: Path) -> None:
    (programs / "python3").symlink_to(sys.executable)
    done = shell(
        "dash", with_home(launch.install_script("abc"), tmp_path / "home"), programs=programs, stdin=data
    )
    assert done.returncode == 1
    assert done.stderr.decode().startswith("error: the engine did not arrive whole")
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize("python", OLD, ids=lambda path: path.parts[-3])
def test_the_start_is_understood_by_every_python(python: Path, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(launch.MAIN)
    done = run([python, tmp_path], env={"HOLDFAST_PYTHON_TRIED": "1"}, check=False)
    said = done.stderr.decode()
    if [int(part) for part in python.parts[-3].split(".")[:2]] < [3, 10]:
        assert done.returncode == launch.EXIT_NO_PYTHON
        assert "needs Python 3.10 or newer" in said
    else:
        # New enough: it went on to import the engine.
        assert "ModuleNotFoundError" in said or "ImportError" in said


def test_an_old_python_hands_over_to_a_newer_one(tmp_path: Path) -> None:
    old = next((path for path in OLD if path.parts[-3].startswith(("2.", "3.9"))), None)
    if old is None:
        pytest.skip("needs an old Python beside this one")
    (tmp_path / "python3.15").write_text('#!/bin/sh\necho "handed over: $*"\n')
    (tmp_path / "python3.15").chmod(0o755)
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine/__main__.py").write_text(launch.MAIN)
    done = run([old, tmp_path / "engine", "status"], env={"PATH": str(tmp_path)}, check=False)
    assert done.text.strip() == f"handed over: -I -S {tmp_path}/engine status"


def test_the_command_says_what_is_missing(programs: Path, tmp_path: Path) -> None:
    done = shell("bash", with_home(launch.COMMAND, tmp_path / "home"), "status", programs=programs)
    assert done.returncode == launch.EXIT_NO_ENGINE
    assert "engine is not in" in done.stderr.decode() or "only root" in done.stderr.decode()
