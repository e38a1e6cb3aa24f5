"""What the engine says in place of doing it, on a root that does not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.engine.main import run
from holdfast.manifest.document import write_manifest
from holdfast.manifest.model import TextFile
from tests.host.roots import a_manifest, make_root


def test_what_would_be_refused_is_not_promised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOLDFAST_STORE", raising=False)
    root = make_root(tmp_path / "root")
    manifest = tmp_path / "manifest.json"
    manifest.write_bytes(write_manifest(a_manifest(files={"/etc/a": TextFile("a\n")})))

    def said(code: int, *words: str) -> str:
        assert run([*words, "--root", str(root)]) == code
        found = capsys.readouterr()
        return found.out + found.err

    said(0, "switch", str(manifest))
    assert "generation 1 is the current one" in said(1, "generations", "delete", "1", "--dry-run")
    assert "there is no generation 7" in said(1, "generations", "delete", "7", "--dry-run")
    assert "does not run: there is nothing to follow" in said(1, "follow")
    assert "`holdfast switch --root`" in said(1, "boot", str(manifest))
    manifest.write_bytes(write_manifest(a_manifest(files={"/etc/a": TextFile("b\n")})))
    assert said(0, "boot", str(manifest), "--dry-run").startswith("boot: generation 1 -> 2")
    state = root / "var/lib/holdfast/host/state.json"
    kept = state.read_text()
    state.write_text(kept.replace('"version":1', '"version":99'))
    assert "Upgrade the Holdfast that you run" in said(1, "status")
    state.write_text(kept[:-2])
    assert "Restore it from a backup" in said(1, "status")
