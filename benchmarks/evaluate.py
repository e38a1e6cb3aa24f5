"""Evaluation beside NixOS `evalModules`: whole processes, a child and JSON out included.

The peer needs Nix and the library of a real nixpkgs (``nix-instantiate`` finds ``<nixpkgs>``, or HOLDFAST_BENCH_NIXPKGS names
a checkout). Without them its stated time stands in for it: 0.10 s flat and 0.14 s nested, on a quiet machine.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path

import click

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import scratch
from benchmarks.measure import ROOT, Row, Sample, alternate, command
from holdfast.base.process import run

STATED = {"flat": 0.10, "nested": 0.14}
GOALS = {"flat": 0.6, "nested": 0.4}
ABSENT = "evalModules, not run: no nixpkgs here; stated time of a quiet machine"
WORK = {
    "flat": "evaluate, flat: 3,000 list options, 2 definitions each",
    "nested": "evaluate, nested: 300 submodules x 30 options, 1,800 definitions",
}
BOUND = {
    "flat": "starting Python and importing json and the module system (half), declaring 3,000 options, then 4 us per option and definition",
    "nested": "starting Python and importing json and the module system (half), then the JSON of 9,000 values",
}

NIX = {
    "flat": """
let lib = import {lib}; names = lib.genList (n: n) 3000;
    each = f: lib.listToAttrs (map (n: {{ name = "o${{toString n}}"; value = f n; }}) names);
in {{ flat = (lib.evalModules {{ modules = [
  {{ options = each (n: lib.mkOption {{ type = lib.types.listOf lib.types.int; }}); }}
  {{ config = each (n: [ n ]); }}
  {{ config = each (n: [ (n + 1) ]); }}
]; }}).config; }}
""",
    "nested": """
let lib = import {lib}; names = lib.genList (n: n) 300; ten = lib.genList (n: n) 10;
    named = prefix: f: lib.listToAttrs (map (n: {{ name = "${{prefix}}${{toString n}}"; value = f n; }}) ten);
    each = f: {{ config.entries = lib.listToAttrs (map (n: {{ name = "e${{toString n}}"; value = f n; }}) names); }};
    entry.options = named "s" (n: lib.mkOption {{ type = lib.types.str; default = "value ${{toString n}}"; }})
      // named "i" (n: lib.mkOption {{ type = lib.types.int; default = n; }})
      // named "l" (n: lib.mkOption {{ type = lib.types.listOf lib.types.str; default = [ ]; }});
in {{ nested = (lib.evalModules {{ modules = [
  {{ options.entries = lib.mkOption {{ type = lib.types.attrsOf (lib.types.submodule entry); }}; }}
  (each (n: {{ s0 = "a${{toString n}}"; l0 = [ "a" ]; }}))
  (each (n: {{ i0 = n; l0 = [ "b" ]; }}))
  (each (n: {{ l1 = [ "c" "d" ]; s1 = "x"; }}))
]; }}).config; }}
""",
}


def ours(name: str) -> list[str]:
    """Command of our evaluation."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        "from benchmarks._evaluate_child import evaluate_in_a_child; "
        f"evaluate_in_a_child('benchmarks._evaluate_{name}')"
    )
    return [sys.executable, "-I", "-c", code]


def peer(name: str, directory: Path) -> list[str] | None:
    """Command of the peer's evaluation; None where it cannot be had."""
    if shutil.which("nix-instantiate") is None:
        return None
    nixpkgs = os.environ.get("HOLDFAST_BENCH_NIXPKGS", "")
    if not nixpkgs:
        found = run(["nix-instantiate", "--find-file", "nixpkgs"], check=False)
        nixpkgs = found.stdout.decode().strip() if found.returncode == 0 else ""
    library = Path(nixpkgs) / "lib"
    if not nixpkgs or not (library / "modules.nix").exists():
        return None
    expression = directory / f"{name}.nix"
    expression.write_text(NIX[name].format(lib=library))
    return ["nix-instantiate", "--eval", "--strict", "--json", "--read-write-mode", str(expression)]


def rows() -> Iterable[Row]:
    """One row for each workload; where the peer is there, its output must equal ours."""
    directory = scratch.place()
    for name in ("flat", "nested"):
        mine = ours(name)
        theirs = peer(name, directory)
        goal = f"<= {GOALS[name]}x"
        if theirs is None:
            (sample,) = alternate(cpu(mine), rounds=9)
            met = sample.seconds <= GOALS[name] * STATED[name]
            yield Row(
                f"{WORK[name]} (CPU time)", sample, goal, met, BOUND[name], ABSENT, Sample(STATED[name], 0)
            )
            continue
        if json.loads(run(mine).stdout) != json.loads(run(theirs).stdout):
            raise RuntimeError(f"{name}: evalModules and holdfast give different values")
        sample, reference = alternate(command(mine), command(theirs), rounds=9)
        met = sample.seconds <= GOALS[name] * reference.seconds
        yield Row(WORK[name], sample, goal, met, BOUND[name], "evalModules", reference)


def cpu(argv: list[str]) -> Callable[[], Sample]:
    """A measurement in CPU time of the process and its child: beside a stated figure, other people's load must not count."""

    def once() -> Sample:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        sample = command(argv)()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Sample(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, sample.peak_kb)

    return once


def bare() -> Sample:
    """What a Python that does nothing takes here and now: tells a busy machine from a slow evaluator."""
    (sample,) = alternate(cpu([sys.executable, "-I", "-c", ""]), rounds=9)
    return sample


def main(arguments: list[str]) -> int:
    found = list(rows())
    if "--json" in arguments:
        click.echo(json.dumps([asdict(row) | {"ratio": row.ratio} for row in found], indent=1))
        return 0
    for row in found:
        click.echo(f"{row.work}: {row.ours.seconds:.3f} s, {row.ours.peak_kb / 1024:.0f} MB; goal {row.goal}")
        if row.peer_sample is None:
            click.echo(f"  {row.peer}")
        else:
            click.echo(f"  {row.peer}: {row.peer_sample.seconds:.3f} s, ratio {row.ratio:.2f}")
    click.echo(f"a Python that does nothing: {bare().seconds:.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
