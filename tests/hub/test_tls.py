"""The same door behind TLS: REST, sockets and polling with a certificate of our own."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.transport.emitter import Emitter
from hub.transport.front import listen, tls_context
from storage.base.settings import Settings
from tests.protocol.server import OPTIONS, Echo


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fieldhub test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1)).not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    chain, secret = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain, secret


async def test_everything_on_the_port_speaks_tls(certificate: tuple[Path, Path]) -> None:
    chain, key = certificate
    app = web.Application()
    emitter = Emitter(Echo(), OPTIONS)
    emitter.attach_to(app)
    runner = web.AppRunner(app)
    await runner.setup()
    assert runner.server is not None
    server = await listen(runner.server, emitter.engine, "127.0.0.1", 0, tls=tls_context(str(chain), str(key)))
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    trusting = ssl.create_default_context(cafile=str(chain))
    try:
        async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(ssl=trusting)) as http:
            async with http.get("/socket.io/?EIO=4&transport=polling") as answer:
                assert (answer.status, (await answer.text())[:1]) == (200, "0")
            async with http.ws_connect("/socket.io/?EIO=4&transport=websocket") as ws:
                assert (await ws.receive_str()).startswith("0{")
                await ws.send_str("40")
                assert (await ws.receive_str()).startswith("40{")
                assert await ws.receive_str() == '42["auth",{}]'
                await ws.send_str('421["message-with-ack","嘀咚",' + '"' + "x" * 100_000 + '"]')
                assert (await ws.receive_str()).startswith('431["嘀咚","xxx')
        async with aiohttp.ClientSession(url) as stranger:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await stranger.get("/")
    finally:
        server.close()
        await emitter.finish()
        await runner.cleanup()


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ValueError, match="belong together"):
        Settings.from_env({"FIELDHUB_TLS_CERTIFICATE": "chain.pem"})


def test_without_a_certificate_there_is_no_tls() -> None:
    assert tls_context("", "") is None
