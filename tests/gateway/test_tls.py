"""HTTPS: a certificate of the test's own authority, old protocols, callers with certificates, renewal, HTTP/2."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from ..authority import Authority
from .conftest import HEADERS


def secured(world: Any, certificate: Path, key: Path, more: str = "") -> None:
    """Settings for HTTPS, and a model to ask."""
    (world.home.root / "config.yaml").write_text(
        f"gateway:\n  tls: {{certificate: {certificate}, key: {key}{more}}}\n"
    )


def context(authority: Authority) -> ssl.SSLContext:
    """What a caller who trusts only this authority uses."""
    return ssl.create_default_context(cafile=str(authority.certificate))


def asked(world: Any, trusting: ssl.SSLContext) -> int:
    """The status of one prediction over HTTPS; 0 when there is no connection."""
    try:
        with httpx.Client(base_url=f"https://127.0.0.1:{world.port}", verify=trusting, timeout=20) as client:
            response = client.post("/v2/models/churn/infer", json=world.infer([1, 2, 3]), headers=HEADERS)
            assert "strict-transport-security" in response.headers
            return response.status_code
    except httpx.TransportError:
        return 0


def shown(world: Any, trusting: ssl.SSLContext) -> tuple[str, str | None, str | None]:
    """The certificate's name, the protocol and the application protocol that a worker shows."""
    with (
        socket.create_connection(("127.0.0.1", world.port)) as plain,
        trusting.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        found = secure.getpeercert()
        assert found is not None
        name = dict(pair for group in found["subject"] for pair in group)["commonName"]  # type: ignore[misc, union-attr]
        return str(name), secure.version(), secure.selected_alpn_protocol()


def test_https_and_nothing_older(world: Any, tmp_path: Path) -> None:
    """Answers over TLS 1.2 and 1.3 with HTTP/2 for who can; plain HTTP, TLS 1.1 and strangers' trust get nothing."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    secured(world, *authority.issue("gateway"))
    world.route(world.package())
    world.worker(listening=False)
    world.wait_for(lambda: asked(world, context(authority)) == 200, 60)
    assert asked(world, context(stranger)) == 0
    with httpx.Client(base_url=f"https://127.0.0.1:{world.port}", verify=context(authority)) as client:
        for _ in range(2):  # on one connection: no body of the first is taken for the second's head
            head = client.head("/v2")
            assert (head.status_code, head.content) == (200, b"")
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        trusting = context(authority)
        trusting.minimum_version = trusting.maximum_version = version
        trusting.set_alpn_protocols(["h2", "http/1.1"])
        assert shown(world, trusting) == ("gateway", name, "h2")
    old = context(authority)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, OSError)):
        shown(world, old)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{world.port}/v2")


def test_callers_show_certificates_where_they_must(world: Any, tmp_path: Path) -> None:
    """With `client_ca`: one that it signed is let in, another's and none are not."""
    authority, clients, stranger = (Authority(tmp_path, name) for name in ("own", "clients", "stranger"))
    secured(world, *authority.issue("gateway"), f", client_ca: {clients.certificate}")
    world.route(world.package())
    world.worker(listening=False)
    known, unknown = context(authority), context(authority)
    known.load_cert_chain(*map(str, clients.issue("app")))
    unknown.load_cert_chain(*map(str, stranger.issue("impostor")))
    world.wait_for(lambda: asked(world, known) == 200, 60)
    assert asked(world, unknown) == 0
    assert asked(world, context(authority)) == 0


def test_a_renewed_certificate_is_shown_by_workers_that_are_replaced(world: Any, tmp_path: Path) -> None:
    """Two workers, one after the other: at every moment one of them answers, at the end with the new certificate."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("gateway")
    secured(world, certificate, key)
    world.route(world.package())
    for number in range(2):
        world.worker(f"gateway-{number}", "--port-claimed", listening=False)
    trusting = context(authority)
    world.wait_for(
        lambda: asked(world, trusting) == 200 and all(w.member and w.member.ready for w in world.workers), 60
    )
    renewed = authority.issue("renewed")
    certificate.write_bytes(renewed[0].read_bytes())
    key.write_bytes(renewed[1].read_bytes())
    assert shown(world, trusting)[0] == "gateway"
    for number in range(2):
        assert world.workers[number].stop() == 0
        assert asked(world, trusting) == 200
        fresh = world.worker(f"gateway-{number}", "--port-claimed", listening=False)
        world.wait_for(lambda fresh=fresh: fresh.member is not None and "listens" in fresh.words, 60)
    world.wait_for(lambda: {shown(world, trusting)[0] for _ in range(6)} == {"renewed"}, 30)


@pytest.mark.parametrize("broken", ["missing", "empty", "another's key"])
def test_files_that_cannot_be_used_are_named_at_the_start(world: Any, tmp_path: Path, broken: str) -> None:
    """Exit status 2, and the section of config.yaml; nothing listens."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("gateway")
    if broken == "missing":
        certificate.unlink()
    elif broken == "empty":
        certificate.write_bytes(b"")
    else:
        key.write_bytes(authority.issue("other")[1].read_bytes())
    secured(world, certificate, key)
    worker = world.worker(listening=False)
    assert worker.process.wait(60) == 2
    assert "gateway.tls" in worker.words
