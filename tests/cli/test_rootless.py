"""The command line as an ordinary user: the same identities as root, or clear words."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from holdfast.distro.lockfile import read_lock
from holdfast.project.building import build_systems
from holdfast.project.evaluation import evaluate
from holdfast.store import Store
from tests.cli.ordinary_user import RANGE, UID, give, run_as_user
from tests.cli.projects import write_project

HOLDFAST = Path(sys.executable).with_name("holdfast")
pytestmark = [pytest.mark.system, pytest.mark.slow]

# setcap(8) in a script of mtr-tiny; owners, set-group-ID bits; a locale as a layer of its own, so that layers stack.
DEFINITION = """
    m[Packages].install = ["libcap2-bin", "locales", "mtr-tiny", "openssh-client"]
    m[Identity].locale = "de_DE.UTF-8"
    m[Users].users["anna"].home = "/srv/anna"
    m[Files]["/srv/hers"].text = "hers"
    m[Files]["/srv/hers"].user = "anna"
"""


@pytest.fixture
def home() -> Generator[Path]:
    """A home directory that the user can reach, which pytest's own directories are not."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become somebody else")
    with tempfile.TemporaryDirectory(prefix="holdfast-rootless-", dir="/var/tmp") as place:
        Path(place).chmod(0o755)
        made = Path(place, "home")
        made.mkdir()
        give(made)
        if run_as_user(made, "test", "-x", HOLDFAST, check=False).returncode != 0:
            pytest.skip(f"an ordinary user cannot reach {HOLDFAST}")
        yield made


@pytest.mark.network
def test_an_ordinary_user_builds_what_root_builds(shared_store: Store, home: Path) -> None:
    write_project(home, DEFINITION)
    (roots,) = build_systems(shared_store, evaluate("web", start=home))
    store = home / ".local/share/holdfast"
    copy_packages(shared_store, home / "holdfast.lock", store)
    give(home)

    (built,) = json.loads(run_as_user(home, HOLDFAST, "build", "--json").text)
    assert built["identity"] == roots.artifact.identity
    trees = [store / "trees" / layer.diff_id[7:] / "fs" for layer in roots.artifact.layers]
    (tested,) = (
        entry
        for entry in shared_store.layers.table(roots.artifact.layers[0].diff_id).entries
        if entry.path == "usr/bin/mtr-packet"
    )
    assert dict(tested.xattrs).keys() == {"security.capability"}, (
        "the definition shows nothing about capabilities"
    )
    assert store.stat().st_uid == UID
    assert (trees[0] / "etc/passwd").stat().st_uid == UID

    assert run_as_user(home, HOLDFAST, "store", "verify").text.startswith("Sound")
    run_as_user(home, HOLDFAST, "store", "export", "systems/home/web", "image")
    assert (home / "image/index.json").stat().st_uid == UID
    run_as_user(home, HOLDFAST, "store", "rm", "systems/home/web")
    run_as_user(home, HOLDFAST, "store", "gc", "--all-cache")
    assert not any((store / "trees").iterdir())
    run_as_user(home, "unshare", "--map-root-user", "--map-auto", "rm", "-r", store)  # as the how-to says
    assert not store.exists()


@pytest.mark.network
def test_an_ordinary_user_locks_what_root_locks(shared_store: Store, home: Path) -> None:
    write_project(home, 'm[Packages].install = ["dbus"]')
    build_systems(shared_store, evaluate("web", start=home))
    wanted = (home / "holdfast.lock").read_bytes()
    copy_packages(shared_store, home / "holdfast.lock", home / ".local/share/holdfast")
    (home / "holdfast.lock").unlink()
    give(home)
    run_as_user(home, HOLDFAST, "lock", network=True)
    assert (home / "holdfast.lock").read_bytes() == wanted
    assert (home / "holdfast.lock").stat().st_uid == UID


def copy_packages(source: Store, lock: Path, destination: Path) -> None:
    """Give another store the package files that a lock names, so that it fetches none."""
    blobs = destination / "blobs/sha256"
    blobs.mkdir(parents=True, mode=0o700)
    for package_set in read_lock(lock).sets.values():
        for package in package_set.packages:
            shutil.copy(source.blobs.path(package.sha256), blobs)


def refusal(home: Path, *arguments: str, ranges: str = RANGE, before: str = ":") -> str:
    """What a command tells that must fail."""
    write_project(home, "")
    completed = run_as_user(home, HOLDFAST, *arguments, ranges=ranges, before=before, check=False)
    assert completed.returncode == 1, completed
    assert b"Traceback" not in completed.stderr
    return completed.stderr.decode()


@pytest.mark.parametrize(("ranges", "few"), [("", "no"), ("ordinary:700000:1000\n", "1000")])
def test_without_enough_ids_it_says_how_to_get_them(home: Path, ranges: str, few: str) -> None:
    told = refusal(home, "build", ranges=ranges)
    assert f"the user ordinary has {few} subordinate ids" in told
    assert "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ordinary" in told


def test_a_kernel_that_allows_no_user_namespaces(home: Path) -> None:
    """A process that was confined by chroot(2) gets none, see unshare(2)."""
    confine = 'mount --rbind / /mnt; set -- sh -c \'cd "$HOME"; exec "$@"\' sh "$@"; exec chroot --userspec=UID:UID /mnt "$@"'
    told = refusal(home, "build", before=confine.replace("UID", str(UID)))
    assert "the kernel does not allow a user namespace here: Operation not permitted" in told
    assert "with sudo" in told


def test_booting_needs_root(home: Path) -> None:
    assert "sudo holdfast run web" in refusal(home, "run", "web")


def test_the_store_of_root_is_left_alone(home: Path) -> None:
    foreign = home.parent / "foreign"
    foreign.mkdir(mode=0o700)
    told = refusal(home, "build", before=f"export HOLDFAST_STORE={foreign}")
    assert f"{foreign}" in told
    assert f"this is uid {UID}" in told


def test_doctor_knows_what_works(home: Path) -> None:
    able, unable = (
        {check["name"]: check for check in json.loads(completed.text)}["root"]
        for completed in (
            run_as_user(home, HOLDFAST, "doctor", "--json", check=False),
            run_as_user(home, HOLDFAST, "doctor", "--json", ranges="", check=False),
        )
    )
    assert (able["status"], unable["status"]) == ("ok", "warn")
    assert "65536 subordinate ids" in able["found"]
    assert "usermod --add-subuids" in unable["mend"]
