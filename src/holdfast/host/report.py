"""Plans, results and states of machines as text for people, and as JSON with keys that stay (pure).

Every function returns lines without a newline at their end. Whatever comes from a machine or a definition is escaped, so that
no file can steer the terminal that its difference is shown on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from holdfast.base.codec import JSON, encode, every_field
from holdfast.base.style import Kind, Style, plain, printable
from holdfast.host.change import Change, FileChange
from holdfast.host.drift import Drift
from holdfast.host.files.nodes import Absent, File, Folder, Node, Secret, Symlink, describe
from holdfast.host.generations import Generation
from holdfast.host.operations import Recovered, Status, SwitchResult
from holdfast.host.report_packages import DIFF_LINES as DIFF_LINES
from holdfast.host.report_packages import diff_lines, package_lines, render_brought
from holdfast.host.report_steps import SECTIONS
from holdfast.host.state import AccountRecord, State
from holdfast.host.steps import RunUnits, Step

_SIGNS: Mapping[str, tuple[str, Kind]] = {
    "added": ("+", "added"),
    "removed": ("-", "removed"),
    "changed": ("~", "changed"),
}
_HIDDEN = {
    "binary": "content changes (binary)",
    "secret": "content changes (secret)",
    "large": "content changes (large)",
}


def render_change(change: Change, style: Style = plain) -> list[str]:
    """What would be done, in sections; one sentence when that is nothing."""
    if change.empty:
        return [*_remarks(change, style), _nothing(change)]
    sections: list[tuple[str, list[str]]] = [
        ("Packages", package_lines(change.packages, style)),
        ("Users", _users(change.before, change.after, style)),
        ("Files", [line for item in change.files for line in _file(item, style)]),
        *((title, _of_steps(change.steps, render, style)) for title, render in SECTIONS),
    ]
    lines = [style("heading", _title(change))]
    for title, body in sections:
        if body:
            lines += ["", style("heading", title), *(f"  {line}" if line else "" for line in body)]
    remarks = _remarks(change, style)
    if change.problems:
        remarks += [
            style("bad", "This would be refused:"),
            *(f"  - {printable(text)}" for text in change.problems),
        ]
    if len(lines) == 1 and not change.problems:
        return [*remarks, _only_recorded(change)]
    return [*lines, *(["", *remarks] if remarks else []), "", summary(change)]


def render_result(result: SwitchResult, style: Style = plain) -> list[str]:
    """What was done, in a few lines."""
    change = result.change
    recovered = render_recovered(result.recovered, style) if result.recovered else []
    if change.empty:
        return [*recovered, *_ended(result, style), *_remarks(change, style), _nothing(change)]
    done = {
        "deactivate": "Everything that Holdfast did here is taken back.",
        "repair": "What was changed by hand is put back.",
        "adopt": "What was changed by hand is accepted.",
        "rollback": f"Back at generation {change.generation}.",
        "prepopulate": f"The files of generation {change.generation} are in place; nothing was started.",
        "try": "This lasts until the next reboot, or until `holdfast rollback`.",
        "boot": f"Generation {change.generation} becomes current at the next boot.",
    }.get(change.kind, f"Generation {change.generation} is current.")
    brought = render_brought(change.brought, style) if change.brought else []
    recovered += _ended(result, style)
    return [*recovered, *_remarks(change, style), *brought, f"{style('good', done)} ({summary(change)})"]


def _ended(result: SwitchResult, style: Style) -> list[str]:
    if result.ended is None:
        return []
    tried = f" ({printable(result.ended.name)})" if result.ended.name else ""
    return [style("heading", "The trial is over") + f"{tried}: nothing is left of what it changed."]


def render_recovered(recovered: Recovered, style: Style = plain) -> list[str]:
    verb = "finished" if recovered.kind == "finished" else "taken back"
    now = (
        "nothing is managed"
        if recovered.generation is None
        else f"generation {recovered.generation} is current"
    )
    return [style("warning", f"An interrupted run ({printable(recovered.what)}) was {verb}: {now}.")]


def render_status(status: Status, style: Style = plain) -> list[str]:
    """The current generation, drift, and what waits."""
    if status.generation is None and not status.interrupted:
        lines = ["Holdfast manages nothing here."]
    elif status.generation is None:
        lines = ["No generation is current."]
    else:
        lines = [style("heading", f"Generation {status.generation}") + f" of {printable(status.name)}"]
    if status.trial is not None and not status.trial.interrupted:
        told = f"{printable(status.trial.name)} is on trial until the next reboot"
        lines += [
            style("warning", told) + f" ({len(status.trial.paths)} paths); `holdfast rollback` ends it."
        ]
    if status.interrupted:
        lines += [
            style("bad", f"A run was interrupted: {printable(status.interrupted)}."),
            "  `holdfast recover` finishes it or takes it back; so does every command that changes something.",
        ]
    if status.unconfirmed:
        lines += [style("warning", "It is taken back unless it is confirmed: `holdfast confirm`.")]
    if status.pending is not None:
        lines += [f"Generation {status.pending} becomes current at the next boot."]
    if status.drift:
        lines += ["", style("heading", f"Changed by hand ({len(status.drift)})")]
        lines += [f"  {_drift(drift, style)}" for drift in status.drift]
        lines += [
            "  `holdfast repair` puts back what the definition says, `holdfast adopt PATH` accepts what is there."
        ]
    elif status.generation is not None:
        lines += ["Every managed file is as it was put there."]
    if status.adopted:
        lines += ["", style("heading", "Accepted in place of the definition's")]
        lines += [f"  {printable(path)}" for path in status.adopted]
    return lines


def render_generations(generations: Sequence[Generation], style: Style = plain) -> list[str]:
    """A table, the newest last."""
    if not generations:
        return ["There are no generations on this machine."]
    rows = [("GENERATION", "RECORDED", "SYSTEM", "MANIFEST", "")]
    for item in generations:
        marks = [text for text, holds in (("current", item.current), ("at next boot", item.pending)) if holds]
        recorded = time.strftime("%Y-%m-%d %H:%M", time.localtime(item.recorded))
        rows.append((str(item.number), recorded, printable(item.name), item.manifest[7:19], ", ".join(marks)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([*map(str.ljust, row[:4], widths), row[4]]).rstrip() for row in rows]
    marked = [style("good", line) if item.current else line for item, line in zip(generations, lines[1:])]  # noqa: B905 (3.10)
    return [style("heading", lines[0]), *marked]


def summary(change: Change) -> str:
    """``3 files, 2 units``; what there is none of is left out."""
    jobs = {job.unit for step in change.steps if isinstance(step, RunUnits) for job in step.jobs}
    packages = len(change.packages.actions) if change.packages else 0
    counts = [(packages, "package"), (len(change.files), "file"), (len(jobs), "unit")]
    words = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count]
    return ", ".join(words) or "no packages, files or units"


def change_json(change: Change) -> dict[str, JSON]:
    """``kind``, ``previous`` and ``generation`` (numbers or null), ``empty``, ``packages`` (objects with ``verb``,
    ``package``, ``before``, ``after``, ``reason`` and more), ``files`` (objects with ``path``, ``before``,
    ``after``, ``reason``, ``drifted``, ``diff``, ``hidden``), ``conffiles`` (of which packages brought new versions) and
    ``stale`` (units that still use replaced files), ``users`` and ``groups`` (objects with ``name``, ``change``),
    ``steps`` (as in the journal, without what only Holdfast keeps), ``notes``, ``warnings``, ``problems`` (why it would be refused). All keys are always there.
    """
    return {
        "kind": change.kind,
        "previous": change.previous,
        "generation": change.generation,
        "empty": change.empty,
        "packages": [every_field(action) for action in change.packages.actions] if change.packages else [],
        "files": [every_field(item) for item in change.files],
        "conffiles": [every_field(one) for one in change.brought.conffiles] if change.brought else [],
        "stale": [every_field(one) for one in change.brought.stale] if change.brought else [],
        "users": [
            {"name": name, "change": what} for name, what in _user_changes(change.before, change.after)
        ],
        "steps": [encode(step) for step in change.steps if step.kind not in ("files", "commit", "cover")],
        "notes": list(change.notes),
        "warnings": list(change.warnings),
        "problems": list(change.problems),
    }


def result_json(result: SwitchResult) -> dict[str, JSON]:
    """As :func:`change_json`, with ``recovered`` (``kind``, ``generation``, ``what``) and ``ended`` (a trial), or null."""
    recovered = None if result.recovered is None else every_field(result.recovered)
    ended = None if result.ended is None else every_field(result.ended)
    return {**change_json(result.change), "recovered": recovered, "ended": ended}


def _title(change: Change) -> str:
    if change.kind == "try":
        return "try, until the next reboot"
    if change.generation is None:
        return f"{change.kind}: take back everything"
    if change.previous is None or change.previous == change.generation:
        return f"{change.kind}: generation {change.generation}"
    return f"{change.kind}: generation {change.previous} -> {change.generation}"


def _nothing(change: Change) -> str:
    if change.kind == "deactivate":
        return "Holdfast manages nothing here: there is nothing to take back."
    at = "" if change.generation is None else f": generation {change.generation} is current"
    return f"Nothing to change{at}."


def _only_recorded(change: Change) -> str:
    """A change of what is known about a machine, not of the machine: a first generation, another name, a wish that holds already."""
    if change.generation is None:
        return "Nothing on the machine changes."
    return f"Nothing on the machine changes: generation {change.generation} is recorded."


def _remarks(change: Change, style: Style) -> list[str]:
    warnings = [style("warning", "warning: ") + printable(text) for text in change.warnings]
    return [*warnings, *(f"note: {printable(text)}" for text in change.notes)]


def _file(item: FileChange, style: Style) -> list[str]:
    what = (
        "added"
        if isinstance(item.before, Absent)
        else "removed"
        if isinstance(item.after, Absent)
        else "changed"
    )
    sign, kind = _SIGNS[what]
    about = [printable(item.reason)] if item.reason else []
    if item.drifted:
        about.append(style("warning", "was changed by hand"))
    detail = _detail(item.before, item.after)
    about += [detail] if detail else []
    lines = [f"{style(kind, sign)} {printable(item.path)}" + (f"  ({', '.join(about)})" if about else "")]
    if item.hidden:
        lines.append(style("quiet", f"    {_HIDDEN[item.hidden]}"))
    elif item.diff:
        lines += [f"    {line}" for line in diff_lines(item.diff, style)]
    return lines


def _detail(before: Node, after: Node) -> str:
    """Owner and mode, or the kind of thing where that changes."""
    if isinstance(after, Symlink):
        return f"link to {printable(after.target)}"
    if isinstance(before, Absent):
        return "directory" if isinstance(after, Folder) else ""
    if isinstance(after, Absent):
        return "" if isinstance(before, File) else printable(describe(before))
    known = (File, Folder, Secret)
    if isinstance(before, known) and isinstance(after, known) and before.kind == after.kind:
        parts = [f"mode {before.mode} -> {after.mode}"] if before.mode != after.mode else []
        if (before.uid, before.gid) != (after.uid, after.gid):
            parts.append(f"owner {before.uid}:{before.gid} -> {after.uid}:{after.gid}")
        return ", ".join(parts)
    return f"in place of {printable(describe(before))}"


def _of_steps(steps: Iterable[Step], render: Callable[[Step, Style], list[str]], style: Style) -> list[str]:
    return [line for step in steps for line in render(step, style)]


def _users(before: State | None, after: State | None, style: Style) -> list[str]:
    return [
        f"{style(_SIGNS[what][1], _SIGNS[what][0])} {printable(name)}"
        for name, what in _user_changes(before, after)
    ]


def _user_changes(before: State | None, after: State | None) -> list[tuple[str, str]]:
    """Declared accounts that come, go (or are locked), or get other numbers and fields."""
    old: Mapping[str, AccountRecord] = before.users if before else {}
    new: Mapping[str, AccountRecord] = after.users if after else {}
    found: list[tuple[str, str]] = []
    for name in sorted({*old, *new}):
        was = name in old and old[name].locked is None
        is_now = name in new and new[name].locked is None
        if was and is_now and old[name] != new[name]:
            found.append((name, "changed"))
        elif was != is_now:
            found.append((name, "added" if is_now else "removed"))
    return found


def _drift(drift: Drift, style: Style) -> str:
    found = drift.found
    if drift.what == "metadata":
        text = _detail(drift.wanted, found) or "mode or owner"
    elif drift.what == "missing":
        text = "is gone"
    elif drift.what == "changed":
        text = f"is {printable(describe(found))}" if isinstance(found, Symlink) else "content"
    else:
        text = f"is {printable(describe(found))}"
    return f"{style('changed', '~')} {printable(drift.path)}  ({text})"
