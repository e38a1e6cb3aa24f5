"""Secrets: decrypted on the machine they are for, into the file itself and nowhere else. See age(1), sops(1)."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from holdfast.base import process
from holdfast.base.digests import parse_digest
from holdfast.base.environment import BASE_ENVIRONMENT
from holdfast.base.errors import HoldfastError
from holdfast.host.failures import RefusedError
from holdfast.host.files.content import NEW, write_all
from holdfast.host.files.nodes import Folder
from holdfast.host.live import Live
from holdfast.host.secret_marks import mark
from holdfast.host.steps import DecryptSecret, Step

_TEMPORARY = ".holdfast-secret"
_GET: Mapping[str, str] = {
    "age": "Add the package 'age' to the definition.",
    "sops": "No distribution packages sops: put its released program (github.com/getsops/sops) at /usr/local/bin/sops, or use age.",
}


def do(step: Step, live: Live) -> None:
    """Raises HoldfastError: it cannot be decrypted; never shows its content."""
    assert isinstance(step, DecryptSecret)
    if step.when == "do":
        _put(step, live)


def undo(step: Step, live: Live) -> None:
    """Take the file away, or decrypt what was there before. Nothing is overwritten first: on today's disks that erases nothing."""
    assert isinstance(step, DecryptSecret)
    if step.when == "undo":
        _put(step, live)
        return
    if not isinstance(live.root.locate(posixpath.dirname(step.path)).node, Folder):
        return  # not even the directory was made
    with live.root.parent(step.path) as (directory, name):
        for one in (_temporary(name), name):
            with suppress(FileNotFoundError, IsADirectoryError):  # a directory there is nothing of ours
                os.unlink(one, dir_fd=directory)


def find_problems(steps: Iterable[Step], live: Live) -> tuple[str, ...]:
    """Decrypt what ``steps`` will, in memory, and say what of it fails and why."""
    problems: list[str] = []
    for step in steps:
        if isinstance(step, DecryptSecret) and step.when == "do":
            try:
                _decrypt(step, live)
            except HoldfastError as error:
                said = "; ".join(
                    part.replace("\n", "; ") for part in (error.details, error.resolution) if part
                )
                problems.append(f"{error.brief}: {said}")
    return tuple(problems)


def refuse_undecryptable(steps: Iterable[Step], live: Live) -> None:
    """Before anything is changed, see that every secret can be decrypted.

    Raises:
        RefusedError: one cannot; names all of them.
    """
    problems = find_problems(steps, live)
    if problems:
        raise RefusedError(
            "not every secret can be decrypted on this machine",
            details="\n".join(f"- {problem}" for problem in problems),
            resolution="Nothing was changed. Encrypt them for this machine's keys, or name the keys (identities).",
        )


def _put(step: DecryptSecret, live: Live) -> None:
    plain = _decrypt(step, live)
    with live.root.parent(step.path) as (directory, name):
        temporary = _temporary(name)
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)  # of a run that was cut short
        file = os.open(temporary, NEW, 0o600, dir_fd=directory)
        try:
            write_all(file, plain)
            os.fchown(file, step.uid, step.gid)
            os.fchmod(file, int(step.mode, 8))
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        os.fsync(
            directory
        )  # it may be the only change on its file system, which nobody else syncs before the commit
    if step.noted:
        mark(live, step.path, step.source, plain)


def _temporary(name: str) -> str:
    return f"{_TEMPORARY}-{name}"[:255]


def _decrypt(step: DecryptSecret, live: Live) -> bytes:
    """The plain content. Programs get the encrypted one on stdin, and only what they say on stderr is ever shown."""
    there = [path for path in step.identities if (live.path / path.lstrip("/")).exists()]
    if not there:
        raise HoldfastError(
            f"the secret {step.path} cannot be decrypted: none of its identities is on this machine",
            details="\n".join(step.identities),
            resolution="Name the private key that it was encrypted for, such as /etc/ssh/ssh_host_ed25519_key.",
        )
    with live.blobs(parse_digest(step.source)) as stream:
        encrypted = stream.read()
    paths = [str(live.path / Path(path).relative_to("/")) for path in there]
    environment: dict[str, str] = {}
    if step.encryption == "age":
        argv = ["age", "--decrypt", *(word for path in paths for word in ("--identity", path))]
    else:
        kind = sops_format(encrypted)
        argv = ["sops", "--decrypt", "--input-type", kind, "--output-type", kind, "/dev/stdin"]
        is_ssh = "ssh" in Path(paths[0]).name
        environment["SOPS_AGE_SSH_PRIVATE_KEY_FILE" if is_ssh else "SOPS_AGE_KEY_FILE"] = paths[0]
    if shutil.which(argv[0], path=BASE_ENVIRONMENT["PATH"]) is None:
        raise HoldfastError(
            f"the secret {step.path} cannot be decrypted: {argv[0]} is not installed on this machine",
            resolution=_GET[step.encryption],
        )
    done = process.run(argv, stdin=encrypted, env=environment, check=False, timeout=60)
    if done.returncode != 0:
        raise HoldfastError(
            f"the secret {step.path} cannot be decrypted",
            details=done.stderr.decode(errors="replace").strip(),
            resolution=f"It must be encrypted for one of: {', '.join(there)}.",
        )
    return done.stdout


def sops_format(encrypted: bytes) -> str:
    """What sops(1) calls the format of a file that it encrypted: each carries sops's own part in its own way."""
    if encrypted.lstrip().startswith(b"{"):
        with suppress(ValueError):
            document: object = json.loads(encrypted)
            if isinstance(document, dict) and document.keys() == {"data", "sops"}:
                return "binary"
        return "json"
    if re.search(rb"^\[sops\]", encrypted, re.MULTILINE):
        return "ini"
    return "dotenv" if re.search(rb"^sops_", encrypted, re.MULTILINE) else "yaml"
