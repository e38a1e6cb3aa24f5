"""The text of nginx.conf: http server, virtual hosts, locations and upstreams (nginx's ngx_http_core_module and its neighbours)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Union

from holdfast.base.records import dataclass
from holdfast.library.network import check_listen

Block = Sequence[Union[str, tuple[str, "Block"]]]
"""Lines as they stand, and named blocks of them."""

_SPECIAL = r"[\s;{}\"'\\#]"
_SIZE = r"[0-9]+[kKmMgG]?"


@dataclass(frozen=True)
class Location:
    """One ``location`` block."""

    root: str | None = None
    alias: str | None = None
    index: tuple[str, ...] = ()
    try_files: tuple[str, ...] = ()
    proxy_pass: str | None = None
    websockets: bool = False
    redirect: str | None = None
    redirect_code: int = 302
    headers: Mapping[str, str] = field(default_factory=lambda: {})
    basic_auth_file: str | None = None
    extra_config: str = ""
    order: int = 1000


@dataclass(frozen=True)
class VirtualHost:
    """One site: its ``server`` blocks."""

    names: tuple[str, ...]
    default: bool = False
    listen: tuple[str, ...] = ()
    listen_tls: tuple[str, ...] = ()
    certificate: str | None = None
    certificate_key: str | None = None
    force_tls: bool = False
    root: str | None = None
    index: tuple[str, ...] = ()
    locations: Mapping[str, Location] = field(default_factory=lambda: {})
    redirect: str | None = None
    redirect_code: int = 301
    headers: Mapping[str, str] = field(default_factory=lambda: {})
    access_log: str | None = None
    basic_auth_file: str | None = None
    extra_config: str = ""


@dataclass(frozen=True)
class Upstream:
    """One ``upstream`` block."""

    servers: Mapping[str, str]
    """Address to its parameters, such as ``weight=2 backup``."""
    extra_config: str = ""


@dataclass(frozen=True)
class Server:
    """All of nginx on one machine."""

    user: str
    worker_processes: str
    worker_connections: int
    gzip: bool
    server_tokens: bool
    client_max_body_size: str
    hosts: Mapping[str, VirtualHost]
    upstreams: Mapping[str, Upstream]
    default_site: bool = False
    """Serve what the distribution has enabled, too."""
    main_config: str = ""
    http_config: str = ""


def render_nginx(server: Server) -> str:
    """The whole of ``/etc/nginx/nginx.conf``.

    Raises:
        ValueError: a value that nginx could not read; the message names it.
    """
    check_processes(server.worker_processes)
    main: Block = [
        f"user {quote(server.user)};",
        f"worker_processes {server.worker_processes};",
        "pid /run/nginx.pid;",
        "error_log /var/log/nginx/error.log;",
        "include /etc/nginx/modules-enabled/*.conf;",
        *_author_lines(server.main_config),
        ("events", [f"worker_connections {server.worker_connections};"]),
        ("http", _http(server)),
    ]
    return "\n".join(_render(main, 0)) + "\n"


def check_processes(number: str) -> None:
    """Raises ValueError unless nginx reads it as a number of processes."""
    if not re.fullmatch(r"auto|[0-9]+", number):
        raise ValueError(f"{number!r} is no number of processes; write a number or auto")


def check_size(size: str) -> None:
    """Raises ValueError unless nginx reads it as a size."""
    if not re.fullmatch(_SIZE, size):
        raise ValueError(f"client_max_body_size is {size!r}; write a size such as 10m")


def _http(server: Server) -> Block:
    check_size(server.client_max_body_size)
    lines: list[str | tuple[str, Block]] = [
        "include /etc/nginx/mime.types;",
        "default_type application/octet-stream;",
        "sendfile on;",
        "tcp_nopush on;",
        f"server_tokens {'on' if server.server_tokens else 'off'};",
        f"client_max_body_size {server.client_max_body_size};",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "access_log /var/log/nginx/access.log;",
    ]
    if server.gzip:
        lines += [
            "gzip on;",
            "gzip_vary on;",
            "gzip_proxied any;",
            "gzip_types text/plain text/css text/xml application/json application/javascript application/xml image/svg+xml;",
        ]
    if any(place.websockets for host in server.hosts.values() for place in host.locations.values()):
        lines.append(("map $http_upgrade $connection_upgrade", ["default upgrade;", "'' close;"]))
    lines += _author_lines(server.http_config)
    lines.append("include /etc/nginx/conf.d/*.conf;")
    if server.default_site:
        lines.append("include /etc/nginx/sites-enabled/*;")
    lines += [
        (f"upstream {quote(name)}", upstream_block(name, server.upstreams[name]))
        for name in sorted(server.upstreams)
    ]
    for name in sorted(server.hosts):
        lines += host_blocks(server.hosts[name])
    return lines


def upstream_block(name: str, upstream: Upstream) -> Block:
    """The servers of one group.

    Raises:
        ValueError: there are none, or one has parameters that nginx would not take for such.
    """
    if not upstream.servers:
        raise ValueError(f"the upstream {name!r} has no servers")
    for address, parameters in upstream.servers.items():
        if re.search(r"[;{}\"'\\#\n\r]", parameters):
            raise ValueError(
                f"the parameters {parameters!r} of {address} are more than parameters of a server"
            )
    servers = [
        f"server {quote(address)}{' ' + parameters if parameters else ''};"
        for address, parameters in sorted(upstream.servers.items())
    ]
    return [*servers, *_author_lines(upstream.extra_config)]


def host_blocks(host: VirtualHost) -> list[tuple[str, Block]]:
    """One server block, or two where plain HTTP only sends visitors on to TLS.

    Raises:
        ValueError: something nginx could not read, or parts that do not go together.
    """
    suffix = " default_server" if host.default else ""
    plain = [f"listen {check_listen(address)}{suffix};" for address in host.listen]
    tls = [f"listen {check_listen(address)} ssl{suffix};" for address in host.listen_tls]
    names = "server_name " + " ".join(quote(name) for name in host.names) + ";"
    if tls and (host.certificate is None or host.certificate_key is None):
        raise ValueError("a virtual host with TLS needs tls_certificate and tls_certificate_key")
    body = _host_body(host)
    certificate = [
        f"{directive} {quote(path)};"
        for directive, path in (
            ("ssl_certificate", host.certificate),
            ("ssl_certificate_key", host.certificate_key),
        )
        if tls and path is not None
    ]
    if tls and host.force_tls and plain:
        onward: Block = [*plain, names, ("location /", ["return 301 https://$host$request_uri;"])]
        return [("server", onward), ("server", [*tls, names, *certificate, *body])]
    return [("server", [*plain, *tls, names, *certificate, *body])]


def _host_body(host: VirtualHost) -> Block:
    lines: list[str | tuple[str, Block]] = []
    if host.root is not None:
        lines.append(f"root {quote(host.root)};")
    if host.index:
        lines.append(f"index {_words(host.index)};")
    if host.access_log is not None:
        lines.append(f"access_log {quote(host.access_log)};")
    lines += _auth(host.basic_auth_file) + _headers(host.headers)
    lines += _author_lines(host.extra_config)
    if host.redirect is not None:
        if "/" in host.locations:
            raise ValueError('it has both redirect and locations["/"]; keep one')
        lines.append(("location /", [_return(host.redirect_code, host.redirect + "$request_uri")]))
    ordered = sorted(host.locations.items(), key=lambda item: (item[1].order, item[0]))
    lines += [(f"location {_match(path)}", _location(path, place, host.headers)) for path, place in ordered]
    return lines


def _location(path: str, place: Location, inherited: Mapping[str, str]) -> Block:
    content = [
        name
        for name, value in (
            ("proxy_pass", place.proxy_pass),
            ("redirect", place.redirect),
            ("alias", place.alias),
        )
        if value is not None
    ]
    if len(content) > 1:
        raise ValueError(f"the location {path!r} has both {content[0]} and {content[1]}; keep one")
    if (
        place.proxy_pass is not None
        and path[:1] in "~@"
        and re.fullmatch(r"\w+://[^/]+/.*", place.proxy_pass)
    ):
        raise ValueError(
            f"proxy_pass of the location {path!r} must end after the host: nginx allows no path there"
        )
    lines: list[str] = []
    if place.root is not None:
        lines.append(f"root {quote(place.root)};")
    if place.alias is not None:
        lines.append(f"alias {quote(place.alias)};")
    if place.index:
        lines.append(f"index {_words(place.index)};")
    if place.try_files:
        lines.append(f"try_files {_words(place.try_files)};")
    # nginx drops the site's headers in a location that has some of its own.
    headers = {**inherited, **place.headers} if place.headers else {}
    lines += _auth(place.basic_auth_file) + _headers(headers)
    if place.redirect is not None:
        lines.append(_return(place.redirect_code, place.redirect))
    if place.proxy_pass is not None:
        lines += _proxy(place.proxy_pass, place.websockets)
    return lines + _author_lines(place.extra_config)


def _return(code: int, address: str) -> str:
    if code not in (301, 302, 303, 307, 308):
        raise ValueError(f"redirect_code is {code}; write 301, 302, 303, 307 or 308")
    return f"return {code} {quote(address)};"


def _proxy(url: str, websockets: bool) -> list[str]:
    lines = [
        f"proxy_pass {quote(url)};",
        "proxy_http_version 1.1;",
        "proxy_set_header Host $host;",
        "proxy_set_header X-Real-IP $remote_addr;",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "proxy_set_header X-Forwarded-Host $host;",
    ]
    if websockets:
        lines += [
            "proxy_set_header Upgrade $http_upgrade;",
            "proxy_set_header Connection $connection_upgrade;",
        ]
    else:
        lines.append('proxy_set_header Connection "";')
    return lines


def _auth(path: str | None) -> list[str]:
    return [] if path is None else ['auth_basic "Restricted";', f"auth_basic_user_file {quote(path)};"]


def _headers(headers: Mapping[str, str]) -> list[str]:
    return [f"add_header {quote(name)} {quote(headers[name])} always;" for name in sorted(headers)]


def _words(words: Iterable[str]) -> str:
    return " ".join(quote(word) for word in words)


def _match(path: str) -> str:
    """The head of a location: a modifier stays as it is, the rest is quoted if it must be."""
    modifier, space, rest = path.partition(" ")
    if space and modifier in ("=", "~", "~*", "^~") and rest.strip():
        return f"{modifier} {quote(rest.strip(), regex=modifier.startswith('~'))}"
    if path.startswith(("/", "@")) and not space:
        return quote(path)
    raise ValueError(
        f"{path!r} is not a location: write /path, = /path, ^~ /path, ~ regex, ~* regex or @name"
    )


def quote(word: str, *, regex: bool = False) -> str:
    """One word of nginx's syntax, which nginx reads back as ``word``; variables (``$host``) keep their meaning.

    Raises:
        ValueError: an empty word or one with a line break; or a regex that ends in a lone backslash.
    """
    if not word or "\n" in word or "\0" in word:
        raise ValueError(f"nginx cannot read {word!r}: it is empty or has a line break")
    if not regex:
        escaped = word.replace("\\", "\\\\")
        return '"' + escaped.replace('"', '\\"') + '"' if re.search(_SPECIAL, word) else word
    if re.search(r"(?<!\\)(?:\\\\)*\\$", word):
        raise ValueError(f"the regular expression {word!r} ends in a backslash that escapes nothing")
    # nginx takes a backslash away before quotes, backslashes, t, r and n alone, so that others can stay readable.
    escaped = re.sub(r"""\\([\\"'trn])|\\.|\"""", _regex_escape, word)
    return f'"{escaped}"' if re.search(r"[\s;{}\"'#]", word) else escaped


def _regex_escape(found: re.Match[str]) -> str:
    if found[0] == '"':
        return '\\"'
    if found[1] is None:
        return found[0]
    return "\\\\" + ("\\" if found[1] in '\\"' else "") + found[1]


def _author_lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()] if text.strip() else []


def _render(block: Block, depth: int) -> list[str]:
    indent = "    " * depth
    lines: list[str] = []
    for item in block:
        if isinstance(item, str):
            lines.append(indent + item if item else "")
        else:
            lines += ["", f"{indent}{item[0]} {{", *_render(item[1], depth + 1), f"{indent}}}"]
    return lines
