from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.base.digests import digest_file
from holdfast.base.errors import HoldfastError
from holdfast.library import Evaluated, Firewall, Identity, Nginx, Packages, System, Tmpfiles, evaluate_system
from holdfast.library.assembling.sets import every_set
from holdfast.library.firewall import firewall_text
from holdfast.library.rendering.nftables import TABLE
from holdfast.library.system import Debian
from holdfast.manifest.contents import AuthorFile
from holdfast.manifest.document import read_manifest, write_manifest
from holdfast.manifest.model import BlobFile, Directory, Distribution, Source, TextFile, User
from holdfast.options import Module, OptionSet, force, implements, option
from holdfast.options.types import BOOL

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabcd\n-----END PGP PUBLIC KEY BLOCK-----\n"


def systems_of(example: str) -> dict[str, System]:
    found: list[System] = runpy.run_path(str(EXAMPLES / example / "systems.py"))["systems"]
    return {system.name: system for system in found}


def evaluated(*modules: Callable[[Module], None], target: str | None = None) -> Evaluated:
    return evaluate_system(System("test_1", modules=modules, distro=Debian("trixie"), target=target))


def test_the_web_example() -> None:
    made = evaluate_system(systems_of("web")["web"])
    manifest = made.manifest
    assert manifest.distribution == Distribution("debian", "trixie", "amd64")
    assert manifest.identity.hostname == "web1"
    assert manifest.tags == ("trixie", "web")
    assert manifest.packages.install == ("curl", "nftables", "nginx", "python3")
    assert manifest.users == {"hello": User(system=True)}
    assert sorted(manifest.files) == [
        "/etc/holdfast/firewall.nft",
        "/etc/motd",
        "/etc/nginx/nginx.conf",
        "/srv/www/index.html",
    ]
    assert manifest.files["/etc/motd"] == TextFile("This is web1.\n")
    assert manifest.files["/srv/www/index.html"] == TextFile("<h1>Held fast.</h1>\n")
    assert sorted(manifest.units) == [
        "hello-clock.service",
        "hello-clock.timer",
        "hello.service",
        "holdfast-firewall.service",
        "nginx.service",
    ]
    assert manifest.units["hello.service"].text == (
        "[Unit]\nDescription=The time on port 8080\nBefore=nginx.service\n\n"
        "[Service]\nExecStart=/usr/bin/python3 -m http.server 8080 --bind 127.0.0.1\nRestart=on-failure\n"
        "User=hello\nWorkingDirectory=/var/lib/hello\nStateDirectory=hello\n"
    )
    nginx = manifest.units["nginx.service"]
    assert (nginx.text, nginx.enable) == (None, True)
    assert "ExecStartPre=/usr/sbin/nginx -t -q" in nginx.dropins["50-holdfast.conf"]
    assert nginx.reload_triggers[0].startswith("/etc/nginx/nginx.conf sha256:")
    firewall = manifest.files["/etc/holdfast/firewall.nft"]
    assert isinstance(firewall, TextFile)
    assert "\t\ttcp dport 80 accept\n" in firewall.text
    assert (made.contents, made.warnings) == ((), ())


@pytest.mark.parametrize("example", sorted(path.parent.name for path in EXAMPLES.glob("*/systems.py")))
def test_every_example_evaluates_and_its_manifest_reads_back(example: str) -> None:
    for system in systems_of(example).values():
        manifest = evaluate_system(system).manifest
        assert read_manifest(write_manifest(manifest)) == manifest


def test_the_web_example_covers_every_release() -> None:
    systems = systems_of("web")
    assert {name: system.distro.release for name, system in systems.items()} == {
        "web": "trixie",
        "web-bookworm": "bookworm",
        "web-forky": "forky",
        "web-sid": "sid",
    }


def test_a_tree_beside_the_definition_becomes_blobs_and_what_is_declared_by_itself_wins() -> None:
    made = evaluate_system(systems_of("files")["shop"])
    files = made.manifest.files
    now, page = files["/srv/site/bin/now"], files["/srv/site/index.html"]
    assert isinstance(now, BlobFile)
    assert isinstance(page, BlobFile)
    assert (now.mode, page.mode) == ("0755", "0644")
    assert files["/srv/site/bin"] == Directory()
    assert isinstance(files["/srv/site/robots.txt"], TextFile)
    site = EXAMPLES / "files" / "site"
    assert set(made.contents) == {
        AuthorFile(now.digest, str(site / "bin" / "now")),
        AuthorFile(page.digest, str(site / "index.html")),
    }
    assert [content.digest for content in made.contents] == sorted({now.digest, page.digest})
    assert page.digest == digest_file(site / "index.html")


def test_the_design_s_example_works_word_for_word(tmp_path: Path) -> None:
    (tmp_path / "systems.py").write_text("""\
from holdfast import Debian, Module, System, lazy
from holdfast.library import Files, Identity, Nginx, Packages, Systemd

def web(m: Module) -> None:
    m[Identity].hostname = "web1"
    m[Packages].install = ["curl"]
    m[Files]["/etc/motd"].text = "Held fast.\\n"
    m[Nginx].enable = True
    hello = m[Systemd].services["hello"]
    hello.exec_start = ["/usr/bin/python3", "-m", "http.server", "8080"]
    hello.wanted_by = ["multi-user.target"]
    with m.when(lambda c: c[Nginx].enable):
        hello.after = ["nginx.service"]

systems = [System("web", modules=[web], distro=Debian("trixie"), target="root@web1", tags={"web"})]
""")
    (system,) = runpy.run_path(str(tmp_path / "systems.py"))["systems"]
    manifest = evaluate_system(system).manifest
    assert manifest.target == "root@web1"
    assert "After=nginx.service" in (manifest.units["hello.service"].text or "")


def test_what_identity_needs_and_writes() -> None:
    def module(m: Module) -> None:
        m[Identity].domain = "example.org"
        m[Identity].locale = "de_DE.UTF-8"
        m[Identity].timezone = "Europe/Berlin"
        m[Identity].keyboard = "de"
        m[Identity].hosts["10.0.0.5"] = ["db", "db.example.org"]

    manifest = evaluated(module).manifest
    assert manifest.identity.hostname == "test-1"  # the system's name, as a host name
    assert manifest.identity.assumed == ("hostname",)
    assert evaluated(lambda m: None).manifest.identity.assumed == ("hostname", "locale", "timezone")
    assert manifest.packages.install == ("console-setup", "locales", "tzdata")
    assert manifest.files["/etc/hosts"] == TextFile(
        "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
        "127.0.1.1 test-1.example.org test-1\n10.0.0.5 db db.example.org\n"
    )


def test_an_empty_system_is_empty() -> None:
    manifest = evaluated().manifest
    assert (manifest.files, manifest.units, manifest.users, manifest.tmpfiles) == ({}, {}, {}, ())
    assert manifest.packages.install == ()


def test_repositories() -> None:
    def module(m: Module) -> None:
        extra = m[Packages].repositories["extra"]
        extra.uri = "https://packages.example.org/debian"
        extra.suites = ["trixie", "trixie-updates"]
        extra.components = ["main"]
        extra.key = KEY
        flat = m[Packages].repositories["flat"]
        flat.uri = "file:/srv/repo"
        flat.suites = ["./"]
        flat.check_valid_until = False
        m[Packages].repositories["off"].enable = False
        m[Packages].hold = ["linux-image-amd64"]

    packages = evaluated(module).manifest.packages
    address = "https://packages.example.org/debian"
    assert packages.repositories == {
        "extra-trixie": Source("extra", "trixie", ("main",), address, KEY),
        "extra-trixie-updates": Source("extra", "trixie-updates", ("main",), address, KEY),
        "flat": Source("flat", "./", (), "file:/srv/repo", None, check_valid_until=False),
    }
    assert packages.hold == ("linux-image-amd64",)


def test_tmpfiles_lines() -> None:
    def module(m: Module) -> None:
        m[Tmpfiles].rules = ["d /var/lib/demo 0750 demo demo"]
        m[Tmpfiles].settings["/var/cache/demo"]["d"].age = "10d"
        m[Tmpfiles].settings["/var/cache/demo"]["Z"].group = "demo"
        m[Tmpfiles].settings["/var/empty"].add("d")

    assert evaluated(module).manifest.tmpfiles == (
        "d /var/lib/demo 0750 demo demo",
        "Z /var/cache/demo - - demo",
        "d /var/cache/demo - - - 10d",
        "d /var/empty",
    )


def test_a_deployed_system_is_warned_when_its_firewall_lets_no_ssh_in() -> None:
    def closed(m: Module) -> None:
        m[Firewall].enable = True

    def opened(m: Module) -> None:
        m[Firewall].allowed_tcp_ports = [22]

    (warning,) = evaluated(closed, target="root@web1").warnings
    assert "m[Firewall].allowed_tcp_ports = [22]" in warning
    assert evaluated(closed, opened, target="root@web1").warnings == ()
    assert evaluated(closed).warnings == ()


def test_the_firewall_s_unit_deletes_the_table_that_its_rules_define() -> None:
    def module(m: Module) -> None:
        m[Firewall].enable = True

    text = evaluated(module).manifest.units["holdfast-firewall.service"].text or ""
    assert f"ExecStop=-/usr/sbin/nft delete table {TABLE}\n" in text


def test_a_ruleset_of_the_author_s_own_replaces_ours() -> None:
    def module(m: Module) -> None:
        m[Firewall].enable = True
        m[Firewall].ruleset = "table inet holdfast {}\n"

    assert evaluated(module).manifest.files["/etc/holdfast/firewall.nft"] == TextFile(
        "table inet holdfast {}\n", mode="0640"
    )
    assert callable(firewall_text)


def test_nginx_opens_the_ports_of_its_sites_when_asked() -> None:
    def module(m: Module) -> None:
        m[Nginx].enable = True
        m[Nginx].open_firewall = True
        m[Nginx].virtual_hosts["a"].listen = ["8080", "127.0.0.1:9000"]
        m[Nginx].virtual_hosts["b"].tls_certificate = "/etc/tls/b.pem"
        m[Nginx].virtual_hosts["b"].tls_certificate_key = "/etc/tls/b.key"
        m[Firewall].enable = True

    text = evaluated(module).manifest.files["/etc/holdfast/firewall.nft"]
    assert isinstance(text, TextFile)
    assert "tcp dport { 80, 443, 8080 } accept" in text.text


def test_nginx_without_sites_serves_what_the_package_enabled() -> None:
    def module(m: Module) -> None:
        m[Nginx].enable = True

    config = evaluated(module).manifest.files["/etc/nginx/nginx.conf"]
    assert isinstance(config, TextFile)
    assert "include /etc/nginx/sites-enabled/*;" in config.text


def test_a_module_can_take_back_what_a_library_function_does() -> None:
    def module(m: Module) -> None:
        m[Nginx].enable = True
        m[Packages].install = force(["curl"])

    assert evaluated(module).manifest.packages.install == ("curl",)


class Extra(OptionSet, path="extra"):
    enable = option(BOOL, default=False)


@implements(Extra)
def extra(m: Module) -> None:
    with m.when(lambda c: c[Extra].enable):
        m[Packages].install = ["extra"]


def test_a_set_outside_the_base_library_names_the_import() -> None:
    def forgets(m: Module) -> None:
        m[Extra].enable = True

    def imports(m: Module) -> None:
        m.imports(Extra)
        m[Extra].enable = True

    with pytest.raises(HoldfastError, match=r"m\.imports\(Extra\)"):
        evaluated(forgets)
    assert evaluated(imports).manifest.packages.install == ("extra",)


def test_every_option_of_the_library_is_documented() -> None:
    from holdfast.options import document

    records = document(every_set())
    assert len(records) > 400
    bare = [record["path"] for record in records if not record["doc"]]
    assert bare == []


def test_the_library_loads_only_what_is_asked_for() -> None:
    script = (
        "import sys, holdfast.library; print(sorted(m for m in sys.modules if m.startswith('holdfast.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "['holdfast.library']"


def test_evaluating_a_system_loads_neither_store_nor_command_line(tmp_path: Path) -> None:
    script = (
        "import sys, runpy; from holdfast.library import evaluate_system\n"
        f"for s in runpy.run_path({str(EXAMPLES / 'web' / 'systems.py')!r})['systems']: evaluate_system(s)\n"
        "heavy = ('click', 'rich', 'urllib3', 'holdfast.store', 'holdfast.distro', 'holdfast.options.explain', 'asyncio')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
