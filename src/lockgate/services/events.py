"""The process that sends records on as CloudEvents; it runs where config.yaml names a receiver."""

from __future__ import annotations

import socket
import sys
import threading

from lockgate.errors import InvalidInput
from lockgate.predictions import forward
from lockgate.services.serving import serve
from lockgate.wiring.house import House


def events(house: House, stop: threading.Event) -> None:
    """Send records on as CloudEvents, if config.yaml says where."""
    if house.config.events is None:
        raise InvalidInput("events have no receiver", fix="set 'events.url' in config.yaml")
    receiver = forward.Receiver(house.config.events, source=f"/lockgate/{socket.gethostname()}")
    forward.Forwarder(house.db, house.home.log, receiver, house.clock).run(stop)


if __name__ == "__main__":
    sys.exit(serve(events))
