"""Checks of a finished tree that depend on the target's versions, done by the target's own programs in a sandbox.

Only lines about what the definition itself brought are findings; what the programs say of packaged units, and of the sandbox,
is not the author's business. What a program changes on the way is thrown away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from holdfast.base.errors import HoldfastError
from holdfast.base.events import stage
from holdfast.base.records import dataclass
from holdfast.host.units.declared import SYSTEM
from holdfast.manifest.model import Manifest, TextFile, Unit
from holdfast.sandbox import Inside, Root, Sandbox, Scratch, enter

TMPFILES = "/etc/tmpfiles.d/holdfast.conf"
_DATA_ERROR = 65  # EX_DATAERR of sysexits.h: systemd-tmpfiles(8) found invalid lines
_DRY_RUN_SINCE = 256
_SUMMARY = re.compile(r"Unit (\S+) has a bad unit file setting\.")


@dataclass(frozen=True)
class Finding:
    """One complaint about the author's own words."""

    where: str
    """Unit name or file."""
    text: str
    words: str = ""
    """The line that it is about, as it is written in the definition."""

    def __str__(self) -> str:
        return self.text + (f"\n    {self.words}" if self.words else "")


def check_tree(trees: tuple[Path, ...], manifest: Manifest) -> None:
    """Check the system that ``trees`` (bottom first) are together.

    Raises:
        HoldfastError: a program of the target refuses something of ours; shows each line.
    """
    wanted = [check for check in _CHECKS if check.wanted(manifest)]
    wanted = [check for check in wanted if any((tree / check.program.lstrip("/")).exists() for tree in trees)]
    if not wanted:
        return
    with stage("Checking the system") as progress, enter(Sandbox(Root(trees, upper=Scratch()))) as inside:
        findings = [finding for check in wanted for finding in check.run(inside, manifest)]
        progress.note = ", ".join(Path(check.program).name for check in wanted)
    if findings:
        more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
        raise HoldfastError(
            f"the target's own tools refuse {findings[0].where} of the system {manifest.name!r}{more}",
            details="\n".join(map(str, findings)),
            resolution="Change the definition, then build again.",
        )


def _verify_units(inside: Inside, manifest: Manifest) -> list[Finding]:
    units = _checkable(manifest.units)
    argv = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units]
    done = inside.run(argv, check=False, timeout=120)
    return read_verify(done.stderr.decode(errors="replace"), units)


def _checkable(units: Mapping[str, Unit]) -> dict[str, Unit]:
    return {
        name: unit for name, unit in sorted(units.items()) if not unit.masked and (unit.text or unit.dropins)
    }


def read_verify(output: str, units: Mapping[str, Unit]) -> list[Finding]:
    """The findings of `systemd-analyze verify` about ``units``: lines that name one of their files, or a unit whose text is ours."""
    texts = {f"{SYSTEM}/{name}": unit.text for name, unit in units.items() if unit.text is not None}
    for name, unit in units.items():
        for dropin, text in unit.dropins.items():
            texts[f"{SYSTEM}/{name}.d/{dropin.removesuffix('.conf')}.conf"] = text
    findings: list[Finding] = []
    summaries: list[tuple[str, str]] = []
    for line in output.splitlines():
        summary = _SUMMARY.match(line)
        if summary:
            summaries.append((summary[1], line))
            continue
        path, _, rest = line.partition(":")
        if path in texts:
            number = re.match(r"\d+", rest)
            findings.append(Finding(path, line, _line(texts[path], int(number[0])) if number else ""))
        elif (name := _without_instance(path)) in units and units[name].text is not None:
            findings.append(Finding(name, line, _mentioned(units[name].text or "", rest)))
    told = {finding.where.rpartition("/")[2] for finding in findings}
    findings += [
        Finding(name, line)
        for name, line in summaries
        if name in units and units[name].text is not None and name not in told
    ]
    return findings


def _without_instance(name: str) -> str:
    """verify tries a template out as an instance, ``a@test_instance.service`` or ``a@i.service``."""
    return re.sub(r"@(test_instance|test-instance|i)(?=\.[a-z]+$)", "@", name)


def _mentioned(text: str, complaint: str) -> str:
    """The line of ``text`` that has the first absolute path of the complaint in it."""
    path = re.search(r"(?<=\s)/\S+", complaint)
    return next((line for line in text.splitlines() if path and path[0].rstrip(":.,") in line), "")


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def _check_tmpfiles(inside: Inside, manifest: Manifest) -> list[Finding]:
    version = re.search(r"\d+", inside.run(["systemd-tmpfiles", "--version"]).text)
    dry = ["--dry-run"] if version and int(version[0]) >= _DRY_RUN_SINCE else []
    done = inside.run(["systemd-tmpfiles", "--create", *dry, TMPFILES], check=False, timeout=120)
    if done.returncode != _DATA_ERROR:
        return []  # what could not be made here may well be made at boot
    return read_tmpfiles(done.stderr.decode(errors="replace"), manifest.tmpfiles)


def read_tmpfiles(output: str, lines: tuple[str, ...]) -> list[Finding]:
    """The findings of systemd-tmpfiles(8) about our lines."""
    text = "\n".join(lines)
    return [
        Finding(TMPFILES, line, _line(text, int(found[1])))
        for line in output.splitlines()
        if (found := re.match(re.escape(TMPFILES) + r":(\d+): ", line))
    ]


def _check_sudoers(inside: Inside, manifest: Manifest) -> list[Finding]:
    findings: list[Finding] = []
    for path, entry in sorted(manifest.files.items()):
        if _is_sudoers(path) and isinstance(entry, TextFile):
            done = inside.run(["visudo", "--check", "--quiet", f"--file={path}"], check=False, timeout=60)
            if done.returncode != 0:
                said = inside.run(["visudo", "--check", f"--file={path}"], check=False, timeout=60)
                output = (said.stderr + said.stdout).decode(errors="replace").strip()
                number = re.search(re.escape(path) + r":(\d+)", output)
                words = _line(entry.text, int(number[1])) if number else ""
                findings.append(Finding(path, output or f"{path}: visudo refuses it", words))
    return findings


def _is_sudoers(path: str) -> bool:
    return path == "/etc/sudoers" or path.startswith("/etc/sudoers.d/")


@dataclass(frozen=True)
class _Check:
    program: str
    """Where the target has it; without it there is no check."""
    wanted: Callable[[Manifest], bool]
    run: Callable[[Inside, Manifest], list[Finding]]


_CHECKS = (
    _Check("/usr/bin/systemd-analyze", lambda manifest: bool(_checkable(manifest.units)), _verify_units),
    _Check("/usr/bin/systemd-tmpfiles", lambda manifest: bool(manifest.tmpfiles), _check_tmpfiles),
    _Check("/usr/sbin/visudo", lambda manifest: any(map(_is_sudoers, manifest.files)), _check_sudoers),
)
