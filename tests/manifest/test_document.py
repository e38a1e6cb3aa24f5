from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.codec import DecodeError
from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.manifest.document import manifest_digest, manifest_schema, read_manifest, write_manifest
from holdfast.manifest.model import (
    SCHEMA_VERSION,
    BlobFile,
    Directory,
    Distribution,
    Group,
    Identity,
    Link,
    Manifest,
    Packages,
    Source,
    TextFile,
    Unit,
    User,
)
from tests.examples import at_most

SMALLEST = Manifest(SCHEMA_VERSION, "web", Distribution("debian", "trixie", "amd64"), Identity("web1"))
FULL = Manifest(
    SCHEMA_VERSION,
    "web",
    Distribution(
        "debian", "trixie", "amd64", (Source("debian", "trixie", ("main",)),), "http://deb.example.org/debian"
    ),
    Identity("web1", "cs_CZ.UTF-8", "Europe/Prague"),
    Packages(
        ("curl",),
        ("nano",),
        ("curl",),
        True,
        {"x": Source("x", "s/", (), "http://x.example.org", "KEY", False)},
    ),
    {
        "/etc/motd": TextFile("Held fast.\n\N{SNOWMAN}", "4755", "ann", "ann"),
        "/bin/x": BlobFile(digest_bytes(b"x")),
        "/l": Link("/nowhere"),
        "/d": Directory("2775"),
    },
    {
        "a.service": Unit(
            "[Service]\n",
            {"x": "y"},
            None,
            ("b.target",),
            (),
            (),
            ("c.service",),
            False,
            "reload",
            False,
            ("t",),
            ("u",),
        )
    },
    {"ann": User(7, "g", ("sudo",), "Ann", "/h", False, "/bin/sh", True, "$y$", ("k",), True)},
    {"g": Group(5, True, ("ann",))},
    ("d /run/x",),
    ("web",),
    "root@web1",
)


def test_the_canonical_bytes_do_not_change() -> None:
    """These digests are in locks, images and states of systems: a change here is a new schema version."""
    assert write_manifest(SMALLEST) == (
        b'{"distribution":{"architecture":"amd64","family":"debian","release":"trixie"},"identity":{"hostname":"web1"},"name":"web","schema":1}'
    )
    assert manifest_digest(SMALLEST) == digest_bytes(write_manifest(SMALLEST))
    assert manifest_digest(FULL) == "sha256:e35e6577ab072b057edd5465a55c2d015efef97ba21d700780b4ca03392567f1"


@pytest.mark.parametrize("manifest", [SMALLEST, FULL])
def test_what_is_written_is_read_back(manifest: Manifest) -> None:
    data = write_manifest(manifest)
    assert read_manifest(data) == manifest
    assert write_manifest(read_manifest(data)) == data


_texts = st.text(max_size=8)
_entries = st.one_of(
    st.builds(TextFile, _texts, st.sampled_from(["0644", "4755"])),
    st.builds(Link, _texts),
    st.builds(Directory),
)
_units = st.builds(
    Unit,
    text=st.none() | _texts,
    dropins=st.dictionaries(_texts, _texts, max_size=2),
    enable=st.none() | st.booleans(),
    wanted_by=st.lists(_texts, max_size=2).map(tuple),
)
_manifests = st.builds(
    Manifest,
    st.just(SCHEMA_VERSION),
    _texts,
    st.builds(Distribution, _texts, _texts, _texts),
    st.builds(Identity, _texts),
    files=st.dictionaries(_texts, _entries, max_size=3),
    units=st.dictionaries(_texts, _units, max_size=2),
    users=st.dictionaries(_texts, st.builds(User, uid=st.none() | st.integers(), comment=_texts), max_size=2),
    tags=st.lists(_texts, max_size=2).map(tuple),
)


@at_most(30)
@given(_manifests, _manifests)
def test_equal_bytes_are_equal_manifests(one: Manifest, two: Manifest) -> None:
    assert read_manifest(write_manifest(one)) == one
    assert (write_manifest(one) == write_manifest(two)) == (one == two)


def test_the_order_of_keys_does_not_matter() -> None:
    document = json.loads(write_manifest(FULL))
    shuffled = json.dumps(dict(reversed(document.items())), indent=3).encode()
    assert manifest_digest(read_manifest(shuffled)) == manifest_digest(FULL)


def test_a_newer_schema_is_refused_whatever_else_is_in_it() -> None:
    with pytest.raises(HoldfastError) as caught:
        read_manifest(b'{"schema":99,"something":"new"}', what="web.json")
    assert caught.value.brief == f"web.json has schema 99; this holdfast reads up to {SCHEMA_VERSION}"
    assert caught.value.resolution == "Upgrade holdfast on this machine."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "manifest has an unknown field 'colour'"),
        ({"name": 7}, "manifest.name must be a string, not 7"),
        ({"name": None}, "manifest.name must be a string"),
        ({"identity": {}}, "manifest.identity lacks the field 'hostname'"),
        ({"tags": "web"}, "manifest.tags must be a list"),
        ({"files": {"/x": {"kind": "socket"}}}, "manifest.files./x.kind must be"),
        ({"files": {"/x": {"kind": "text"}}}, "manifest.files./x lacks the field 'text'"),
        ({"users": {"ann": {"uid": True}}}, "manifest.users.ann.uid must be an integer"),
        ({"units": {"a": {"on_change": "explode"}}}, "manifest.units.a.on_change must be"),
    ],
)
def test_the_wrong_place_is_named(change: dict[str, object], message: str) -> None:
    document = {**json.loads(write_manifest(SMALLEST)), **change}
    with pytest.raises(DecodeError) as caught:
        read_manifest(json.dumps(document).encode())
    assert message in caught.value.brief


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"\xff"])
def test_what_is_no_manifest(data: bytes) -> None:
    with pytest.raises(DecodeError, match="manifest"):
        read_manifest(data)


def test_the_schema_covers_every_field() -> None:
    schema = manifest_schema()
    text = json.dumps(schema)
    for name in json.loads(write_manifest(FULL)):
        assert f'"{name}"' in text
    assert schema["additionalProperties"] is False if "additionalProperties" in schema else "$ref" in schema
