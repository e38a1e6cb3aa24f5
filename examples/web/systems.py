"""A web server: nginx serves a page, and hands /time/ on to a service of our own.

holdfast eval web         what it comes to, as a manifest
holdfast build web        lock its packages and build it into the store
holdfast run web          boot it and get a shell; leaving the shell throws it away
"""

from __future__ import annotations

from holdfast import Debian, Module, System, lazy
from holdfast.library import Files, Firewall, Identity, Nginx, Packages, Systemd, Users

# A module is a function that says what is to be true. Modules add up to a system: their lists are joined, and two
# different plain values for one option are an error that names both lines.


def base(m: Module) -> None:
    """What every machine of ours has."""
    m[Packages].install = ["curl"]
    # Reading another option takes `lazy`: it is computed when all modules have had their say.
    m[Files]["/etc/motd"].text = lazy(lambda c: f"This is {c[Identity].hostname}.\n")


def web(m: Module) -> None:
    """A page, open to everyone."""
    m[Identity].hostname = "web1"
    m[Files]["/srv/www/index.html"].text = "<h1>Held fast.</h1>\n"

    m[Nginx].enable = True
    site = m[Nginx].virtual_hosts["web1"]
    site.default_server = True
    site.root = "/srv/www"
    site.locations["/time/"].proxy_pass = "http://127.0.0.1:8080/"

    m[Firewall].enable = True
    m[Firewall].allowed_tcp_ports = [80]


def hello(m: Module) -> None:
    """A service behind nginx, under an account of its own, and a timer that keeps its page fresh."""
    m[Packages].install = ["python3"]
    m[Users].users["hello"].system = True

    server = m[Systemd].services["hello"]
    server.description = "The time on port 8080"
    server.exec_start = ["/usr/bin/python3", "-m", "http.server", "8080", "--bind", "127.0.0.1"]
    server.user = "hello"
    server.state_directory = ["hello"]
    server.working_directory = "/var/lib/hello"
    server.restart = "on-failure"
    server.wanted_by = ["multi-user.target"]
    # A condition reads the finished configuration, too.
    with m.when(lambda c: c[Nginx].enable):
        server.before = ["nginx.service"]

    clock = m[Systemd].services["hello-clock"]
    clock.description = "Write down the time"
    clock.type = "oneshot"
    clock.user = "hello"
    clock.state_directory = ["hello"]
    # A command is a list; each argument arrives as written, `%` and `$` included.
    clock.exec_start = ["/bin/sh", "-c", "date '+%H:%M' > /var/lib/hello/index.html"]

    timer = m[Systemd].timers["hello-clock"]
    timer.on_boot_sec = 1
    timer.on_calendar = ["minutely"]


def site_on(name: str, release: str) -> System:
    """The same site on one release of Debian."""
    return System(name, modules=[base, web, hello], distro=Debian(release), tags={"web", release})


# `holdfast build tag:web` builds all of them.
systems = [
    site_on("web", "trixie"),
    *[site_on(f"web-{release}", release) for release in ("bookworm", "forky", "sid")],
]
