"""An image leaves the store as an OCI layout, beside what its bound takes: copying those bytes, compressing those bytes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from benchmarks import scratch
from benchmarks.measure import HOLDFAST, Row, after, alternate, command
from holdfast.base.process import run


def rows() -> Iterable[Row]:
    """No goal is stated: the ratio says how far above the bound we are."""
    project = scratch.example()
    place = scratch.place() / "export"
    place.mkdir()
    argv = [HOLDFAST, "store", "export", project.artifact]
    run([*argv, str(place / "image")], env=project.env)
    megabytes = sum(file.stat().st_size for file in (place / "image").rglob("*") if file.is_file()) >> 20
    ours, copy = alternate(
        after(lambda: clear(place / "out"), command([*argv, str(place / "out")], env=project.env)),
        after(
            lambda: clear(place / "copy"),
            command(_flushed(f"cp --recursive {place}/image {place}/copy", place)),
        ),
        rounds=5,
    )
    if run(["diff", "--recursive", "--brief", place / "image", place / "copy"], check=False).returncode != 0:
        raise RuntimeError("the copy of the export differs")
    work = f"export, {megabytes} MB"
    yield Row(work, ours, "-", True, "reading, checking and writing every byte", "cp, sync", copy)
    squeeze = f"cat {place}/image/blobs/sha256/* | gzip -4 > {place}/copy"
    ours, gzip = alternate(
        after(lambda: clear(place / "out"), command([*argv, "--gzip", str(place / "out")], env=project.env)),
        after(lambda: clear(place / "copy"), command(_flushed(squeeze, place))),
    )
    bound = "deflate on all processors"
    yield Row(f"{work}, compressed", ours, "-", True, bound, "gzip -4 (one processor), sync", gzip)


def clear(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flushed(line: str, place: Path) -> list[str]:
    return ["/bin/sh", "-c", f"{line} && sync --file-system {place}"]
