"""The server below the application: its socket, its limits on connections, and ending without dropping anybody."""

from __future__ import annotations

import asyncio
import resource
import socket
from typing import Protocol

from lockgate.config_gateway import GatewayConfig
from lockgate.gateway import secured
from lockgate.gateway.app import App
from lockgate.gateway.http1 import Callers, Connection
from lockgate.gateway.listening import stop_listening_softly

LAST_CALLERS_S = 0.2  # for connections that were made just before the end of listening
BACKLOG = 2048
CONNECTIONS = 16_384
OWN_FILES = 256  # models, the log, sockets of runners
MOST_FILES = 65_536
SWEEP_S = 0.5


class Server(Protocol):
    """What listens on the port."""

    async def serve(self) -> None:
        """Serve until the last answer after `stop` is out."""
        ...

    async def stop(self) -> None:
        """Take no further requests."""
        ...


class Listener:
    """A server on one port. `serve` lasts until `stop` was called and the last answer is out."""

    def __init__(self, app: App, config: GatewayConfig) -> None:
        self._config = config
        most = max(64, min(CONNECTIONS, _raise_file_limit() - OWN_FILES))
        self._server: Server
        if config.tls is None:
            self._server = PlainServer(app, config, most=most)
        else:
            self._server = secured.SecuredServer(app, config, config.tls, backlog=BACKLOG, most=most)

    async def serve(self) -> None:
        """Serve."""
        await self._server.serve()

    async def stop(self) -> None:
        """Listen no longer, answer who has come, close."""
        stop_listening_softly(self._config.port)
        await asyncio.sleep(LAST_CALLERS_S)
        await self._server.stop()


class PlainServer:
    """A server of plain HTTP/1.1 on the running event loop. Past `most` connections callers are turned away (503)."""

    def __init__(self, app: App, config: GatewayConfig, *, most: int) -> None:
        self._config = config
        self._callers = Callers(app.serve, idle_s=config.idle_s, most=most)
        self._stopped = asyncio.Event()

    async def serve(self) -> None:
        """Serve, and let go of callers who say nothing or take nothing."""
        loop, config = asyncio.get_running_loop(), self._config
        server = await loop.create_server(
            lambda: Connection(self._callers), config.host, config.port, backlog=BACKLOG, reuse_port=True
        )
        for listening in server.sockets:  # connections inherit it
            timeout_ms = round(config.write_timeout_s * 1000)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
        try:
            while not await _within(SWEEP_S, self._stopped):
                self._callers.sweep()
        finally:
            server.close()
        self._callers.end()
        while not await _within(SWEEP_S, self._callers.gone):
            self._callers.sweep()

    async def stop(self) -> None:
        """Take no further requests."""
        self._stopped.set()


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Wait that long for an event; whether it happened."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _raise_file_limit() -> int:
    """Let this process have as many connections as the machine allows it; how many files it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)
