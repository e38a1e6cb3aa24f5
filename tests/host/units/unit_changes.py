"""Changes of unit files, made up: what the planner's tests are written with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.base.digests import digest_bytes
from holdfast.host.files.nodes import Absent, File, Node, Symlink
from holdfast.host.steps import UnitJob
from holdfast.host.units.declared import SYSTEM
from holdfast.host.units.states import Relations, UnitState
from holdfast.host.units.touched import UnitFileChange
from holdfast.host.units.transitions import ManagerFacts, UnitPlan, plan_units
from holdfast.manifest.model import Unit

RUNS, OVER, FAILED = (
    UnitState("loaded", "active", "running"),
    UnitState("loaded", "inactive", "dead"),
    UnitState("loaded", "failed", "failed"),
)
TARGET = {"multi-user.target": UnitState("loaded", "active", "active")}
OLD = (
    "[Unit]\nDescription=a\n[Service]\nExecStart=/old\nExecReload=/r\n[Install]\nWantedBy=multi-user.target\n"
)
NEW = OLD.replace("/old", "/new")
WANTS = f"{SYSTEM}/multi-user.target.wants"


def file(path: str, before: str | None, after: str | None, shadowed: str | None = None) -> UnitFileChange:
    def node(text: str | None) -> Node:
        return Absent() if text is None else File(digest_bytes(text.encode()), "0644")

    return UnitFileChange(f"{SYSTEM}/{path}", node(before), node(after), before or "", after or "", shadowed)


def link(path: str, before: str | None, after: str | None) -> UnitFileChange:
    def node(target: str | None) -> Node:
        return Absent() if target is None else Symlink(target)

    return UnitFileChange(path, node(before), node(after))


def plan(
    changes: Sequence[UnitFileChange],
    states: Mapping[str, UnitState],
    before: Mapping[str, Unit] | None = None,
    after: Mapping[str, Unit] | None = None,
    links: Mapping[str, str] | None = None,
    relations: Mapping[str, Relations] | None = None,
    aliases: Mapping[str, str] | None = None,
    own: str = "",
) -> UnitPlan:
    facts = ManagerFacts({**TARGET, **states}, aliases or {}, relations or {}, links or {}, own)
    return plan_units(changes, facts, declared_before=before or {}, declared_after=after or {})


def said(jobs: Sequence[UnitJob]) -> list[str]:
    return [f"{job.verb} {job.unit}" for job in jobs]
