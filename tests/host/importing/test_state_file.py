from __future__ import annotations

import json

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.host.importing.state_file import Service, TheirState, parse

V1 = {
    "fileTree": {
        "files": ["/etc/foo.conf", "/etc/baz/bar.conf"],
        "backedUpFiles": ["/etc/nix/nix.conf"],
    },
    "services": {
        "hello.service": {"storePath": "/nix/store/aaa-unit-hello.service/hello.service", "masked": False},
        "apt-daily.timer": {"storePath": None, "masked": True},
        "old.service": {"storePath": "/nix/store/bbb-unit-old.service/old.service"},
    },
    "version": 1,
}


def node(status: str, path: str, *children: dict[str, object]) -> dict[str, object]:
    nested = {str(child["path"]).rpartition("/")[2]: child for child in children}
    return {"status": status, "path": path, "nested": nested}


V0 = {
    "fileTree": node(
        "unmanaged",
        "/",
        node(
            "unmanaged",
            "/etc",
            node("managed", "/etc/foo.conf"),
            node("managed", "/etc/baz", node("managed", "/etc/baz/bar.conf")),
            node("unmanaged", "/etc/nix", node("managedWithBackup", "/etc/nix/nix.conf")),
        ),
    ),
    "services": {"hello.service": {"storePath": "/nix/store/aaa"}},
}


def test_version_1() -> None:
    assert parse(json.dumps(V1).encode()) == TheirState(
        ("/etc/baz/bar.conf", "/etc/foo.conf"),
        ("/etc/nix/nix.conf",),
        {
            "apt-daily.timer": Service(None, masked=True),
            "hello.service": Service("/nix/store/aaa-unit-hello.service/hello.service"),
            "old.service": Service("/nix/store/bbb-unit-old.service/old.service"),
        },
    )


def test_version_0() -> None:
    assert parse(json.dumps(V0).encode()) == TheirState(
        ("/etc/baz", "/etc/baz/bar.conf", "/etc/foo.conf"),
        ("/etc/nix/nix.conf",),
        {"hello.service": Service("/nix/store/aaa")},
    )


def test_what_deactivation_leaves() -> None:
    left = {"fileTree": {"files": [], "backedUpFiles": []}, "services": {}, "version": 0}
    assert parse(json.dumps(left).encode()).empty


def test_a_deep_tree_is_no_problem() -> None:
    tree = node("managed", "/etc/x")
    for _ in range(150):
        tree = node("unmanaged", "/etc", tree)
    assert parse(json.dumps({"fileTree": tree, "services": {}}).encode()).files == ("/etc/x",)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("{", "it is not valid JSON"),
        ("[" * 100_000, "it is not valid JSON"),
        ("[]", "the file is no object"),
        (json.dumps({**V1, "version": 2}), "its version is 2; known are 0 and 1"),
        (json.dumps({**V1, "version": "1"}), "its version is '1'"),
        (json.dumps({"services": {}, "version": 1}), "fileTree is no object"),
        (json.dumps({"fileTree": {"files": []}, "services": {}}), "fileTree.backedUpFiles is no list"),
        (json.dumps({"fileTree": {"files": ["etc/x"], "backedUpFiles": []}, "services": {}}), "'etc/x' is no absolute path"),
        (json.dumps({"fileTree": {"files": ["/etc/../x"], "backedUpFiles": []}, "services": {}}), "is no absolute path"),
        (json.dumps({"fileTree": node("stolen", "/etc"), "services": {}}), "/etc has the status 'stolen'"),
        (json.dumps({"fileTree": {"status": "managed", "path": "/etc"}, "services": {}}), "nested in /etc is no object"),
        (json.dumps({**V1, "services": {"x": {"storePath": 1}}}), "the service x is not what is known"),
        (json.dumps({**V1, "services": []}), "services is no object"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(data: str, why: str) -> None:
    with pytest.raises(HoldfastError) as caught:
        parse(data.encode())
    assert "System Manager's state is none that is known" in caught.value.brief
    assert why in caught.value.brief
    assert "deactivate" in caught.value.resolution
