"""Files of every kind: a tree beside this file, text, data, links, directories, and what systemd-tmpfiles keeps in order."""

from __future__ import annotations

from holdfast import Debian, Module, System, lazy
from holdfast.library import Files, Identity, Systemd, Tmpfiles


def content(m: Module) -> None:
    # A directory with all below it. Executable files stay executable; a path declared by itself wins.
    m[Files]["/srv/site"].source = "site"
    m[Files]["/srv/site/robots.txt"].text = "User-agent: *\nDisallow: /\n"

    # Data becomes JSON, TOML, INI or KEY=value; several modules may each add keys.
    m[Files]["/etc/shop/shop.json"].json = {"currency": "EUR", "payment": {"cards": True}}
    m[Files]["/etc/shop/log.ini"].ini["log"]["level"] = "info"
    m[Files]["/etc/default/shop"].key_value["SHOP_OPTIONS"] = "--verbose --colour=no"

    # What only the shop may read.
    secret = m[Files]["/etc/shop/banner"]
    secret.text = lazy(lambda c: f"Welcome to {c[Identity].hostname}\n")
    secret.mode = "0640"
    secret.group = "www-data"

    m[Files]["/etc/shop/current"].link = "shop.json"
    m[Files]["/var/log/shop"].directory = True
    m[Tmpfiles].settings["/var/cache/shop"]["d"].age = "10d"


def more(m: Module) -> None:
    """Another module's share of the same file; the service restarts when the file changes."""
    m[Files]["/etc/shop/shop.json"].json = {"payment": {"invoice": False}}

    shop = m[Systemd].services["shop"]
    shop.exec_start = ["/bin/sleep", "infinity"]
    shop.wanted_by = ["multi-user.target"]
    shop.restart_triggers = ["/etc/shop/"]


systems = [System("shop", modules=[content, more], distro=Debian("trixie"))]
