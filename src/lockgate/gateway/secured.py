"""HTTPS: the server that speaks TLS and HTTP/2 (granian), in front of the same application as plain HTTP.

It reads bodies in threads of its own, which costs a request two changes of threads; for that it brings HTTP/2.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.config_gateway import GatewayConfig, TlsConfig
from lockgate.errors import InvalidInput
from lockgate.gateway.app import App
from lockgate.gateway.call import Call
from lockgate.gateway.exchange import CallerGone
from lockgate.gateway.heads import HEADER_BYTES
from lockgate.gateway.listening import give_up_stuck_writes
from lockgate.gateway.written import Headers
from lockgate.late import late

if TYPE_CHECKING:
    from granian import _granian as granian
    from granian import constants, http
    from granian.server import embed
else:  # plain HTTP does without it
    granian, constants, http = late("granian._granian"), late("granian.constants"), late("granian.http")
    embed = late("granian.server.embed")

STREAMS = 128  # requests at once on one HTTP/2 connection
_LISTENING_S = 10.0


class SecuredServer:
    """A server of HTTPS on one port. Past `most` connections callers wait without a word; our queues refuse long before."""

    def __init__(self, app: App, config: GatewayConfig, tls: TlsConfig, *, backlog: int, most: int) -> None:
        self._app, self._config = app, config
        idle_ms = round(config.idle_s * 1000)
        self._server = embed.Server(
            self,
            address=config.host,
            port=config.port,
            interface=constants.Interfaces.RSGI,
            log_enabled=False,
            websockets=False,
            http=constants.HTTPModes.auto,
            backlog=backlog,
            backpressure=most,
            http1_settings=http.HTTP1Settings(header_read_timeout=idle_ms, max_buffer_size=HEADER_BYTES),
            http2_settings=http.HTTP2Settings(
                max_concurrent_streams=STREAMS,
                max_headers_size=HEADER_BYTES,
                keep_alive_interval=idle_ms,
                keep_alive_timeout=20,
            ),
            **_settings(tls),
        )

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        await self._app.answer(Call(scope, _Stream(protocol, scope.method)))

    async def serve(self) -> None:
        """Serve until the end, and give up connections whose callers take nothing."""
        watching = asyncio.get_running_loop().create_task(self._limit_writes())
        try:
            await self._server.serve()
        finally:
            watching.cancel()

    async def stop(self) -> None:
        """Answer who has come, close."""
        self._server.stop()  # type: ignore[no-untyped-call]

    async def _limit_writes(self) -> None:
        """The server has no limit on slow readers; the kernel has one, which connections inherit from their listener."""
        deadline = asyncio.get_running_loop().time() + _LISTENING_S
        timeout_ms = round(self._config.write_timeout_s * 1000)
        while not give_up_stuck_writes(self._config.port, timeout_ms):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.01)


class _Stream:
    """The server's protocol object, with our own word for callers who left."""

    def __init__(self, protocol: Any, method: str) -> None:
        self._protocol, self._is_head = protocol, method == "HEAD"

    def response_bytes(self, status: int, headers: Headers, content: bytes) -> None:
        """Answer, once; to HEAD without the content."""
        if self._is_head:
            self._protocol.response_empty(status, headers)
        else:
            self._protocol.response_bytes(status, headers, content)

    async def __call__(self) -> bytes:
        """The whole body. Raises CallerGone."""
        try:
            body: bytes = await self._protocol()
        except granian.RSGIProtocolClosed as error:
            raise CallerGone(str(error)) from error
        return body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in pieces. Raises CallerGone."""
        try:
            async for piece in self._protocol:
                yield piece
        except granian.RSGIProtocolClosed as error:
            raise CallerGone(str(error)) from error


def _settings(tls: TlsConfig) -> dict[str, Any]:
    """The server's settings for TLS 1.2 and newer. Raises InvalidInput naming the setting that cannot be used."""
    _check_pair(tls)
    settings: dict[str, Any] = {
        "ssl_cert": Path(tls.certificate),
        "ssl_key": Path(tls.key),
        "ssl_protocol_min": constants.SSLProtocols.tls12,
    }
    if tls.client_ca is not None:
        settings |= {"ssl_ca": Path(tls.client_ca), "ssl_client_verify": True}
    return settings


def _check_pair(tls: TlsConfig) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: b"")
        if tls.client_ca is not None:
            context.load_verify_locations(tls.client_ca)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            "the files of gateway.tls cannot be used",
            got=getattr(error, "reason", None) or getattr(error, "strerror", None) or error,
            allowed="a certificate (with its chain) and its private key without a password, as PEM files",
            fix="correct 'gateway.tls' in config.yaml",
        ) from error
