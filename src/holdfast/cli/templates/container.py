"""A container: a small Debian system with one web service of your own.

holdfast eval web        what it comes to, as a manifest
holdfast lock            resolve its packages into holdfast.lock; commit that file
holdfast build web       build it into the store
holdfast run web         boot it and get a shell; leaving the shell throws it away
"""

from __future__ import annotations

from holdfast import Debian, Module, System
from holdfast.library import Files, Identity, Packages, Systemd


# A module is a function that says what is to be true. Any number of modules make a system; their lists add up, and
# two different plain values for one option are an error that names both lines.
def web(m: Module) -> None:
    m[Identity].hostname = "web1"
    m[Packages].install = ["python3", "curl"]
    m[Files]["/srv/www/index.html"].text = "<h1>Held fast.</h1>\n"

    hello = m[Systemd].services["hello"]
    hello.description = "A page on port 8080"
    hello.exec_start = ["/usr/bin/python3", "-m", "http.server", "8080", "--directory", "/srv/www"]
    hello.wanted_by = ["multi-user.target"]


# `holdfast options hostname` searches what can be set; `holdfast explain web identity.hostname` tells why it is
# what it is.
systems = [System("web", modules=[web], distro=Debian("trixie"), tags={"web"})]
