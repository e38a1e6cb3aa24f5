"""Package files on their way into the archive, from which what there was is brought back."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.host.packages.apt import files
from holdfast.host.packages.change import PackageFile
from tests.host.packages.debs import Debs
from tests.host.roots import blobs_of


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("archive", "cache", "debs"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(files, "ARCHIVE", tmp_path / "archive")
    monkeypatch.setattr(files, "CACHE", tmp_path / "cache")
    return tmp_path / "archive"


def test_what_is_in_the_archive_is_durable(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut would otherwise leave empty files there, which nobody looks into before they are needed."""
    debs = Debs(archive.parent / "debs")
    old, new = debs.build("app", "1.0", offered=False), debs.build("app", "2.0")
    cached = PackageFile("app", "1.0", "all", "cache")
    (debs.place / "app_1.0.deb").rename(archive.parent / "cache" / cached.file_name)
    (archive / ".incoming").mkdir()
    (archive / ".incoming/half").write_text("of a run that was cut short")
    synced: list[list[str]] = []

    def sync(place: Path) -> None:
        assert {path.stat().st_size for path in place.iterdir()} == {old.size, new.size}
        synced.append([path.name for path in archive.iterdir()])

    monkeypatch.setattr(files, "sync_file_system", sync)
    stored = PackageFile("app", "2.0", "all", "store", new.sha256)
    lost = PackageFile("app", "0.1", "all")
    blob = debs.place / str(new.sha256).partition(":")[2]
    blobs = blobs_of(blob.read_bytes())
    assert files.gather((stored, cached, lost), blobs, optional=True) == (lost,)
    assert synced == [[".incoming"]]
    assert sorted(path.name for path in archive.iterdir()) == sorted([cached.file_name, stored.file_name])
    assert files.gather((stored, cached), blobs) == () and len(synced) == 1
    with pytest.raises(HoldfastError, match="cannot be had"):
        files.gather((lost,), blobs)
    assert not (archive / ".incoming").exists()
