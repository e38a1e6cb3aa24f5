"""Small real archives for tests: packages, indexes, a signature by a throw-away key, and a web server that can misbehave."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from holdfast.base.process import run
from holdfast.manifest.model import Source


def _xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=0)  # the default takes 15 ms to get its memory


def make_tar(members: Sequence[tuple[tarfile.TarInfo, bytes]], *, compress: str = ".xz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    data = buffer.getvalue()
    compressors: dict[str, Callable[[bytes], bytes]] = {".xz": _xz, ".gz": gzip.compress, "": bytes}
    return compressors[compress](data)


def member(
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    mode: int = 0o644,
    link: str = "",
    mtime: int = 1_000_000_000,
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.mtime = kind, mode, link, mtime
    info.uname = info.gname = "root"
    return info, content


def directory(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, kind=tarfile.DIRTYPE, mode=mode)


def make_deb(
    name: str = "hello",
    *,
    fields: Mapping[str, str] | None = None,
    data: Sequence[tuple[tarfile.TarInfo, bytes]] | None = None,
    control: Mapping[str, str] | None = None,
    compress: str = ".xz",
) -> bytes:
    """A binary package as dpkg-deb would make it; ``control`` are further control files, scripts executable."""
    paragraph = {
        "Package": name,
        "Version": "1.0",
        "Architecture": "all",
        "Maintainer": "Nobody <nobody@example.org>",
        "Description": "test",
        **(fields or {}),
    }
    text = "".join(f"{key}: {value}\n" for key, value in paragraph.items())
    scripts = ("preinst", "postinst", "prerm", "postrm", "config")
    members = [
        member("./control", text.encode()),
        *(
            member(f"./{key}", value.encode(), mode=0o755 if key in scripts else 0o644)
            for key, value in (control or {}).items()
        ),
    ]
    files = (
        data if data is not None else [directory("./"), directory("./usr"), member("./usr/hello", b"hello\n")]
    )
    return make_ar(
        {
            "debian-binary": b"2.0\n",
            f"control.tar{compress}": make_tar(members, compress=compress),
            f"data.tar{compress}": make_tar(files, compress=compress),
        }
    )


def make_ar(members: Mapping[str, bytes]) -> bytes:
    parts = [b"!<arch>\n"]
    for name, content in members.items():
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)


@dataclass
class Signer:
    """A throw-away OpenPGP key."""

    home: Path
    armoured: str

    @classmethod
    def make(cls, home: Path) -> Signer:
        home.mkdir(mode=0o700)
        env = {"GNUPGHOME": str(home)}
        run(
            [
                "gpg",
                "--batch",
                "--passphrase",
                "",
                "--quick-gen-key",
                "Test <test@example.org>",
                "ed25519",
                "sign",
            ],
            env=env,
        )
        return cls(home, run(["gpg", "--armor", "--export"], env=env).text)

    def sign(self, text: str) -> bytes:
        argv = ["gpg", "--batch", "--clearsign", "--digest-algo", "SHA512", "--output", "-"]
        return run(argv, env={"GNUPGHOME": str(self.home)}, stdin=text.encode()).stdout

    def close(self) -> None:
        run(["gpgconf", "--kill", "all"], env={"GNUPGHOME": str(self.home)}, check=False)


@dataclass
class Repository:
    """An archive with one suite, ``stable`` with the component ``main``, in a directory."""

    root: Path
    signer: Signer
    stanzas: list[str] = field(default_factory=list[str])
    release: dict[str, str] = field(
        default_factory=lambda: {
            "Origin": "Test",
            "Suite": "stable",
            "Codename": "stable",
            "Components": "main",
        }
    )
    date: float = field(default_factory=time.time)

    def offer(self, name: str, deb: bytes | None = None, **fields: str) -> None:
        """Add a package; ``fields`` go into the index and, when no ``deb`` is given, into a small one made here."""
        fields = {key.replace("_", "-"): value for key, value in fields.items()}
        content = deb if deb is not None else make_deb(name, fields=fields)
        version = fields.get("Version", "1.0")
        path = f"pool/{name}_{version}_all.deb"
        (self.root / "pool").mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(content)
        paragraph = {
            "Package": name,
            "Version": version,
            "Architecture": "all",
            **fields,
            "Filename": path,
            "Size": str(len(content)),
            "SHA256": hashlib.sha256(content).hexdigest(),
        }
        self.stanzas.append("".join(f"{key}: {value}\n" for key, value in paragraph.items()))

    def publish(self) -> None:
        """Write and sign the indexes."""
        index = "\n".join(self.stanzas).encode()
        compressed = lzma.compress(index)
        place = self.root / "dists/stable"
        (place / "main/binary-amd64").mkdir(parents=True, exist_ok=True)
        (place / "main/binary-amd64/Packages.xz").write_bytes(compressed)
        sums = "".join(
            f" {hashlib.sha256(data).hexdigest()} {len(data)} main/binary-amd64/{name}\n"
            for name, data in (("Packages", index), ("Packages.xz", compressed))
        )
        fields = {**self.release, "Date": formatdate(self.date, usegmt=True).replace("GMT", "UTC")}
        text = "".join(f"{key}: {value}\n" for key, value in fields.items()) + f"SHA256:\n{sums}"
        (place / "InRelease").write_bytes(self.signer.sign(text))

    def source(self, url: str, **changes: object) -> Source:
        values: dict[str, object] = {"mirror": url, "key": self.signer.armoured, **changes}
        return Source("test", "stable", ("main",), **values)  # type: ignore[arg-type]


@dataclass
class Server:
    """A web server over a directory. ``answer`` may take a request over by returning (status, headers, body)."""

    url: str
    requests: list[str] = field(default_factory=list[str])
    ranges: list[str] = field(default_factory=list[str])
    answer: Callable[[str, str | None], tuple[int, Mapping[str, str], bytes] | None] = (
        lambda path, byte_range: None
    )


@contextmanager
def serve(root: Path) -> Generator[Server]:
    state = Server("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            byte_range = self.headers.get("Range")
            state.requests.append(self.path)
            if byte_range:
                state.ranges.append(byte_range)
            special = state.answer(self.path, byte_range)
            if special is not None:
                status, headers, body = special
            else:
                status, headers, body = self._from_disk(byte_range)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            if int(headers.get("Content-Length", len(body))) != len(body):
                self.close_connection = True

        def _from_disk(self, byte_range: str | None) -> tuple[int, Mapping[str, str], bytes]:
            path = root / self.path.lstrip("/")
            if not path.is_file():
                return 404, {}, b"not here"
            body = path.read_bytes()
            if byte_range is None:
                return 200, {}, body
            start = int(byte_range.removeprefix("bytes=").partition("-")[0])
            if start >= len(body):
                return 416, {}, b""
            return 206, {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}, body[start:]

        def log_message(self, *args: object) -> None:
            return

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            return  # clients here hang up on purpose

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
