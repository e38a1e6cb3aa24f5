"""A machine described, evaluated, and planned against itself."""

from __future__ import annotations

import ast
import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.base.process import run
from holdfast.host.accounts.ids import Ids
from holdfast.host.files.actions import Action
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.inventory.reading import read_inventory
from holdfast.host.planning.facts import read_facts
from holdfast.host.planning.plan import make_plan
from holdfast.manifest.document import read_manifest
from holdfast.manifest.inventory import (
    INVENTORY_VERSION,
    FoundFile,
    FoundGroup,
    FoundUnit,
    FoundUser,
    Inventory,
)
from holdfast.manifest.model import BlobFile, Link, Manifest
from holdfast.project.describing import Description, describe, system_name
from holdfast.project.evaluation import evaluate
from holdfast.project.python_text import comment, listing, literal, text_literal
from holdfast.project.taking_over import describe_taken_over
from tests.architecture.checkout import BIN
from tests.examples import at_most
from tests.host.machines import make_machine
from tests.host.roots import EPOCH

COMMAND = "holdfast init --from root@web1"


def inventory_of(root: Path) -> Inventory:
    with RootDirectory(root) as directory:
        return read_inventory(directory, contents=True)


def write(description: Description, directory: Path) -> Path:
    for name, data in description.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755 if name in description.executable else 0o644)
    path = directory / "systems.py"
    path.write_text(description.text)
    return path


def manifest_of(description: Description, directory: Path) -> Manifest:
    path = write(description, directory)
    (system,) = evaluate(f"{path}:", in_process=True).systems
    return read_manifest(system.data)


def changes(root: Path, manifest: Manifest) -> list[Action]:
    """What a plan would do, apart from recording it."""
    with RootDirectory(root) as directory:
        facts = read_facts(directory, manifest, None, ids=Ids(), epoch=EPOCH)
        plan = make_plan(facts, None, manifest, ids=Ids(), epoch=EPOCH)
    return [action for action in plan.actions if not action.path.startswith("/var/lib/holdfast")]


def test_the_first_plan_changes_nothing(tmp_path: Path) -> None:
    root = make_machine(tmp_path / "root")
    found = inventory_of(root)
    made = describe(found, "web1", target="root@web1", command=COMMAND)
    manifest = manifest_of(made, tmp_path / "project")
    assert changes(root, manifest) == []
    assert made == describe(found, "web1", target="root@web1", command=COMMAND)
    # it says what it found
    assert manifest.packages.install == ("foo", "held", "tzdata")
    assert manifest.target == "root@web1"
    assert manifest.distribution.release == "trixie"
    assert manifest.users["ann"].authorized_keys == ("ssh-ed25519 AAAA ann@example", "ssh-ed25519 BBBB")
    assert manifest.users["bob"].uid == 1001
    assert set(manifest.units) == set(found.units)
    assert "/etc/foo.conf" in manifest.files
    for told in ("/etc/sudoers.d/ann: not everybody may read it", "user old", "the crontab of ann"):
        assert told in made.text
    for secret in ("NOPASSWD", "$y$", "PRIVATE"):
        assert secret not in made.text + repr(made.files)


def test_a_change_on_the_machine_is_one_in_the_plan(tmp_path: Path) -> None:
    root = make_machine(tmp_path / "root")
    manifest = manifest_of(describe(inventory_of(root), "web1", target=None, command=COMMAND), tmp_path)
    (root / "etc/foo.conf").write_text("color = green\n")
    (root / "etc/systemd/system/multi-user.target.wants/enabled.service").unlink()
    assert {action.path for action in changes(root, manifest)} == {
        "/etc/foo.conf",
        "/etc/systemd/system/multi-user.target.wants/enabled.service",
    }


@pytest.mark.slow
def test_it_is_written_as_people_write(tmp_path: Path) -> None:
    made = describe(
        inventory_of(make_machine(tmp_path / "root")), "web1", target="root@web1", command=COMMAND
    )
    path = write(made, tmp_path)
    run([str(BIN / "ruff"), "format", "--isolated", "--line-length", "100", "--check", str(path)])
    run([str(BIN / "ruff"), "check", "--isolated", "--select", "E,F,I,B", "--ignore", "E501", str(path)])
    run([str(BIN / "mypy"), "--strict", str(path)])


def test_the_whole_text(tmp_path: Path) -> None:
    found = dataclasses.replace(
        Inventory(INVENTORY_VERSION, {"ID": "debian", "VERSION_CODENAME": "sid"}, "arm64"),
        hostname="box",
        locale="C.UTF-8",
        unstable=True,
        packages=("curl",),
    )
    made = describe(found, "box", target=None, command="holdfast init --from local")
    assert made.text == (
        '''\
"""What box was when `holdfast init --from local` looked at it: planned at once, it changes nothing."""

from __future__ import annotations

from holdfast import Debian, Module, System
from holdfast.library import Identity, Packages


def machine(m: Module) -> None:
    """Who it is, and what is installed."""
    m[Identity].hostname = "box"
    m[Identity].timezone = None  # nothing on the machine says one
    m[Packages].install = ["curl"]


systems = [System("box", modules=[machine], distro=Debian("sid", architecture="arm64"))]
'''
    )
    assert manifest_of(made, tmp_path).identity.timezone is None


def test_ubuntu_is_called_ubuntu(tmp_path: Path) -> None:
    ubuntu = {"ID": "ubuntu", "ID_LIKE": "debian", "VERSION_CODENAME": "noble", "UBUNTU_CODENAME": "noble"}
    mint = {
        "ID": "linuxmint",
        "ID_LIKE": "ubuntu debian",
        "VERSION_CODENAME": "wilma",
        "UBUNTU_CODENAME": "noble",
    }
    for name, release in (("one", ubuntu), ("two", mint)):
        inventory = dataclasses.replace(Inventory(INVENTORY_VERSION, release, "amd64"), hostname=name)
        made = describe(inventory, name, target=None, command=COMMAND)
        assert "from holdfast import Module, System, Ubuntu\n" in made.text
        assert 'distro=Ubuntu("noble")' in made.text and "Debian" not in made.text
        (tmp_path / name).mkdir()
        assert manifest_of(made, tmp_path / name).distribution.release == "noble"


HOSTILE = '"""\nimport os\n\\'
"""Text that would be code of the author's if it stood outside of a literal."""


def test_what_a_machine_says_never_becomes_code() -> None:
    """Whoever has taken over a machine must not get the author's by what that describes."""
    file = FoundFile("", 1, "0600", "root", "root", "not from a package", text="x")
    outside = ("/../../.ssh/authorized_keys", "//etc/x", "/etc/./x", "etc/x", "/", "", f"/etc/{HOSTILE}")
    user = FoundUser(1000, "ann", (), HOSTILE, HOSTILE, HOSTILE, True, True, authorized_keys=(HOSTILE,))
    unit = FoundUnit(HOSTILE, {HOSTILE: HOSTILE}, wanted_by=(HOSTILE,))
    for language in ({}, {"tzdata": "1", "locales": "1"}):
        found = Inventory(
            INVENTORY_VERSION,
            {"ID": "debian", "VERSION_CODENAME": "trixie", "UBUNTU_CODENAME": HOSTILE},
            HOSTILE,
            hostname=HOSTILE,
            locale=HOSTILE,
            timezone=HOSTILE,
            packages=("nginx", HOSTILE),
            held=(HOSTILE,),
            installed=language,
            files={**dict.fromkeys(outside, file), "/etc/fine": file},
            links={f"/etc/{HOSTILE}": HOSTILE},
            units={HOSTILE: unit, "b.service": FoundUnit(masked=True, dropins={HOSTILE: HOSTILE})},
            users={"ann": user, HOSTILE: user},
            groups={HOSTILE: FoundGroup(1, (HOSTILE,)), "x": FoundGroup(2, (HOSTILE,))},
            left_out={HOSTILE: HOSTILE},
            crontabs=(HOSTILE,),
        )
        made = describe(found, "web1", target=None, command=COMMAND)
        assert set(made.files) == {"files/etc/fine"}
        _demand_no_code(made.text)
    _demand_no_code(describe_taken_over({f"/{HOSTILE}": BlobFile(digest_bytes(b""))}, tool="System Manager"))
    _demand_no_code(describe_taken_over({f"/{HOSTILE}": Link(HOSTILE)}, tool="System Manager"))


def test_contents_that_make_no_sense_are_left_out() -> None:
    fine = FoundFile("", 1, "0600", "root", "root", "not from a package", text="x")
    wrong = (
        replace(fine, mode="rw-r--r--"),
        replace(fine, mode="-1"),
        replace(fine, text="\ud800"),
        replace(fine, text=None, base64="="),
        replace(fine, text=None, base64="é"),
        replace(fine, text=None),
    )
    files = {"/etc/fine": fine, **{f"/etc/wrong{number}": file for number, file in enumerate(wrong)}}
    found = Inventory(INVENTORY_VERSION, {"ID": "debian", "VERSION_CODENAME": "trixie"}, "", files=files)
    made = describe(found, "web1", target=None, command=COMMAND)
    assert set(made.files) == {"files/etc/fine"}
    assert sum("makes no sense" in note for note in made.notes) == len(wrong)


def _demand_no_code(text: str) -> None:
    imported = [
        name.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names
    ]
    assert imported == [], text


def test_refused() -> None:
    fedora = Inventory(INVENTORY_VERSION, {"ID": "fedora", "PRETTY_NAME": "Fedora 45"}, "")
    with pytest.raises(HoldfastError, match="the machine runs Fedora 45"):
        describe(fedora, "box", target=None, command=COMMAND)
    with pytest.raises(HoldfastError, match="'a b' is no name of a system"):
        describe(fedora, "a b", target=None, command=COMMAND)


def test_names() -> None:
    bare = Inventory(INVENTORY_VERSION, {}, "")
    assert system_name(dataclasses.replace(bare, hostname="web1.example.org"), "root@x") == "web1.example.org"
    assert system_name(bare, "root@10.0.0.1") == "10.0.0.1"
    assert system_name(bare, None) == "machine"


@at_most(80)
@given(st.text(max_size=40), st.lists(st.text(max_size=20), max_size=6))
def test_any_text_survives_being_source(text: str, items: list[str]) -> None:
    assert ast.literal_eval(literal(text)) == text
    assert ast.literal_eval("\n".join(text_literal(text))) == text
    assert ast.literal_eval("\n".join(listing("", items))) == items
    assert '"' not in comment(text)
    assert ast.literal_eval(f'"""{comment(text)} """') is not None


def test_texts_stay_readable() -> None:
    assert text_literal("[Unit]\nX=1\n") == ['"""\\', "[Unit]", "X=1", '"""']
