from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.library import Debian, Evaluated, Files, System, evaluate_system
from holdfast.manifest.contents import AuthorFile
from holdfast.manifest.model import BlobFile, Directory, Link, SecretFile, TextFile
from holdfast.options import Module, lazy


def evaluated(*modules: Callable[[Module], None]) -> Evaluated:
    return evaluate_system(System("test", modules=modules, distro=Debian("trixie")))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "tool").write_text("tool")
    (root / "sub" / "tool").chmod(0o755)
    (root / "page").write_text("page")
    (root / "page").chmod(0o600)
    (root / "link").symlink_to("../elsewhere")
    return root


def test_a_tree_keeps_links_and_executables_but_not_the_author_s_other_permissions(tree: Path) -> None:
    def module(m: Module) -> None:
        m[Files]["/srv"].source = tree
        m[Files]["/srv"].user = "www-data"
        m[Files]["/srv"].mode = "0750"

    made = evaluated(module)
    page, tool = digest_bytes(b"page"), digest_bytes(b"tool")
    assert made.manifest.files == {
        "/srv": Directory("0750", "www-data"),
        "/srv/link": Link("../elsewhere"),
        "/srv/page": BlobFile(page, "0644", "www-data"),
        "/srv/sub": Directory("0755", "www-data"),
        "/srv/sub/tool": BlobFile(tool, "0755", "www-data"),
    }
    assert set(made.contents) == {
        AuthorFile(page, str(tree / "page")),
        AuthorFile(tool, str(tree / "sub" / "tool")),
    }


def test_what_is_declared_by_itself_replaces_its_part_of_a_tree_and_its_content(tree: Path) -> None:
    def module(m: Module) -> None:
        m[Files]["/srv"].source = tree
        m[Files]["/srv/page"].text = "mine"

    made = evaluated(module)
    assert made.manifest.files["/srv/page"] == TextFile("mine")
    assert made.contents == (AuthorFile(digest_bytes(b"tool"), str(tree / "sub" / "tool")),)


def test_equal_files_are_one_content_and_a_mode_counts_for_a_single_file(tree: Path) -> None:
    def module(m: Module) -> None:
        m[Files]["/a"].source = tree / "page"
        m[Files]["/b"].source = tree / "page"
        m[Files]["/b"].mode = "0600"

    made = evaluated(module)
    digest = digest_bytes(b"page")
    assert made.manifest.files == {"/a": BlobFile(digest), "/b": BlobFile(digest, "0600")}
    assert len(made.contents) == 1


def test_a_link_as_source_is_followed_only_at_the_top(tree: Path) -> None:
    (tree / "alias").symlink_to("page")

    def module(m: Module) -> None:
        m[Files]["/a"].source = tree / "alias"

    assert evaluated(module).manifest.files["/a"] == BlobFile(digest_bytes(b"page"))


def test_special_files_and_unreadable_ones_are_told(tree: Path) -> None:
    os.mkfifo(tree / "fifo")

    def module(m: Module) -> None:
        m[Files]["/srv"].source = tree

    with pytest.raises(HoldfastError, match="fifo is neither file, directory nor link"):
        evaluated(module)


def test_data_of_several_modules_becomes_one_file() -> None:
    def one(m: Module) -> None:
        m[Files]["/etc/a.json"].json = {"b": [1], "a": {"x": True}}
        m[Files]["/etc/a.toml"].toml = {"server": {"port": 80}}
        m[Files]["/etc/a.ini"].ini["main"]["list"] = ["a", "b"]
        m[Files]["/etc/default/a"].key_value["OPTIONS"] = "-v $x"

    def two(m: Module) -> None:
        m[Files]["/etc/a.json"].json = {"b": [2], "a": {"y": None}}
        m[Files]["/etc/a.toml"].toml = {"name": "a"}
        m[Files]["/etc/a.ini"].ini[""]["top"] = 1
        m[Files]["/etc/default/a"].key_value["LEVEL"] = lazy(lambda c: len(c[Files]["/etc/a.ini"].ini))

    files = evaluated(one, two).manifest.files
    assert files["/etc/a.json"] == TextFile(
        '{\n  "a": {\n    "x": true,\n    "y": null\n  },\n  "b": [\n    1,\n    2\n  ]\n}\n'
    )
    assert files["/etc/a.toml"] == TextFile('name = "a"\n\n[server]\nport = 80\n')
    assert files["/etc/a.ini"] == TextFile("top=1\n\n[main]\nlist=a\nlist=b\n")
    assert files["/etc/default/a"] == TextFile('LEVEL=2\nOPTIONS="-v \\$x"\n')


def test_an_empty_text_is_an_empty_file_and_a_disabled_one_is_none() -> None:
    def module(m: Module) -> None:
        m[Files]["/etc/empty"].text = ""
        m[Files]["/etc/off"].text = "x"
        m[Files]["/etc/off"].enable = False
        m[Files]["/var/log/a"].directory = True
        m[Files]["/etc/l"].link = "/dev/null"

    assert evaluated(module).manifest.files == {
        "/etc/empty": TextFile(""),
        "/var/log/a": Directory(),
        "/etc/l": Link("/dev/null"),
    }


def test_a_pattern_puts_what_it_matches_below_the_path(tree: Path) -> None:
    for name in ("a.conf", "b.conf", ".hidden.conf", "readme"):
        (tree / "sub" / name).write_text(name)

    def module(m: Module) -> None:
        m[Files]["/etc/app"].source = tree / "sub" / "*.conf"
        m[Files]["/etc/app"].mode = "0640"
        m[Files]["/etc/app/b.conf"].text = "mine"
        m[Files]["/srv"].source = f"{tree}/s*"

    made = evaluated(module)
    files = made.manifest.files
    assert {path: files[path] for path in files if path.startswith("/etc")} == {
        "/etc/app/a.conf": BlobFile(digest_bytes(b"a.conf"), "0640"),
        "/etc/app/b.conf": TextFile("mine"),
    }
    assert files["/srv/sub"] == Directory("0755")
    assert files["/srv/sub/tool"] == BlobFile(digest_bytes(b"tool"), "0755")


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tree: Path) -> None:
    (tree / "[x]*").write_text("odd")

    def module(m: Module) -> None:
        m[Files]["/etc/odd"].source = tree / "[x]*"

    assert evaluated(module).manifest.files == {"/etc/odd": BlobFile(digest_bytes(b"odd"))}


def test_patterns_that_match_nothing_or_the_same_name_twice(tree: Path) -> None:
    (tree / "other").mkdir()
    (tree / "other" / "tool").write_text("another")

    def nothing(m: Module) -> None:
        m[Files]["/etc/app"].source = tree / "*.conf"

    def twice(m: Module) -> None:
        m[Files]["/etc/app"].source = tree / "*" / "tool"

    for module, words in ((nothing, "No file matches"), (twice, "are called 'tool'")):
        with pytest.raises(HoldfastError) as caught:
            evaluated(module)
        assert words in caught.value.details
        assert "test_files.py:" in caught.value.details


AGE = b"age-encryption.org/v1\n-> ssh-ed25519 abcd efgh\n"
ARMOUR = b"-----BEGIN AGE ENCRYPTED FILE-----\nabcd\n"
SOPS = {
    "json": b'{\n\t"data": "ENC[AES256_GCM,data:abc]",\n\t"sops": {\n}}',
    "flat.json": b'{"data": "ENC[AES256_GCM,data:abc]", "sops": {}}',
    "yaml": b"password: ENC[AES256_GCM,data:abc]\nsops:\n    age: []\n",
    "env": b"PASSWORD=ENC[AES256_GCM,data:abc]\nsops_version=3.8\n",
    "ini": b"[a]\nx = ENC[AES256_GCM,data:abc]\n\n[sops]\nversion = 3\n",
}


@pytest.mark.parametrize(
    ("data", "encryption"), [(AGE, "age"), (ARMOUR, "age"), *((data, "sops") for data in SOPS.values())]
)
def test_a_secret_travels_encrypted(tmp_path: Path, data: bytes, encryption: Literal["age", "sops"]) -> None:
    (tmp_path / "token").write_bytes(data)

    def module(m: Module) -> None:
        m[Files]["/etc/app/token"].secret = tmp_path / "token"
        m[Files]["/etc/app/token"].user = "www-data"

    made = evaluated(module)
    entry = SecretFile(digest_bytes(data), encryption, user="www-data")
    assert made.manifest.files == {"/etc/app/token": entry}
    assert entry.mode == "0400"
    assert made.contents == (AuthorFile(entry.digest, str(tmp_path / "token")),)


def test_identities_of_a_secret_replace_the_host_key(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(AGE)

    def module(m: Module) -> None:
        secret = m[Files]["/etc/app/token"]
        secret.secret = tmp_path / "token"
        secret.identities = ["/etc/holdfast/identity.txt"]
        secret.mode = "0440"

    entry = evaluated(module).manifest.files["/etc/app/token"]
    assert entry == SecretFile(digest_bytes(AGE), "age", ("/etc/holdfast/identity.txt",), "0440")


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"hunter2\n", "is not encrypted"), (b"sops: a word\n", "is not encrypted"), (None, "cannot be read")],
)
def test_a_secret_that_is_none_is_refused_without_showing_it(
    tmp_path: Path, data: bytes | None, words: str
) -> None:
    if data is not None:
        (tmp_path / "token").write_bytes(data)

    def module(m: Module) -> None:
        m[Files]["/etc/token"].secret = tmp_path / "token"

    with pytest.raises(HoldfastError) as caught:
        evaluated(module)
    assert words in caught.value.details
    assert "hunter2" not in caught.value.details
