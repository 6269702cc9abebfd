"""A store behind TLS, `rediss://`: a real handshake in front of a real server, with a certificate of its own."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies
from tests.fleet.fleets import shared_of
from tests.fleet.waiting import wait_for


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1 that nobody else trusts."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path / "store.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=store"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([*command, *files], check=True, capture_output=True)
    path.write_text(path.read_text() + (tmp_path / "cert.pem").read_text())
    return path


@pytest.fixture
def tls_port(server: Any, client: Any, certificate: Path) -> Iterator[int]:
    """Return a port that speaks TLS and forwards to the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop, links, writers = asyncio.new_event_loop(), set[Any](), list[asyncio.StreamWriter]()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", server.port)
        writers.extend((writer, back))
        links.update(asyncio.ensure_future(one) for one in (forward(reader, back), forward(there, writer)))

    async def stop() -> None:
        listening.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*links, *(writer.wait_closed() for writer in writers), return_exceptions=True)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(
        asyncio.start_server(accept, "127.0.0.1", ssl=context), loop
    ).result()  # fmt: skip
    yield listening.sockets[0].getsockname()[1]
    asyncio.run_coroutine_threadsafe(stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def policies_at(url: str) -> Policies:
    """Return policies that share everything through a store."""
    quota = [{"name": "orders", "rate": "50/s", "burst": 50}]
    return Policies.from_mapping(
        {
            "shared": {"url": url, "namespace": "tls", "patience": "2s"},
            "policies": {"trade": {"deadline": "60s", "quota": quota}},
        }
    )


def test_everything_is_shared_through_tls(tls_port: int, tmp_path: Path) -> None:
    """Leases are granted, and the kill switch of one process is heard by another."""
    url = f"rediss://127.0.0.1:{tls_port}?ssl_ca_certs={tmp_path}/cert.pem"
    first, second = policies_at(url), policies_at(url)
    first.pipeline("trade").compile(int)()
    wait_for(lambda: shared_of(first)["quota"]["granted"])
    first.isolate(reason="stop")
    wait_for(lambda: second.snapshot()["isolated"])


def test_a_certificate_that_nobody_trusts_is_refused(tls_port: int) -> None:
    """The process goes on alone."""
    policies = policies_at(f"rediss://127.0.0.1:{tls_port}")
    wait_for(lambda: shared_of(policies)["lost"])
    assert not shared_of(policies)["connected"]
    assert policies.pipeline("trade").compile(lambda: "sent")() == "sent"
