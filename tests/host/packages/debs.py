"""Small packages, built on the spot: everything that a change of packages can run into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.base.digests import digest_file, hex_of
from holdfast.base.process import run
from holdfast.host.packages.wanted import SCHEMA, WantedPackage, WantedPackages

_NONE: Mapping[str, str] = {}


@dataclass
class Debs:
    """A directory of package files by digest, as a store's blobs would be, and their entries in a lock."""

    place: Path
    built: dict[tuple[str, str], WantedPackage] = field(default_factory=lambda: {})
    release: str = "trixie"

    def build(
        self,
        name: str,
        version: str,
        *,
        depends: str = "",
        fields: str = "",
        files: Mapping[str, str] = _NONE,
        scripts: Mapping[str, str] = _NONE,
        offered: bool = True,
    ) -> WantedPackage:
        """Make NAME_VERSION_all.deb; what of ``files`` is in /etc is a conffile. Not ``offered``: it is nowhere afterwards."""
        tree = self.place / f"tree-{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        lines = [
            f"Package: {name}",
            f"Version: {version}",
            "Architecture: all",
            "Maintainer: Nobody <n@example.org>",
        ]
        lines += [f"Depends: {depends}"] if depends else []
        lines += [fields] if fields else []
        (tree / "DEBIAN/control").write_text("\n".join([*lines, f"Description: {name}", ""]))
        everything = {f"/usr/share/{name}/version": version, **files}
        for path, text in everything.items():
            (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (tree / path.lstrip("/")).write_text(text)
        conffiles = [path for path in everything if path.startswith("/etc/")]
        if conffiles:
            (tree / "DEBIAN/conffiles").write_text("".join(f"{path}\n" for path in conffiles))
        for script, text in scripts.items():
            (tree / "DEBIAN" / script).write_text(f"#!/bin/sh\nset -e\n{text}\n")
            (tree / "DEBIAN" / script).chmod(0o755)
        deb = self.place / f"{name}_{version}.deb"
        run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, deb])
        digest = digest_file(deb)
        if offered:
            deb.rename(self.place / hex_of(digest))
        package = WantedPackage(
            name, version, "all", (deb if not offered else self.place / hex_of(digest)).stat().st_size, digest
        )
        self.built[name, version] = package
        return package

    def path(self, name: str, version: str) -> str:
        """Where it is in the machine."""
        return f"/debs/{hex_of(self.built[name, version].sha256)}"

    def wanted(
        self,
        packages: Mapping[str, str],
        *,
        install: Sequence[str] | None = None,
        remove: Sequence[str] = (),
        hold: Sequence[str] = (),
        release: str | None = None,
    ) -> WantedPackages:
        """A lock of these versions; what is not in ``install`` (by default all) is there for others' sake."""
        asked = tuple(packages) if install is None else tuple(install)
        chosen = [self.built[name, version] for name, version in sorted(packages.items())]
        return WantedPackages(
            SCHEMA,
            "debian",
            release or self.release,
            "amd64",
            tuple(
                WantedPackage(
                    one.name, one.version, one.architecture, one.size, one.sha256, one.name not in asked
                )
                for one in chosen
            ),
            asked,
            tuple(remove),
            tuple(hold),
        )
