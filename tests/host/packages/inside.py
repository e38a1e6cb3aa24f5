"""Runs inside a machine under test: one step of a change of packages, asked for in JSON on stdin, answered in JSON on stdout."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

from holdfast.base.codec import decode, encode
from holdfast.base.digests import Digest, hex_of
from holdfast.base.errors import HoldfastError
from holdfast.host import operations, packages
from holdfast.host.change import Wanted
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.live import Live, open_live
from holdfast.host.packages.apt import applying, undoing
from holdfast.host.packages.change import PackageOptions
from holdfast.host.packages.record import PackageState
from holdfast.host.packages.wanted import WantedPackages
from holdfast.host.report import render_change, render_result, result_json
from holdfast.host.state import State
from holdfast.manifest.model import Manifest

_BLOBS = Path("/debs")


def _blobs(digest: Digest) -> BinaryIO:
    return (_BLOBS / hex_of(digest)).open("rb")


def _operate(asked: dict[str, Any]) -> dict[str, Any]:
    """A verb of the command itself, with its own state."""
    packages_may = decode(PackageOptions, asked.get("options", {}), what="options")
    options = operations.SwitchOptions(packages=packages_may)
    with open_live(blobs=_blobs) as live:
        if asked["operation"] == "switch":
            manifest = decode(Manifest, asked["manifest"], what="manifest")
            locked = decode(WantedPackages, asked["wanted"], what="wanted") if asked.get("wanted") else None
            wanted = Wanted(manifest, packages=locked)
            if asked.get("dry"):
                return {"text": "\n".join(render_change(operations.plan(live, wanted, options=options)))}
            result = operations.switch(live, wanted, options)
        elif asked["operation"] == "rollback":
            result = operations.rollback(live, asked.get("number"), options)
        else:
            result = operations.deactivate(live, options)
        text = "\n".join(render_result(result))
        return {
            "empty": result.change.empty,
            "after": encode(result.change.after),
            "text": text,
            "json": result_json(result),
        }


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    """``verb``, and what it needs: wanted, state, options, transaction, declared, die (a checkpoint to be killed at)."""
    if "operation" in asked:
        return _operate(asked)
    root = RootDirectory(Path("/"))

    def checkpoint(where: str) -> None:
        if where == asked.get("die"):
            os.kill(os.getpid(), 9)

    live = Live(root, Path("/"), None, _blobs, running=True, checkpoint=checkpoint)
    wanted = decode(WantedPackages, asked["wanted"], what="wanted") if asked.get("wanted") else None
    state = decode(State, asked["state"], what="state") if asked.get("state") else None
    options = decode(PackageOptions, asked.get("options", {}), what="options")
    verb = asked["verb"]
    if verb == "recover":
        return {"recovered": packages.recover(live, committed=asked.get("committed", ""))}
    if verb == "finish":
        packages.finish(decode(PackageState, asked["after"], what="after"))
        return {}
    started = time.perf_counter()
    facts = packages.read_package_facts(live, wanted, state, options, asked.get("declared", ()))
    change = packages.plan_packages(facts, wanted, state, options)
    answer: dict[str, Any] = {"change": encode(change), "seconds": time.perf_counter() - started}
    if verb == "apply":
        result = applying.apply(
            change, live, state, asked.get("transaction", "t"), wait_seconds=asked.get("wait", 60)
        )
        answer["result"] = encode(result)
    elif verb == "undo":
        record = applying.read_transaction()
        assert record is not None
        undoing.undo(record.change, live)
    return answer


def main() -> None:
    try:
        answer = _answer(json.load(sys.stdin))
    except HoldfastError as error:
        answer = {"error": error.brief, "details": error.details, "kind": type(error).__name__}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
