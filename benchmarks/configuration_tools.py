"""Peers that change a machine over ssh: pyinfra and Ansible, file by file and by directory, each as its manual advises.

Ansible's manual says that ``copy`` does not scale to hundreds of files and names ``synchronize`` for these, and pipelining for
speed; pyinfra's names ``files.sync`` for directories and has ``files.rsync`` as well. Both are given a running ssh connection's
advantages (ControlPersist) where they know how to use them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks.measure import ROOT, Sample, command
from benchmarks.target import Target
from benchmarks.workload import Workload

BIN = ROOT / ".venv-peers" / "bin"

How = Literal["file by file", "by directory"]
HOWS: tuple[How, ...] = ("file by file", "by directory")

_PYINFRA_BY_FILE = """\
for path in sorted(Path("files").rglob("*.conf")):
    files.put(src=str(path), dest="{directory}/" + str(path.relative_to("files")), mode="644")
"""
_PYINFRA_BY_DIRECTORY = """\
files.rsync(src="files/", dest="{directory}/", flags=["-rt", "--delete", "--chmod=F644,D755"])
"""
_PYINFRA = """\
from pathlib import Path

from pyinfra.operations import files, systemd

{files}
put = {{path.name: files.put(src=str(path), dest="/etc/systemd/system/" + path.name, mode="644") for path in sorted(Path("units").iterdir())}}
systemd.daemon_reload(_if=lambda: any(one.did_change() for one in put.values()))
for name, one in put.items():
    systemd.service(service=name, running=True, enabled=True)
    systemd.service(service=name, restarted=True, _if=one.did_change)
"""


@dataclass(frozen=True)
class Tool:
    """One peer in one of its ways."""

    name: str
    workload: Workload
    run: Callable[[], Sample]


def pyinfra(target: Target, workload: Workload, how: How) -> Tool:
    """pyinfra: a file of operations, which it carries out one after the other."""
    place = workload.place
    place.mkdir()
    host = {
        "ssh_port": target.port,
        "ssh_user": "root",
        "ssh_key": str(target.key),
        "ssh_known_hosts_file": str(target.known_hosts),
        "ssh_strict_host_key_checking": "yes",
    }
    (place / "inventory.py").write_text(f"targets = [('127.0.0.1', {host!r})]\n")
    operations = _PYINFRA_BY_FILE if how == "file by file" else _PYINFRA_BY_DIRECTORY
    text = _PYINFRA.format(files=operations.format(directory=workload.directory))
    (place / "deploy.py").write_text(text)
    argv = [str(BIN / "pyinfra"), "--yes", "inventory.py", "deploy.py"]
    return Tool(f"pyinfra, {how}", workload, command(argv, cwd=place))


def ansible(target: Target, workload: Workload, how: How) -> Tool:
    """Ansible: a playbook."""
    place = workload.place
    place.mkdir()
    (place / "hosts.ini").write_text(
        f"target ansible_host=127.0.0.1 ansible_port={target.port} ansible_user=root "
        f"ansible_ssh_private_key_file={target.key} ansible_python_interpreter=/usr/bin/python3\n"
    )
    (place / "ansible.cfg").write_text(
        "[defaults]\ninventory = hosts.ini\nnocows = True\n\n[ssh_connection]\npipelining = True\n"
        f"ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={target.known_hosts}\n"
    )
    tasks = [
        *(_copies(workload) if how == "file by file" else _synchronized(workload, target)),
        *_ANSIBLE_UNITS,
    ]
    play = {"hosts": "target", "gather_facts": False, "tasks": tasks}
    (place / "play.yml").write_text(json.dumps([play], indent=1))  # JSON is YAML
    argv = [str(BIN / "ansible-playbook"), "play.yml"]
    env = {"ANSIBLE_HOME": str(place / "home"), "LC_ALL": "C.UTF-8"}
    return Tool(f"Ansible, {how}", workload, command(argv, cwd=place, env=env))


def _copies(workload: Workload) -> list[object]:
    return [
        {
            "name": "Directories",
            "ansible.builtin.file": {
                "path": f"{workload.directory}/part{{{{ item }}}}",
                "state": "directory",
                "mode": "0755",
            },
            "loop": list(range(10)),
        },
        {
            "name": "Files",
            "ansible.builtin.copy": {
                "src": "files/{{ item }}",
                "dest": f"{workload.directory}/{{{{ item }}}}",
                "mode": "0644",
            },
            "loop": list(workload.files),
        },
    ]


def _synchronized(workload: Workload, target: Target) -> list[object]:
    return [
        {
            "name": "Files",
            "ansible.posix.synchronize": {
                "src": "files/",
                "dest": f"{workload.directory}/",
                "delete": True,
                "archive": False,
                "recursive": True,
                "times": True,
                "rsync_opts": ["--chmod=F644,D755"],
                "private_key": str(target.key),
                "ssh_connection_multiplexing": True,
                "use_ssh_args": True,
            },
        }
    ]


_ANSIBLE_UNITS: list[object] = [
    {
        "name": "Units",
        "ansible.builtin.copy": {"src": "{{ item }}", "dest": "/etc/systemd/system/", "mode": "0644"},
        "with_fileglob": ["units/*.service"],
        "register": "units",
    },
    {
        "name": "Reload the manager",
        "ansible.builtin.systemd_service": {"daemon_reload": True},
        "when": "units.changed",
    },
    {
        "name": "Services",
        "ansible.builtin.systemd_service": {
            "name": "{{ item.item | basename }}",
            "state": "{{ item.changed | ternary('restarted', 'started') }}",
            "enabled": True,
        },
        "loop": "{{ units.results }}",
        "loop_control": {"label": "{{ item.item | basename }}"},
    },
]
