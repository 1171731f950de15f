"""The console as a process of its own: `python -m lockgate.web.serve --home DIR --host HOST --port PORT`."""

from __future__ import annotations

import argparse
import logging

import uvicorn

from lockgate.config import home_from
from lockgate.web.app import create_app
from lockgate.wiring.house import open_house

DRAIN_S = 10


def main(arguments: list[str] | None = None) -> None:
    """Serve the console of one home folder until SIGTERM or SIGINT; what runs then is finished first."""
    parser = argparse.ArgumentParser(prog="python -m lockgate.web.serve", description=__doc__)
    parser.add_argument("--home", help="the home folder (default: LOCKGATE_HOME or ./.lockgate)")
    parser.add_argument("--host", help="default: console.host of config.yaml")
    parser.add_argument("--port", type=int, help="default: console.port of config.yaml")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    house = open_house(home_from(chosen.home))
    app = create_app(house)
    console = house.config.console
    try:
        uvicorn.run(
            app,
            host=chosen.host or console.host,
            port=console.port if chosen.port is None else chosen.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_S,
        )
    finally:
        app.state.jobs.close()
        house.close()


if __name__ == "__main__":
    main()
