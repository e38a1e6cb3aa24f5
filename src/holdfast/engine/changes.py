"""Verbs that change the machine, or say what would change."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

from holdfast.base.codec import every_field
from holdfast.base.errors import HoldfastError
from holdfast.base.style import Style
from holdfast.engine import confirming, early, runs
from holdfast.engine.exits import Exit
from holdfast.engine.outcome import Outcome, Place, demand_root
from holdfast.engine.refs import keep_generations
from holdfast.host import confirmation, operations, report
from holdfast.host.change import Change, Wanted
from holdfast.host.home import home_path
from holdfast.host.journal import read_journal
from holdfast.host.live import Live
from holdfast.host.operations import SwitchOptions, SwitchResult
from holdfast.host.packages.change import PackageOptions
from holdfast.host.trial import read_trial


def plan(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast plan`."""
    place = Place(options.root)
    with place.live() as live:
        what = wanted(options, place, live)
        return _planned(operations.plan(live, what, options=switch_options(options)), options, style)


def switch(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast switch`."""
    if options.ephemeral and options.confirm is not None:
        raise HoldfastError(
            "--ephemeral and --confirm exclude each other",
            resolution="What is tried goes with a reboot, or with `holdfast rollback`. With --confirm alone, a change waits to be confirmed.",
        )

    def planning(live: Live, place: Place) -> Change:
        return operations.plan(live, wanted(options, place, live), options=switch_options(options))

    def doing(live: Live, place: Place) -> SwitchResult:
        return operations.switch(live, wanted(options, place, live), switch_options(options))

    return _change(options, style, planning, doing)


def nothing_to_switch(options: argparse.Namespace, style: Style) -> Outcome | None:
    """`holdfast switch` where nothing is to be done, which needs no unit: see :mod:`holdfast.engine.shortcut`."""
    demand_root("change this machine")
    place = Place(options.root)
    if runs.under_way() is not None:
        return None
    with place.live() as live:
        home = home_path(live)
        if confirmation.read(home) or read_journal(home) or read_trial(live):
            return None
        what = wanted(options, place, live)
        change = operations.plan(live, what, diffs=False, options=switch_options(options))
    if not change.empty:
        return None
    result = SwitchResult(change)
    return Outcome(
        {**report.result_json(result), **confirming.Waiting().json()},
        tuple(report.render_result(result, style)),
    )


def rollback(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast rollback`."""

    def planning(live: Live, _place: Place) -> Change:
        return operations.plan_rollback(live, options.number, options=switch_options(options))

    def doing(live: Live, _place: Place) -> SwitchResult:
        return operations.rollback(live, options.number, switch_options(options))

    return _change(options, style, planning, doing, answers=True)


def repair(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast repair`."""

    def planning(live: Live, _place: Place) -> Change:
        return operations.plan_repair(live, tuple(options.paths))

    def doing(live: Live, _place: Place) -> SwitchResult:
        return operations.repair(live, tuple(options.paths), switch_options(options))

    return _change(options, style, planning, doing)


def adopt(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast adopt`."""

    def doing(live: Live, _place: Place) -> SwitchResult:
        return operations.adopt(live, tuple(options.paths), switch_options(options))

    return _change(options, style, None, doing)


def deactivate(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast deactivate`."""

    def planning(live: Live, _place: Place) -> Change:
        return operations.plan_deactivate(live, options=switch_options(options))

    def doing(live: Live, _place: Place) -> SwitchResult:
        return operations.deactivate(live, switch_options(options))

    return _change(options, style, planning, doing, answers=True)


def boot(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast boot`."""
    place = Place(options.root)
    with place.live() as live:
        what = wanted(options, place, live)
        if options.dry_run:
            return _planned(replace(operations.plan(live, what), kind="boot"), options, style)
        demand_root("change this machine")
        early.install(place.root)
        try:
            generation = operations.boot(live, what, switch_options(options))
        finally:
            early.remove_if_idle(place.root, home_path(live))
        keep_generations(place, live)
    text = f"Generation {generation.number} becomes current at the next boot."
    return Outcome(every_field(generation), (style("good", text),))


def recover(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast recover`."""
    demand_root("change this machine")
    place = Place(options.root)
    with place.live() as live:
        recovered = operations.recover(live, switch_options(options))
        keep_generations(place, live)
    if recovered is None:
        return Outcome({"recovered": None}, ("There is nothing to recover from.",))
    lines = report.render_recovered(recovered, style)
    return Outcome({"recovered": every_field(recovered)}, tuple(lines))


def wanted(options: argparse.Namespace, place: Place, live: Live) -> Wanted:
    """What the command line names; without anything, the current generation, or the newest recorded one.

    Raises:
        HoldfastError: there is no such thing.
    """
    from holdfast.engine.generation import read_generation, read_manifest_file

    if options.artifact is not None:
        return read_generation(place.store, options.artifact)
    if options.file is not None:
        return read_manifest_file(options.file)
    found = operations.generations(live)
    if not found:
        raise HoldfastError(
            "there is no generation on this machine yet",
            resolution="Switch it from the author's side, or name an artifact (--artifact) or a manifest.",
        )
    chosen = next((item for item in found if item.current), found[-1])
    return operations.show_generation(live, chosen.number)


def switch_options(options: argparse.Namespace) -> SwitchOptions:
    return SwitchOptions(
        wait_seconds=float(options.wait),
        ephemeral=getattr(options, "ephemeral", False),
        packages=PackageOptions(
            mode="exact" if getattr(options, "exact", False) else "forward",
            irreversible=getattr(options, "irreversible_packages", False),
            protected=getattr(options, "remove_protected", False),
            purge=getattr(options, "purge_packages", False),
            restart_stale=getattr(options, "restart_stale", False),
        ),
    )


def _change(
    options: argparse.Namespace,
    style: Style,
    planning: Callable[[Live, Place], Change] | None,
    doing: Callable[[Live, Place], SwitchResult],
    *,
    answers: bool = False,
) -> Outcome:
    """Plan, or do. ``answers``: the verb is one of those with which a change that waits to be confirmed may be answered."""
    place = Place(options.root)
    with place.live() as live:
        if planning is not None and options.dry_run:
            return _planned(planning(live, place), options, style)
        demand_root("change this machine")
        seconds = getattr(options, "confirm", None)
        with confirming.around(place, live, seconds, answers=answers) as waiting:
            result = doing(live, place)
            waiting.changed(result.change)
        keep_generations(place, live)
    lines = [*report.render_result(result, style), *waiting.lines(style)]
    return Outcome({**report.result_json(result), **waiting.json()}, tuple(lines))


def _planned(change: Change, options: argparse.Namespace, style: Style) -> Outcome:
    code = Exit.PENDING if options.detailed_exitcode and not change.empty else Exit.DONE
    return Outcome(report.change_json(change), tuple(report.render_change(change, style)), code)
