"""A person's terminal for a program in another PID namespace.

Job control needs a terminal whose session the program can see, so the program gets a pseudoterminal of its own surroundings, and
this module carries bytes between that and the person's.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import struct
import sys
import termios
import tty
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from holdfast.base import process
from holdfast.base.errors import explain_os_errors
from holdfast.sandbox import kernel

_TIOCSPTLCK, _TIOCGPTPEER = 0x40045431, 0x5441  # ioctl_tty(2)
_END_OF_INPUT = b"\x04"
_TYPE_END_AGAIN_SECONDS = 0.25
_Handler = Callable[[int, FrameType | None], object] | int | None


def attach(argv: Sequence[str], *, root: Path, env: Mapping[str, str]) -> int:
    """Run a program on a new terminal of ``root``'s ``/dev/pts`` and join the person's to it; its exit code.

    ``argv`` has to take its standard input as controlling terminal, for example with ``setsid --ctty`` at the right place. When
    our standard input is no terminal, it is typed into the other one, end included.

    Raises:
        HoldfastError: there is no such devpts, or the program is not there.
    """
    with explain_os_errors("open a terminal"):
        # Never blocking: a program that waits for us to read what it prints does not read what we type.
        master = kernel.open_in_root(root, "/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
        slave = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            _copy_size(master)
            # Our runner gives programs no standard input, so the shell takes it from where the output goes.
            line = ["sh", "-c", 'exec "$@" <&1', "sh", *argv]
            running = process.spawn(line, env=env, output=slave)
            with running as program, _raw_terminal(), _following_size(master):
                os.close(slave)
                slave = -1
                _carry(master)
                return program.wait()
        finally:
            if slave >= 0:
                os.close(slave)
    finally:
        os.close(master)


def _carry(master: int) -> None:
    """Bytes both ways, until nobody has the other end of the pseudoterminal open."""
    typed, more = b"", True
    while True:
        sources = [master, 0] if more and not typed else [master]
        # A program that is just setting its terminal up loses an end of input, so it is typed again and again.
        wait = None if more or typed else _TYPE_END_AGAIN_SECONDS
        readable, writable, _ = select.select(sources, [master] if typed else [], [], wait)
        if not readable and not writable:
            typed = _END_OF_INPUT
        if 0 in readable:
            data = os.read(0, 65536)
            more = bool(data)
            typed = data or _END_OF_INPUT
        if writable:
            typed = typed[_type(master, typed) :]
        if master in readable:
            try:
                data = os.read(master, 65536)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return
            if not data:
                return
            _write(1, data)


def _type(master: int, data: bytes) -> int:
    """Type what there is room for; how much of ``data`` is done with. For nobody at the other end, that is all of it."""
    try:
        return os.write(master, data)
    except BlockingIOError:
        return 0
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return len(data)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def _raw_terminal() -> Generator[None]:
    """Let every key through to the other terminal, Ctrl-C too."""
    if not os.isatty(0):
        yield
        return
    sys.stdout.flush()
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSAFLUSH, before)


@contextmanager
def _following_size(master: int) -> Generator[None]:
    before: _Handler = signal.signal(signal.SIGWINCH, lambda _number, _frame: _copy_size(master))
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before if before is not None else signal.SIG_DFL)


def _copy_size(master: int) -> None:
    if os.isatty(0):
        size = fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8)
        fcntl.ioctl(master, termios.TIOCSWINSZ, size)
