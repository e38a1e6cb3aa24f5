from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.sandbox import Bind, ToolsTree

pytestmark = pytest.mark.system


def test_a_tool_runs_on_what_is_bound_and_changes_nothing_else(base_layer: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    tools = ToolsTree((base_layer,), env={"TOOL": "1"})
    binds = {"/usr": Bind(Path("/usr")), "/work": Bind(tmp_path / "work", writable=True)}
    done = tools.run(["sh", "-c", "echo $TOOL >out; echo x >/etc/hello; pwd"], binds=binds, cwd="/work")
    assert done.text == "/work\n"
    assert (tmp_path / "work/out").read_text() == "1\n"
    assert (base_layer / "etc/hello").read_text() == "from the base\n"
