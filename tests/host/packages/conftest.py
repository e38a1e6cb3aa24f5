"""A booted Debian machine with python3, fresh for each test, and packages to put on it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import jeepney
import pytest

from holdfast.base.codec import encode
from holdfast.base.digests import digest_bytes
from holdfast.host.packages.record import PackageState
from holdfast.host.packages.wanted import WantedPackages
from holdfast.host.state import STATE_VERSION, Managed, State
from holdfast.machine import Machine, Settings, boot_layers
from holdfast.sandbox import Bind
from tests.host.packages.debs import Debs

_SOURCE = Path(__file__).resolve().parents[3] / "src"
_ENVIRONMENT = {"PYTHONPATH": "/holdfast-src:/holdfast-lib"}
_INSIDE = Path(__file__).with_name("inside.py")


class Debian:
    """A machine, and our code in it."""

    def __init__(self, machine: Machine, debs: Debs) -> None:
        self.machine, self.debs = machine, debs
        self.state: dict[str, Any] = {}

    def ask(self, verb: str, wanted: WantedPackages | None = None, **more: Any) -> dict[str, Any]:
        """Run one step inside; the state is the one that the last :meth:`switch` left."""
        asked = {"verb": verb, "wanted": encode(wanted), "state": self.state or None, **more}
        done = self.machine.execute(
            ["python3", "/inside.py"], stdin=json.dumps(asked).encode(), env=_ENVIRONMENT
        )
        if done.returncode == -9 or done.returncode == 137:
            return {"killed": True}
        assert done.returncode == 0, done.stderr.decode()
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def plan(self, wanted: WantedPackages | None, **more: Any) -> dict[str, Any]:
        answer = self.ask("plan", wanted, **more)
        assert "error" not in answer, answer
        change: dict[str, Any] = answer["change"]
        return change

    def switch(self, wanted: WantedPackages | None, **more: Any) -> dict[str, Any]:
        """Plan, apply and commit, as a whole switch would."""
        answer = self.ask("apply", wanted, **more)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        self.set_state(result.get("after", {}))
        self.ask("finish", after=result.get("after", {}))
        return answer

    def operate(self, operation: str, **more: Any) -> dict[str, Any]:
        """A verb of the command; ``error`` in the answer when it failed."""
        asked = {
            name: value if isinstance(value, (int, str, dict)) else encode(value)
            for name, value in more.items()
        }
        done = self.machine.execute(
            ["python3", "/inside.py"],
            stdin=json.dumps({"operation": operation, **asked}).encode(),
            env=_ENVIRONMENT,
        )
        assert done.returncode == 0, done.stderr.decode()
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def set_state(self, packages: Mapping[str, Any], paths: Mapping[str, Managed] | None = None) -> None:
        state = State(STATE_VERSION, 1, digest_bytes(b""), paths=paths or {})
        kept = self.state.get("paths", {})
        self.state = {**_object(encode(state)), "packages": dict(packages)}
        if kept and paths is None:
            self.state["paths"] = kept

    def triples(self) -> str:
        """Everything about packages that has to be as before after going back."""
        return self.machine.succeed(
            "dpkg-query -W -f '${Package} ${Architecture} ${Version} ${Status}\\n'; apt-mark showauto; dpkg --audit"
        )

    def version(self, name: str) -> str:
        done = self.machine.execute(["dpkg-query", "-W", "-f", "${Status} ${Version}", name])
        return done.text.removeprefix("install ok installed ") if done.returncode == 0 else ""

    def dpkg(self, name: str, version: str) -> None:
        """Install a package by hand, as an administrator would."""
        self.machine.succeed(
            f"DEBIAN_FRONTEND=noninteractive dpkg -i {self.debs.path(name, version)}; dpkg --configure -a"
        )


def _object(value: object) -> dict[str, Any]:
    assert isinstance(value, dict)
    return value


@pytest.fixture
def debs(tmp_path: Path) -> Debs:
    (tmp_path / "debs").mkdir()
    return Debs(tmp_path / "debs")


@pytest.fixture(params=["trixie"])
def debian(
    request: pytest.FixtureRequest, machine_root: Callable[[str], Path], debs: Debs
) -> Generator[Debian]:
    if os.geteuid() != 0:
        pytest.skip("boots containers, which takes root")
    debs.release = request.param
    tree = machine_root(request.param)
    binds = {
        "/holdfast-lib/jeepney": Bind(Path(jeepney.__file__).parent),
        "/holdfast-src": Bind(_SOURCE),
        "/inside.py": Bind(_INSIDE),
        "/debs": Bind(debs.place),
    }
    settings = Settings(name=f"packages-{uuid.uuid4().hex[:6]}", binds=binds)
    with boot_layers((tree,), settings=settings) as machine:
        yield Debian(machine, debs)


__all__ = ["Debian", "PackageState"]
