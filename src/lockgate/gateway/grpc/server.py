"""The gRPC listener of one worker: shares its port with its siblings, and lets nobody wait in vain when it stops."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lockgate.config_gateway import GatewayConfig
from lockgate.errors import Unavailable
from lockgate.gateway.grpc.service import Service
from lockgate.gateway.listening import connections, stop_listening_softly
from lockgate.late import late

if TYPE_CHECKING:
    import grpc
    from grpc import aio
else:
    grpc, aio = late("grpc"), late("grpc.aio")

STREAMS = 128  # requests at once on one connection
WINDOW_BYTES = 65_536  # of a message that nobody reads yet; one that is being read may come as fast as it can
AGE_S = 10.0  # of a connection, give or take a tenth; calls on it are let end, new ones open another, at any sibling
GRACE_S = (
    16.0  # for calls that have begun before that; with AGE_S less than a worker is given to stop (running.py)
)
LOOK_S = 0.05  # between two looks at the connections that are left
PING_EVERY_MS = 10_000  # clients that keep idle connections alive may ask this often
HEADER_BYTES = 65_536


class GrpcServer:
    """One worker's. `start` once, `stop` once."""

    def __init__(self, service: Service, config: GatewayConfig) -> None:
        self._service, self._config = service, config
        self._server: Any = None

    async def start(self) -> int:
        """Listen; the port. Raises Unavailable when the port or the certificate cannot be used."""
        config = self._config
        server = aio.server(options=options(config))
        server.add_generic_rpc_handlers((self._service,))
        address = f"{config.host}:{config.grpc_port}"
        try:
            if config.tls is None:
                port = server.add_insecure_port(address)
            else:
                port = server.add_secure_port(address, _credentials(config))
        except (RuntimeError, OSError) as error:
            raise Unavailable(
                f"{address} cannot be listened on for gRPC", got=error, fix="choose another gateway.grpc_port"
            ) from error
        await server.start()
        self._server = server
        return int(port)

    async def stop(self) -> None:
        """Take no new connections, let those that are there grow old, then close.

        A server that is told to stop at once cancels the calls that reach it before their callers heard so.
        """
        if self._server is None:
            return
        port = int(self._config.grpc_port or 0)
        stop_listening_softly(port)
        with contextlib.suppress(TimeoutError):  # calls that take longer have the grace below
            async with asyncio.timeout(AGE_S * 1.2):
                while connections(port):
                    await asyncio.sleep(LOOK_S)
        await self._server.stop(GRACE_S)


def options(config: GatewayConfig) -> list[tuple[str, int]]:
    """The server's settings. The limit on bodies is that of HTTP, after decompression as there."""
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", round(config.max_body_mb * 1_000_000)),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", HEADER_BYTES),
        ("grpc.max_concurrent_streams", STREAMS),
        ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
        ("grpc.http2.bdp_probe", 0),  # which would let a caller send megabytes that nobody asked for yet
        ("grpc.max_connection_idle_ms", round(config.idle_s * 1000)),
        ("grpc.max_connection_age_ms", round(AGE_S * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_EVERY_MS),
    ]


def _credentials(config: GatewayConfig) -> Any:
    assert config.tls is not None  # noqa: S101  asked for by the caller above only
    tls = config.tls
    pair = (Path(tls.key).read_bytes(), Path(tls.certificate).read_bytes())
    ca = None if tls.client_ca is None else Path(tls.client_ca).read_bytes()
    return grpc.ssl_server_credentials([pair], root_certificates=ca, require_client_auth=ca is not None)
