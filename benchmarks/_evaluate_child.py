"""What an evaluation costs around the evaluation: a forked child, in which everything is imported, hands its JSON to the parent."""

from __future__ import annotations

import gc
import json
import os
import sys
from importlib import import_module


def evaluate_in_a_child(module: str) -> None:
    """Import ``module`` in a fork and call its ``work()``; write the result as canonical JSON to standard output.

    As the project does it: definitions, and the library that declares their options, are loaded in the child.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        gc.disable()  # as the project's evaluation child does: it lives for one evaluation
        os.close(reader)
        text = json.dumps(import_module(module).work(), sort_keys=True, separators=(",", ":"))
        with os.fdopen(writer, "w") as pipe:
            pipe.write(text)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        sys.stdout.write(pipe.read())
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
