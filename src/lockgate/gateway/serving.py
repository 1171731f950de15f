"""The server below the application: its socket, its limits on connections, TLS, and ending without dropping anybody."""

from __future__ import annotations

import asyncio
import resource
import ssl
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.embed import Server

from lockgate.config_gateway import GatewayConfig, TlsConfig
from lockgate.errors import InvalidInput
from lockgate.gateway.app import App
from lockgate.gateway.listening import give_up_stuck_writes, stop_listening_softly

LAST_CALLERS_S = 0.2  # for connections that were made just before the end of listening
BACKLOG = 2048
# Past it the server makes callers wait without a word; our queues refuse long before.
CONNECTIONS = 16_384
OWN_FILES = 256  # models, the log, sockets of runners
MOST_FILES = 65_536
HEADER_BYTES = 65_536
STREAMS = 128  # requests at once on one HTTP/2 connection
_LISTENING_S = 10.0


class Listener:
    """A server on one port. `serve` lasts until `stop` was called and the last answer is out."""

    def __init__(self, app: App, config: GatewayConfig) -> None:
        self._config = config
        files = _raise_file_limit()
        tls, idle_ms = config.tls, round(config.idle_s * 1000)
        self._server = Server(
            app,
            address=config.host,
            port=config.port,
            interface=Interfaces.RSGI,
            log_enabled=False,
            websockets=False,
            http=HTTPModes.http1 if tls is None else HTTPModes.auto,
            backlog=BACKLOG,
            backpressure=max(64, min(CONNECTIONS, files - OWN_FILES)),
            http1_settings=HTTP1Settings(header_read_timeout=idle_ms, max_buffer_size=HEADER_BYTES),
            http2_settings=HTTP2Settings(
                max_concurrent_streams=STREAMS,
                max_headers_size=HEADER_BYTES,
                keep_alive_interval=idle_ms,
                keep_alive_timeout=20,
            ),
            **({} if tls is None else _secured(tls)),
        )

    async def serve(self) -> None:
        """Serve, and give up connections whose callers take nothing."""
        watching = asyncio.get_running_loop().create_task(self._limit_writes())
        try:
            await self._server.serve()
        finally:
            watching.cancel()

    async def stop(self) -> None:
        """Listen no longer, answer who has come, close."""
        stop_listening_softly(self._config.port)
        await asyncio.sleep(LAST_CALLERS_S)
        self._server.stop()  # type: ignore[no-untyped-call]

    async def _limit_writes(self) -> None:
        """The server has no limit on slow readers; the kernel has one, which connections inherit from their listener."""
        deadline = asyncio.get_running_loop().time() + _LISTENING_S
        timeout_ms = round(self._config.write_timeout_s * 1000)
        while not give_up_stuck_writes(self._config.port, timeout_ms):
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(0.01)


def _raise_file_limit() -> int:
    """Let this process have as many connections as the machine allows it; how many files it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)


def _secured(tls: TlsConfig) -> dict[str, Any]:
    """The server's settings for TLS 1.2 and newer. Raises InvalidInput naming the setting that cannot be used."""
    _check_pair(tls)
    settings: dict[str, Any] = {
        "ssl_cert": Path(tls.certificate),
        "ssl_key": Path(tls.key),
        "ssl_protocol_min": SSLProtocols.tls12,
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
