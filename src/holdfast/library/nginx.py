"""nginx: a web server and reverse proxy, written as one nginx.conf."""

from __future__ import annotations

from holdfast.library.files import Files
from holdfast.library.firewall import Firewall
from holdfast.library.packages import Packages
from holdfast.library.systemd import Systemd
from holdfast.library.types import ABSOLUTE_PATH, ACCOUNT, LISTEN, STRINGS, WORDS
from holdfast.options import (
    BOOL,
    INT,
    LINES,
    STR,
    Config,
    Module,
    OptionSet,
    attrs_of,
    entry_name,
    implements,
    lazy,
    null_or,
    option,
    submodule,
)

CONFIG = "/etc/nginx/nginx.conf"
_CHECK = ["/usr/sbin/nginx", "-t", "-q", "-g", "daemon on; master_process on;"]


class Location(OptionSet, path=""):
    """How requests below one path are answered."""

    root = option(null_or(ABSOLUTE_PATH), doc="Directory; the request's whole path is looked up below it.")
    alias = option(null_or(ABSOLUTE_PATH), doc="Directory or file that stands for the location's path.")
    index = option(STRINGS, doc="Files to serve for a directory.")
    try_files = option(
        STRINGS,
        doc="What to try in turn; the last is what to fall back to.",
        example=["$uri", "$uri/", "=404"],
    )
    proxy_pass = option(
        null_or(STR),
        doc="Hand requests on to this server, with the usual headers (Host, X-Real-IP, X-Forwarded-*).",
        example="http://127.0.0.1:8080",
    )
    proxy_websockets = option(BOOL, default=False, doc="Let connections of `proxy_pass` become WebSockets.")
    redirect = option(
        null_or(STR),
        doc="Send visitors to this address.",
        example="https://example.org$request_uri",
    )
    redirect_code = option(
        INT, default=302, doc="Status of the redirect: 301 or 308 for good, 302 or 307 for now."
    )
    headers = option(attrs_of(STR), doc="Headers to add to every answer.")
    basic_auth_file = option(null_or(ABSOLUTE_PATH), doc="Ask for a name and password of this htpasswd file.")
    extra_config = option(LINES, default="", doc="Further directives.")
    order = option(
        INT, default=1000, doc="Locations with regular expressions are tried from the lowest number up."
    )


class VirtualHost(OptionSet, path=""):
    """One site."""

    name = entry_name(doc="Key of the site, and its server name unless `server_name` says otherwise.")
    enable = option(BOOL, default=True, doc="False leaves the site out.")
    server_name = option(
        null_or(STR),
        default_text="the key",
        doc="Its name in requests; `_` for one that is chosen by address or as default only.",
    )
    aliases = option(WORDS, doc="Further names.", example=["www.example.org"])
    default_server = option(BOOL, default=False, doc="Answer requests for unknown names too.")
    listen = option(
        null_or(LISTEN),
        default_text='["80", "[::]:80"]',
        doc="Addresses for plain HTTP; [] for none.",
        example=["127.0.0.1:8080"],
    )
    listen_tls = option(
        null_or(LISTEN),
        default_text='["443", "[::]:443"] with a certificate, else []',
        doc="Addresses for TLS.",
    )
    tls_certificate = option(
        null_or(ABSOLUTE_PATH),
        doc="PEM file of the certificate and its chain, on the machine itself.",
    )
    tls_certificate_key = option(null_or(ABSOLUTE_PATH), doc="PEM file of its key, on the machine itself.")
    force_tls = option(BOOL, default=False, doc="Send visitors of plain HTTP on to TLS.")
    root = option(null_or(ABSOLUTE_PATH), doc="Directory of the site's files.", example="/srv/www")
    index = option(STRINGS, doc="Files to serve for a directory; nginx's own is index.html.")
    locations = option(
        attrs_of(submodule(Location)),
        doc="Answers by path: `/prefix`, `= /exact`, `^~ /prefix before any regex`, `~ regex`, `~* regex`, `@name`.",
    )
    redirect = option(
        null_or(STR),
        doc="Send every visitor to this site, path kept.",
        example="https://example.org",
    )
    redirect_code = option(INT, default=301, doc="Status of that redirect.")
    headers = option(
        attrs_of(STR), doc="Headers to add to every answer.", example={"X-Frame-Options": "DENY"}
    )
    access_log = option(null_or(STR), doc="Log of requests: a path, `syslog:...`, or `off`.")
    basic_auth_file = option(null_or(ABSOLUTE_PATH), doc="Ask for a name and password of this htpasswd file.")
    extra_config = option(LINES, default="", doc="Further directives.")


class Upstream(OptionSet, path=""):
    """A group of servers to hand requests to: `proxy_pass = "http://NAME"`."""

    servers = option(
        attrs_of(STR),
        doc='Parameters by address; "" for none.',
        example={"10.0.0.5:8080": "weight=2", "10.0.0.6:8080": ""},
    )
    extra_config = option(LINES, default="", doc="Further directives.", example="least_conn;\n")


class Nginx(OptionSet, path="nginx"):
    """The web server nginx. Its configuration is wholly ours; /etc/nginx/conf.d/*.conf is still read."""

    enable = option(BOOL, default=False, doc="Install and run nginx.")
    virtual_hosts = option(
        attrs_of(submodule(VirtualHost)),
        doc="Sites by name. Without any, what the package has enabled is served: a page at /var/www/html.",
    )
    upstreams = option(attrs_of(submodule(Upstream)), doc="Groups of servers by name.")
    open_firewall = option(
        BOOL, default=False, doc="Let in the ports that sites listen on, except on loopback."
    )
    package = option(STR, default="nginx", doc="Package to install.", example="nginx-extras")
    user = option(ACCOUNT, default="www-data", doc="Account of the worker processes.")
    gzip = option(BOOL, default=True, doc="Compress text on the way.")
    server_tokens = option(BOOL, default=False, doc="Tell nginx's version in answers.")
    client_max_body_size = option(STR, default="1m", doc="Largest upload.", example="100m")
    worker_processes = option(
        STR, default="auto", doc="Number of worker processes; `auto` is one for each CPU."
    )
    worker_connections = option(INT, default=768, doc="Most connections of one worker process.")
    extra_config = option(LINES, default="", doc="Further directives outside of `http`.")
    extra_http_config = option(LINES, default="", doc="Further directives in `http`.")


@implements(Nginx)
def nginx(m: Module) -> None:
    """Installs nginx, writes its configuration, and reloads it when that changes, after nginx itself has checked it."""
    with m.when(lambda c: c[Nginx].enable):
        m[Packages].install = lazy(lambda c: [c[Nginx].package])
        m[Files][CONFIG].text = lazy(_config)
        unit = m[Systemd].services["nginx"]
        unit.from_package = True
        unit.enable = True
        unit.exec_start_pre = [_CHECK]
        unit.exec_reload = [_CHECK, ["/usr/sbin/nginx", "-s", "reload"]]
        unit.reload_triggers = ["/etc/nginx/"]
    with m.when(lambda c: c[Nginx].enable and c[Nginx].open_firewall):
        m[Firewall].allowed_tcp_ports = lazy(_public_ports)


def _config(c: Config) -> str:
    from holdfast.library.assembling.nginx import nginx_text  # only where there is an nginx

    return nginx_text(c)


def _public_ports(c: Config) -> list[int]:
    from holdfast.library.assembling.nginx import public_ports

    return public_ports(c[Nginx])
