"""Reading what the target's tools say; the lines are those of systemd 252 and 257."""

from __future__ import annotations

from holdfast.build.checks import read_tmpfiles, read_verify
from holdfast.manifest.model import Unit

UNITS = {
    "good.service": Unit(text="[Service]\nExecStart=/bin/true\n"),
    "typo.service": Unit(text="[Unit]\nDescription=x\n[Service]\nExecStrt=/bin/true\n"),
    "noexec.service": Unit(text="[Service]\nExecStart=/bin/nonexistent --x\n"),
    "tmpl@.service": Unit(text="[Service]\nExecStart=/bin/nonexistent %i\n"),
    "empty.service": Unit(text="[Unit]\nDescription=x\n"),
    "bad.service": Unit(text="nonsense"),
    "nginx.service": Unit(dropins={"10-x": "[Service]\nNicee=5\n"}),
}


def test_findings_show_the_authors_words() -> None:
    output = """\
/etc/systemd/system/typo.service:4: Unknown key 'ExecStrt' in section [Service], ignoring.
/etc/systemd/system/nginx.service.d/10-x.conf:2: Unknown key 'Nicee' in section [Service], ignoring.
noexec.service: Command /bin/nonexistent is not executable: No such file or directory
tmpl@test_instance.service: Command /bin/nonexistent is not executable: No such file or directory
tmpl@i.service: Command /bin/nonexistent is not executable: No such file or directory
empty.service: Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing.
Unit empty.service has a bad unit file setting.
Unit bad.service has a bad unit file setting.
"""
    findings = read_verify(output, UNITS)
    assert [(finding.where, finding.words) for finding in findings] == [
        ("/etc/systemd/system/typo.service", "ExecStrt=/bin/true"),
        ("/etc/systemd/system/nginx.service.d/10-x.conf", "Nicee=5"),
        ("noexec.service", "ExecStart=/bin/nonexistent --x"),
        ("tmpl@.service", "ExecStart=/bin/nonexistent %i"),
        ("tmpl@.service", "ExecStart=/bin/nonexistent %i"),
        ("empty.service", ""),
        ("bad.service", ""),
    ]
    assert "typo.service:4: Unknown key" in str(findings[0])


def test_what_is_not_ours_is_not_the_authors_business() -> None:
    output = """\
/usr/lib/systemd/system/plymouth-start.service:15: Unit uses KillMode=none. This is unsafe.
nginx.service: Command /usr/sbin/nginx is not executable: No such file or directory
Unit nginx.service has a bad unit file setting.
Failed to open /sys/fs/cgroup: No such file or directory
other.service: Service has no ExecStart=. Refusing.

"""
    assert read_verify(output, UNITS) == []


def test_tmpfiles_lines() -> None:
    output = """\
/usr/lib/tmpfiles.d/legacy.conf:13: Duplicate line for path "/run/lock", ignoring.
/etc/tmpfiles.d/holdfast.conf:2: Failed to resolve user 'nouser': No such process
"""
    (finding,) = read_tmpfiles(output, ("d /run/a", "d /run/b 0755 nouser root -"))
    assert finding.words == "d /run/b 0755 nouser root -"
