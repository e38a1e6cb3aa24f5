"""A root as somebody's machine might be: with dpkg's database, changes of its own, and people."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tests.host.roots import GROUP, GSHADOW, PASSWD, SHADOW, make_root

OS_RELEASE = 'ID=debian\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'
CONFFILE = "color = red\n"
UNIT = "[Unit]\nDescription=Of my own\n\n[Service]\nExecStart=/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n"
PACKAGED = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
PRIVATE = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nAAAA\n"


def stanza(name: str, *lines: str, status: str = "install ok installed", priority: str = "optional") -> str:
    head = [
        f"Package: {name}",
        f"Status: {status}",
        f"Priority: {priority}",
        "Architecture: amd64",
        "Version: 1.0",
    ]
    return "\n".join([*head, *lines]) + "\n"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


STATUS = "\n".join(
    [
        stanza("dpkg", "Essential: yes", priority="required"),
        stanza("libfoo1", "Section: libs"),
        stanza("foo", "Depends: libfoo1 (>= 1), bar | baz", "Conffiles:", f" /etc/foo.conf {_md5(CONFFILE)}", f" /etc/same.conf {_md5(CONFFILE)}"),
        stanza("bar"),
        stanza("tzdata"),
        stanza("held", status="hold ok installed"),
        stanza("gone", status="deinstall ok config-files"),
    ]
)  # fmt: skip
EXTENDED = "Package: bar\nArchitecture: amd64\nAuto-Installed: 1\n"

FILES = {
    "etc/os-release": OS_RELEASE,
    "etc/hostname": "web1\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/timezone": "Europe/Prague\n",
    "etc/passwd": PASSWD
    + "ann:x:1000:1000:Ann,,,:/home/ann:/bin/bash\nbob:x:1001:1500::/srv/bob:/usr/bin/fish\nold:x:1002:27::/srv/old:/bin/gone\n",
    "etc/group": GROUP.replace("sudo:x:27:", "sudo:x:27:ann").replace("shadow:x:42:", "shadow:x:42:ann")
    + "docker:x:990:ann\nann:x:1000:\nteam:x:1500:ann\n",
    "etc/shadow": SHADOW + "ann:$y$secret:19000:0:99999:7:::\nbob:!:19000:0:99999:7:::\nold:!:19000:0:99999:7:::\n",
    "etc/gshadow": GSHADOW,
    "etc/foo.conf": "color = blue\n",
    "etc/same.conf": CONFFILE,
    "etc/cron.d/backup": "0 3 * * * root /usr/local/bin/backup\n",
    "etc/cron.daily/tidy": "#!/bin/sh\nexit 0\n",
    "etc/sudoers.d/ann": "ann ALL=(ALL) NOPASSWD: ALL\n",
    "etc/profile.d/latin.sh": "",
    "etc/sysctl.d/50-mine.conf": "# mine\nnet.ipv4.ip_forward = 1\n",
    "etc/apt/sources.list": "deb http://deb.debian.org/debian trixie main\n",
    "etc/apt/sources.list.dpkg-old": "x\n",
    "etc/ssh/sshd_config.d/host.key": "secret\n",
    "etc/ssh/sshd_config.d/id.conf": PRIVATE,
    "etc/unrelated": "nobody asked\n",
    "etc/fstab": "# x\nUUID=1 / ext4 defaults 0 1\n",
    "etc/systemd/system/mine.service": UNIT,
    "etc/systemd/system/odd.service": UNIT,
    "etc/systemd/system/back\\x2dslash.service": UNIT + 'Alias="""\\x\n',
    "etc/systemd/system/shipped.service.d/override.conf": "[Service]\nNice=5\n",
    "etc/systemd/system/masked.service.d/10.conf": "[Service]\nNice=6\n",
    "usr/lib/systemd/system/shipped.service": PACKAGED,
    "usr/lib/systemd/system/masked.service": PACKAGED,
    "usr/lib/systemd/system/disabled.service": PACKAGED,
    "usr/lib/systemd/system/enabled.service": PACKAGED,
    "usr/lib/systemd/system/remote-fs.target": "[Install]\nWantedBy=multi-user.target\n",
    "usr/lib/systemd/system/never.service": PACKAGED,
    "usr/lib/systemd/system/apt-daily.timer": "[Install]\nWantedBy=timers.target\n",
    "usr/lib/systemd/system-preset/90-x.preset": "enable enabled.service\ndisable never.service\n",
    "var/lib/dpkg/status": STATUS,
    "var/lib/dpkg/info/foo.list": "/.\n/etc\n/etc/foo.conf\n/etc/cron.d/packaged\n",
    "etc/cron.d/packaged": "x\n",
    "var/lib/apt/extended_states": EXTENDED,
    "home/ann/.ssh/authorized_keys": "ssh-ed25519 AAAA ann@example\nssh-ed25519 BBBB\n",
    "srv/bob/.ssh/authorized_keys": "# work\n\nssh-ed25519 CCCC\n",
    "usr/bin/fish": "#!\n",
    "var/lib/systemd/linger/ann": "",
    "var/spool/cron/crontabs/ann": "x\n",
}  # fmt: skip
_WANTS = "etc/systemd/system/multi-user.target.wants"
LINKS = {
    "etc/localtime": "/usr/share/zoneinfo/Europe/Prague",
    f"{_WANTS}/shipped.service": "/lib/systemd/system/shipped.service",
    f"{_WANTS}/enabled.service": "/usr/lib/systemd/system/enabled.service",
    f"{_WANTS}/remote-fs.target": "/usr/lib/systemd/system/remote-fs.target",
    f"{_WANTS}/mine.service": "../mine.service",
    "etc/systemd/system/also-mine.service": "/etc/systemd/system/mine.service",
    "etc/systemd/system/masked.service": "/dev/null",
    "etc/systemd/system/timers.target.wants/apt-daily.timer": "/usr/lib/systemd/system/apt-daily.timer",
}
HELPED = ("shipped.service", "disabled.service", "never.service", "masked.service", "apt-daily.timer")


def make_machine(path: Path) -> Path:
    """The root of a Debian machine that was looked after by hand."""
    root = make_root(path, FILES)
    for name, target in LINKS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(target)
    helper = root / "var/lib/systemd/deb-systemd-helper-enabled"
    for unit in HELPED:
        wants = "timers.target.wants" if unit.endswith(".timer") else "multi-user.target.wants"
        (helper / wants).mkdir(parents=True, exist_ok=True)
        (helper / wants / unit).write_text("")
        (helper / f"{unit}.dsh-also").write_text(f"/etc/systemd/system/{wants}/{unit}\n")
    for program in ("usr/bin/fish", "etc/cron.daily/tidy"):
        (root / program).chmod(0o755)
    (root / "etc/sudoers.d/ann").chmod(0o440)
    (root / "etc/systemd/system/odd.service").chmod(0o755)
    (root / "etc/foo.conf").chmod(0o664)
    (root / "etc/profile.d/latin.sh").write_bytes(b"# caf\xe9\n")
    for person, uid, gid in (("home/ann", 1000, 1000), ("srv/bob", 1001, 1500)):
        (root / person / ".ssh").chmod(0o700)
        (root / person / ".ssh/authorized_keys").chmod(0o600)
        for place in (person, f"{person}/.ssh", f"{person}/.ssh/authorized_keys"):
            os.chown(root / place, uid, gid)
    return root
