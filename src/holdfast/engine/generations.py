"""`holdfast generations`: list, show, record and forget them."""

from __future__ import annotations

import argparse

from holdfast.base.codec import JSON, encode, every_field, pretty_json
from holdfast.base.errors import HoldfastError
from holdfast.base.style import Style
from holdfast.engine.changes import switch_options, wanted
from holdfast.engine.outcome import Outcome, Place, demand_root
from holdfast.engine.refs import keep_generations, try_to_collect_garbage
from holdfast.host import operations, report
from holdfast.host.operations import SwitchResult


def list_all(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast generations list`."""
    with Place(options.root).live() as live:
        found = operations.generations(live)
    result: list[JSON] = [every_field(item) for item in found]
    return Outcome(result, tuple(report.render_generations(found, style)))


def show(options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast generations show`: the manifest."""
    with Place(options.root).live() as live:
        found = operations.show_generation(live, options.number)
    text = pretty_json(found.manifest).decode().splitlines()
    return Outcome({"artifact": found.artifact, "manifest": encode(found.manifest)}, tuple(text))


def delete(options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast generations delete`."""
    place = Place(options.root)
    with place.live() as live:
        if options.dry_run:
            operations.demand_deletable(live, options.number)
            return Outcome({"deleted": [options.number]}, (f"Would forget generation {options.number}.",))
        demand_root("forget generations of this machine")
        operations.delete_generation(live, options.number, switch_options(options))
        keep_generations(place, live)
        try_to_collect_garbage(place, live)
    return Outcome({"deleted": [options.number]}, (f"Generation {options.number} is forgotten.",))


def prune(options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast generations prune`."""
    if options.keep < 1:
        raise HoldfastError("at least one generation has to be kept", resolution="Write --keep 1 or more.")
    place = Place(options.root)
    with place.live() as live:
        if options.dry_run:
            gone = operations.prunable_generations(live, options.keep)
        else:
            demand_root("forget generations of this machine")
            gone = operations.prune_generations(live, options.keep, switch_options(options))
            keep_generations(place, live)
            try_to_collect_garbage(place, live)
    numbers = ", ".join(map(str, gone))
    verb = "Would forget" if options.dry_run else "Forgot"
    return Outcome(
        {"deleted": list(gone)}, (f"{verb} {numbers}." if gone else "There is nothing to forget.",)
    )


def register(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast generations register`."""
    demand_root("record generations on this machine")
    place = Place(options.root)
    with place.live() as live:
        made = operations.register(live, wanted(options, place, live), switch_options(options))
        keep_generations(place, live)
    text = (
        f"Generation {made.number} is recorded; `holdfast generations activate {made.number}` activates it."
    )
    return Outcome(every_field(made), (style("good", text),))


def prepopulate(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast generations prepopulate`."""
    place = Place(options.root)
    with place.live() as live:
        what = wanted(options, place, live)
        if options.dry_run:
            change = operations.plan(live, what)
            return Outcome(report.change_json(change), tuple(report.render_change(change, style)))
        demand_root("change this machine")
        result = operations.prepopulate(live, what, switch_options(options))
        keep_generations(place, live)
    return _done(result, style)


def activate(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast generations activate`."""
    place = Place(options.root)
    with place.live() as live:
        if options.dry_run:
            found = operations.generations(live)
            number = options.number if options.number is not None else found[-1].number if found else None
            if number is None:
                raise HoldfastError("there is no generation on this machine yet")
            change = operations.plan(live, operations.show_generation(live, number))
            return Outcome(report.change_json(change), tuple(report.render_change(change, style)))
        demand_root("change this machine")
        result = operations.activate(live, options.number, switch_options(options))
        keep_generations(place, live)
    return _done(result, style)


def _done(result: SwitchResult, style: Style) -> Outcome:
    return Outcome(report.result_json(result), tuple(report.render_result(result, style)))
