"""Whether the extra `grpc` is installed."""

from __future__ import annotations

import importlib.util

from lockgate.errors import MissingExtra

NEEDED = ("grpc", "google.protobuf")


def require_grpc() -> None:
    """Raise MissingExtra unless the libraries are installed; looks without importing them."""
    try:
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    except ModuleNotFoundError as error:  # the package above the name is not there
        missing = [str(error.name)]
    if missing:
        raise MissingExtra(
            "gateway.grpc_port is set, and gRPC is not installed",
            got=f"no module {missing[0]}",
            fix="pip install 'lockgate[grpc]', or take grpc_port out of config.yaml",
        )
