from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.library.rendering.nginx import (
    Location,
    Server,
    Upstream,
    VirtualHost,
    quote,
    render_nginx,
)
from tests.examples import at_most

SERVER = Server(
    user="www-data",
    worker_processes="auto",
    worker_connections=768,
    gzip=False,
    server_tokens=False,
    client_max_body_size="10m",
    hosts={},
    upstreams={},
)
PLAIN = VirtualHost(names=("example.org",), listen=("80",))
HEAD = """\
user www-data;
worker_processes auto;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
include /etc/nginx/modules-enabled/*.conf;

events {
    worker_connections 768;
}

http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    server_tokens off;
    client_max_body_size 10m;
    ssl_protocols TLSv1.2 TLSv1.3;
    access_log /var/log/nginx/access.log;
"""


WHOLE_HOST = """\

    map $http_upgrade $connection_upgrade {
        default upgrade;
        '' close;
    }
    include /etc/nginx/conf.d/*.conf;

    upstream app {
        server 127.0.0.1:8080 weight=2;
        keepalive 8;
    }

    server {
        listen 80 default_server;
        server_name example.org www.example.org;
        root /srv/www;
        index index.html;
        add_header X-Frame-Options DENY always;

        location ~ \\.php$ {
            deny all;
        }

        location / {
            try_files $uri $uri/ =404;
        }

        location /api/ {
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }

        location /old {
            return 302 /new;
        }
    }
}
"""


def body(server: Server) -> str:
    text = render_nginx(server)
    assert text.startswith(HEAD)
    return text.removeprefix(HEAD)


def test_golden_host_with_locations_upstream_and_websockets() -> None:
    host = replace(
        PLAIN,
        names=("example.org", "www.example.org"),
        default=True,
        root="/srv/www",
        index=("index.html",),
        headers={"X-Frame-Options": "DENY"},
        locations={
            "/": Location(try_files=("$uri", "$uri/", "=404")),
            "/api/": Location(proxy_pass="http://app", websockets=True),
            "~ \\.php$": Location(extra_config="deny all;", order=10),
            "/old": Location(redirect="/new"),
        },
    )
    server = replace(
        SERVER,
        hosts={"example.org": host},
        upstreams={"app": Upstream({"127.0.0.1:8080": "weight=2"}, "keepalive 8;")},
    )
    assert body(server) == WHOLE_HOST


def test_golden_forced_tls() -> None:
    host = replace(
        PLAIN,
        listen_tls=("443", "[::]:443"),
        certificate="/etc/tls/a.pem",
        certificate_key="/etc/tls/a.key",
        force_tls=True,
        root="/w",
    )
    assert (
        body(replace(SERVER, hosts={"a": host}))
        == """\
    include /etc/nginx/conf.d/*.conf;

    server {
        listen 80;
        server_name example.org;

        location / {
            return 301 https://$host$request_uri;
        }
    }

    server {
        listen 443 ssl;
        listen [::]:443 ssl;
        server_name example.org;
        ssl_certificate /etc/tls/a.pem;
        ssl_certificate_key /etc/tls/a.key;
        root /w;
    }
}
"""
    )


def test_a_host_that_only_redirects() -> None:
    text = body(replace(SERVER, hosts={"a": replace(PLAIN, redirect="https://other.example.org")}))
    assert "return 301 https://other.example.org$request_uri;" in text


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("/srv/www", "/srv/www"),
        ("/my site", '"/my site"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ("${x}", '"${x}"'),
        ("a;b", '"a;b"'),
    ],
)
def test_quoting(word: str, quoted: str) -> None:
    assert quote(word) == quoted


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (replace(PLAIN, listen=("99999",)), "cannot listen on '99999'"),
        (replace(PLAIN, listen=("80; evil",)), "cannot listen"),
        (replace(PLAIN, listen_tls=("443",)), "needs tls_certificate"),
        (replace(PLAIN, root="/a\nb"), "line break"),
        (replace(PLAIN, locations={"api": Location()}), "'api' is not a location"),
        (replace(PLAIN, redirect="https://b", locations={"/": Location()}), "both redirect and locations"),
        (replace(PLAIN, locations={"@app": Location(proxy_pass="http://a/")}), "must end after the host"),
        (
            replace(PLAIN, locations={"/": Location(proxy_pass="http://a", redirect="/b")}),
            "both proxy_pass and redirect",
        ),
    ],
)
def test_what_nginx_could_not_read_is_refused(host: VirtualHost, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_nginx(replace(SERVER, hosts={"a": host}))


def test_an_upstream_needs_a_server() -> None:
    with pytest.raises(ValueError, match="'app' has no servers"):
        render_nginx(replace(SERVER, upstreams={"app": Upstream({})}))


def test_a_location_with_headers_keeps_those_of_its_site() -> None:
    host = replace(
        PLAIN, headers={"X-A": "site", "X-B": "site"}, locations={"/b": Location(headers={"X-B": "place"})}
    )
    text = body(replace(SERVER, hosts={"a": host}))
    location = text[text.index("location /b {") :]
    assert "add_header X-A site always;" in location
    assert "add_header X-B place always;" in location


@pytest.mark.parametrize(
    ("regex", "quoted"),
    [
        (r"\.php$", r"\.php$"),
        ('a "b"', r'"a \"b\""'),
        (r"a\"; b", r'"a\\\"; b"'),
        (r"a; \\", r'"a; \\\\"'),
        (r"\\", r"\\\\"),
        (r"\d{3}", r'"\d{3}"'),
    ],
)
def test_quoting_of_regular_expressions(regex: str, quoted: str) -> None:
    assert quote(regex, regex=True) == quoted


@at_most(100)
@given(st.text(st.sampled_from("ab\\\"'trn ;{}#$.d"), min_size=1, max_size=12), st.booleans())
def test_nginx_reads_back_what_was_meant(word: str, regex: bool) -> None:
    """ngx_conf_read_token() of nginx's src/core/ngx_conf_file.c: where the word ends, and what it then is."""
    try:
        text = quote(word, regex=regex)
    except ValueError:
        assert regex and (len(word) - len(word.rstrip("\\"))) % 2 == 1
        return
    body = text[1:-1] if text.startswith('"') else text
    pieces = re.findall(r"\\.|.", body)
    ends = '"' if text.startswith('"') else " ;{"
    assert not any(piece in ends for piece in pieces) and "\\" not in pieces
    taken_away = {"\\t": "\t", "\\r": "\r", "\\n": "\n", '\\"': '"', "\\'": "'", "\\\\": "\\"}
    assert "".join(taken_away.get(piece, piece) for piece in pieces) == word
