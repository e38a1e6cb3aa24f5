"""`holdfast run`: a system booted for the moment."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType

import click

from holdfast.base.errors import HoldfastError
from holdfast.cli.arguments import in_process_option, json_option, one_system_argument, verbose_option
from holdfast.cli.output import write_json
from holdfast.cli.progress import show_progress
from holdfast.machine import Machine, boot
from holdfast.project.building import build_systems
from holdfast.project.evaluation import Evaluation, evaluate
from holdfast.store import open_store

_SHELL = ("/bin/sh", "-c", "if command -v bash >/dev/null; then exec bash -l; else exec sh -l; fi")


@click.command()
@one_system_argument
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
@json_option
@verbose_option
@in_process_option
def command(system: str, words: tuple[str, ...], as_json: bool, verbose: bool, in_process: bool) -> None:
    """Boot SYSTEM as a container, and get a shell in it or run COMMAND; it is thrown away afterwards.

    The system is built first if need be. Changes go to memory; its network is its own and leads nowhere. COMMAND's exit
    code is ours.
    """
    if as_json and not words:
        raise click.UsageError("--json needs a command: holdfast run SYSTEM --json -- COMMAND")
    _expect_root(system)
    with ExitStack() as stack:
        with show_progress(as_json=as_json, verbose=verbose):
            store = open_store()
            built = build_systems(store, _one(system, in_process))[0]
            began = time.monotonic()
            machine = stack.enter_context(boot(store, built.artifact, name=machine_name(built.name)))
            seconds = time.monotonic() - began
        code = _run_json(machine, words, seconds) if as_json else _attach(machine, words)
    click.get_current_context().exit(code)


def _expect_root(system: str) -> None:
    if os.geteuid() != 0:
        raise HoldfastError(
            "booting a system needs root: systemd-nspawn has no other way",
            resolution=f"Run `sudo holdfast run {system}`: it builds the same from your lock into root's store, and boots it. "
            f"`holdfast build {system}` works as you are.",
        )


def _one(system: str, in_process: bool) -> Evaluation:
    evaluation = evaluate(system, in_process=in_process)
    evaluation.only()
    return evaluation


def machine_name(system: str) -> str:
    """A system's name as a host name label, which is what machines are called by."""
    return re.sub(r"[^a-z0-9]+", "-", system.lower()).strip("-")[:63].rstrip("-") or "machine"


def _attach(machine: Machine, words: Sequence[str]) -> int:
    """On a terminal the program gets one of its own inside; otherwise what it prints arrives untouched."""
    with _interrupts_for_the_child():
        if all(map(os.isatty, (0, 1, 2))):
            code = machine.shell(words or _SHELL)
        else:
            code = machine.attach(words or _SHELL)
    return _as_shells_say(code)


def _as_shells_say(code: int) -> int:
    """128 and the signal's number for what a signal ended."""
    return code if code >= 0 else 128 - code


@contextmanager
def _interrupts_for_the_child() -> Generator[None]:
    """^C is meant for what runs inside. A handler that does nothing, since an ignored signal stays ignored across exec."""
    before = signal.signal(signal.SIGINT, _do_nothing)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass


def _run_json(machine: Machine, words: Sequence[str], boot_seconds: float) -> int:
    completed = machine.execute(words)
    write_json(
        {
            "command": list(words),
            "exit_code": completed.returncode,
            "stdout": completed.stdout.decode(errors="replace"),
            "stderr": completed.stderr.decode(errors="replace"),
            "boot_milliseconds": round(boot_seconds * 1000),
        }
    )
    return _as_shells_say(completed.returncode)
