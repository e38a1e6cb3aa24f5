"""eval, explain and options: what people ask of a definition."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import pytest

from holdfast.base.process import run
from holdfast.cli.arguments import complete_system
from holdfast.manifest.document import read_manifest, write_manifest
from tests.architecture.checkout import BIN
from tests.cli.projects import CommandLine, write_project

pytestmark = pytest.mark.slow  # it starts programs or waits for them

TWO_VALUES = 'm[Identity].hostname = default("unnamed")\nm[Identity].hostname = "web1"'


def test_eval_prints_a_table(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, 'm[Packages].install = ["curl"]')
    assert holdfast("eval") == 0
    header, row = holdfast.out.splitlines()
    assert header.split()[0] == "SYSTEM"
    assert row.split()[:4] == ["web", "debian", "trixie", "1"]
    assert holdfast.err == ""


def test_eval_json_is_the_manifest_and_nothing_else(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, TWO_VALUES)
    assert holdfast("eval", "web", "--json") == 0
    document = json.loads(holdfast.out)
    manifest = read_manifest(json.dumps(document["web"]).encode())
    assert manifest.identity.hostname == "web1"
    assert json.loads(write_manifest(manifest)) == document["web"]


def test_warnings_are_told_on_stderr(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, 'm.warn("mind the gap")')
    assert holdfast("eval") == 0
    assert "warning: web: mind the gap" in holdfast.err
    assert "mind the gap" not in holdfast.out


def test_explain_tells_winners_and_losers(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, TWO_VALUES)
    assert holdfast("explain", "web", "identity.hostname") == 0
    assert "identity.hostname = 'web1'" in holdfast.out
    assert "* systems.py:7: 'web1'" in holdfast.out
    assert "- systems.py:6: 'unnamed'" in holdfast.out


def test_explain_json(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, TWO_VALUES)
    assert holdfast("explain", "web", "identity.hostname", "--json") == 0
    document = json.loads(holdfast.out)
    assert document["path"] == ["identity", "hostname"]
    assert {item["outcome"] for item in document["definitions"]} >= {"won", "outranked"}


def test_explain_takes_quoted_parts(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, 'm[Files]["/etc/motd"].text = "hello"')
    assert holdfast("explain", "web", 'files."/etc/motd".text') == 0
    assert "hello" in holdfast.out


@pytest.mark.slow
def test_explain_names_no_sets_that_nobody_imports(tmp_path: Path) -> None:
    write_project(tmp_path, 'm[Packages].install = ["curl"]')
    command = [str(BIN / "holdfast"), "explain", "web"]  # this process has loaded every set
    said = run([*command, "packages.install"], cwd=tmp_path).text
    assert "'curl'" in said and "identity.py" in said
    assert "wrappers.py" not in said and "sudo.py" not in said
    assert "sudo.rules = {}" in run([*command, "sudo.rules"], cwd=tmp_path).text


def test_explain_an_unknown_option_suggests(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, "")
    assert "identity.hostname" in holdfast.fails("explain", "web", "identity.hostnam")


def test_explain_wants_one_system(holdfast: CommandLine, tmp_path: Path) -> None:
    path = write_project(tmp_path, "")
    path.write_text(path.read_text() + 'systems.append(System("db", modules=[], distro=Debian("sid")))\n')
    assert "one system at a time" in holdfast.fails("explain", "*", "identity.hostname")


def test_options_without_a_project(holdfast: CommandLine) -> None:
    assert holdfast("options", "hostname") == 0
    assert holdfast.out.startswith("identity.hostname\n")
    assert holdfast("options", "hostname", "--json") == 0
    assert json.loads(holdfast.out)[0]["path"] == "identity.hostname"


def test_options_that_nobody_has(holdfast: CommandLine) -> None:
    assert "no option has 'quantum'" in holdfast.fails("options", "quantum")


def test_options_of_a_system_include_its_own_sets(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(
        tmp_path,
        "m.imports(Blog)\nm[Blog].title = 'x'",
        extra=(
            "from holdfast.options import STR, OptionSet, option\n\n\n"
            "class Blog(OptionSet, path='blog'):\n"
            "    title = option(STR, default='untitled', doc='What stands above everything.')\n"
        ),
    )
    assert holdfast("options", "above", "everything", "--system", "web") == 0, holdfast.err
    assert holdfast.out.startswith("blog.title\n")


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("holdfast eval w", "plain,web\n"),
        pytest.param("holdfast eval x", "\n", marks=pytest.mark.slow),
        ("holdfast explain web identity.h", "plain,identity.hostname\nplain,identity.hosts\n"),
        pytest.param("holdfast store ex", "plain,export\n", marks=pytest.mark.slow),
    ],
)
def test_the_shell_completes(tmp_path: Path, words: str, completions: str) -> None:
    write_project(tmp_path, "")
    completed = run(
        [Path(sys.executable).with_name("holdfast")],
        cwd=tmp_path,
        env={
            "_HOLDFAST_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        },
    )
    assert completed.text == completions


@pytest.mark.parametrize(
    ("incomplete", "words"),
    [
        ("", ["web", "tag:eu", "tag:prod"]),
        ("tag:p", ["tag:prod"]),
        ("systems.py:", ["systems.py:web", "systems.py:tag:eu", "systems.py:tag:prod"]),
        ("systems.py:tag:e", ["systems.py:tag:eu"]),
        ("./", []),
        ("gone.py:", []),
    ],
)
def test_names_and_tags_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, incomplete: str, words: list[str]
) -> None:
    path = write_project(tmp_path, "")
    path.write_text(path.read_text().replace('Debian("trixie"))', 'Debian("trixie"), tags={"prod", "eu"})'))
    monkeypatch.chdir(tmp_path)
    command = click.Command("eval", params=[click.Argument(["system"])])
    found = complete_system(click.Context(command), command.params[0], incomplete)
    assert [item.value for item in found] == words
