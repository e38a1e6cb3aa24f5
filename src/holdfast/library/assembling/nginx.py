"""From the options of nginx to its configuration."""

from __future__ import annotations

from holdfast.library.assembling.problems import Problems
from holdfast.library.network import public_port
from holdfast.library.nginx import Location, Nginx, VirtualHost
from holdfast.library.rendering import nginx as text
from holdfast.options import Config


def nginx_text(c: Config) -> str:
    """The whole of nginx.conf.

    Raises:
        HoldfastError: sites or groups that nginx could not serve, each with its place.
    """
    server = _server(c[Nginx])
    problems = Problems(c)
    for name, host in server.hosts.items():
        with problems.at("nginx", "virtual_hosts", name):
            text.host_blocks(host)
    for name, upstream in server.upstreams.items():
        with problems.at("nginx", "upstreams", name):
            text.upstream_block(name, upstream)
    with problems.at("nginx", "worker_processes"):
        text.check_processes(server.worker_processes)
    with problems.at("nginx", "client_max_body_size"):
        text.check_size(server.client_max_body_size)
    problems.raise_any("the configuration of nginx")
    return text.render_nginx(server)


def public_ports(config: Nginx) -> list[int]:
    """Ports that others can reach its sites at; Debian's own site is on 80."""
    if not config.virtual_hosts:
        return [80]
    hosts = [_host(host) for host in config.virtual_hosts.values() if host.enable]
    ports = {public_port(address) for host in hosts for address in (*host.listen, *host.listen_tls)}
    return sorted(port for port in ports if port is not None)


def _server(config: Nginx) -> text.Server:
    return text.Server(
        user=config.user,
        worker_processes=config.worker_processes,
        worker_connections=config.worker_connections,
        gzip=config.gzip,
        server_tokens=config.server_tokens,
        client_max_body_size=config.client_max_body_size,
        hosts={name: _host(host) for name, host in config.virtual_hosts.items() if host.enable},
        upstreams={
            name: text.Upstream(upstream.servers, upstream.extra_config)
            for name, upstream in config.upstreams.items()
        },
        default_site=not config.virtual_hosts,
        main_config=config.extra_config,
        http_config=config.extra_http_config,
    )


def _host(host: VirtualHost) -> text.VirtualHost:
    has_certificate = host.tls_certificate is not None
    tls_default = ("443", "[::]:443") if has_certificate else ()
    return text.VirtualHost(
        names=(host.server_name or host.name, *host.aliases),
        default=host.default_server,
        listen=("80", "[::]:80") if host.listen is None else host.listen,
        listen_tls=tls_default if host.listen_tls is None else host.listen_tls,
        certificate=host.tls_certificate,
        certificate_key=host.tls_certificate_key,
        force_tls=host.force_tls,
        root=host.root,
        index=host.index,
        locations={path: _location(place) for path, place in host.locations.items()},
        redirect=host.redirect,
        redirect_code=host.redirect_code,
        headers=host.headers,
        access_log=host.access_log,
        basic_auth_file=host.basic_auth_file,
        extra_config=host.extra_config,
    )


def _location(place: Location) -> text.Location:
    return text.Location(
        root=place.root,
        alias=place.alias,
        index=place.index,
        try_files=place.try_files,
        proxy_pass=place.proxy_pass,
        websockets=place.proxy_websockets,
        redirect=place.redirect,
        redirect_code=place.redirect_code,
        headers=place.headers,
        basic_auth_file=place.basic_auth_file,
        extra_config=place.extra_config,
        order=place.order,
    )
