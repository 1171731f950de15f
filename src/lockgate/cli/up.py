"""`lockgate up`: console, gateway and everything behind them, on this machine, until Ctrl-C."""

from __future__ import annotations

import math
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import httpx
import typer

from lockgate.cli.show import new_app
from lockgate.clock import SystemClock
from lockgate.config import Home, home_from
from lockgate.gateway.grpc.installed import require_grpc
from lockgate.gateway.port import claim_port
from lockgate.gateway.port import free_port as any_port
from lockgate.gateway.worker import worker_argv
from lockgate.governance.keys import create_key, list_keys
from lockgate.membership import members
from lockgate.services.children import children
from lockgate.supervisor import Child, Event, Supervisor
from lockgate.wiring.house import House, open_house
from lockgate.wiring.ports import Addresses, forget_addresses, free_port, url, write_addresses

app = new_app("Start console, gateway and everything behind them.")
READY_S = 60.0
QUIET = frozenset({"started", "stopped"})


@app.command()
def up(
    *,
    port: Annotated[
        int | None, typer.Option(help="The console's; 0: any free one.", show_default="8400")
    ] = None,
    gateway_port: Annotated[
        int | None, typer.Option(help="The gateway's; 0: any.", show_default="8401")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Gateway processes.", min=1, show_default="1")] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the console in the browser.")] = False,
) -> None:
    """Start everything and look after it: what dies is started again. Ctrl-C stops in good order."""
    home = home_from()
    with ExitStack() as stack:
        house = open_house(home)
        console, gateway = house.config.console, house.config.gateway
        wanted = console.port if port is None else port
        console_port = free_port(console.host, wanted or any_port(console.host), "--port")
        stack.enter_context(claim_port(console.host, console_port, "--port"))
        wanted = gateway.port if gateway_port is None else gateway_port
        taken = wanted or any_port(gateway.host)
        stack.enter_context(claim_port(gateway.host, taken, "--gateway-port"))
        if gateway.grpc_port is not None:
            require_grpc()
            setting = "gateway.grpc_port in config.yaml"
            stack.enter_context(claim_port(gateway.host, gateway.grpc_port, setting))
        processes = [
            *children(
                home.root, host=console.host, port=console_port, with_events=house.config.events is not None
            ),
            *_gateways(home, gateway.host, taken, workers or gateway.workers),
        ]
        supervisor = Supervisor(processes, home.run, tell=_tell)
        addresses = Addresses(
            console=url(console.host, console_port),
            gateway=url(gateway.host, taken, secure=gateway.tls is not None),
            grpc=None
            if gateway.grpc_port is None
            else url(gateway.host, gateway.grpc_port).partition("://")[2],
        )
        stack.enter_context(_noted(home, addresses))
        _say_first_key(house, addresses)
        house.close()
        greeter = threading.Thread(target=_greet, args=(addresses, open_browser), daemon=True)
        greeter.start()
        supervisor.run()
    print("lockgate: stopped")


def _gateways(home: Home, host: str, port: int, workers: int) -> Iterator[Child]:
    for number in range(workers):
        name = f"gateway-{number}"
        argv = worker_argv(home.root, name, host=host, port=port)
        yield Child(name, argv, ready=partial(_is_ready, home.members))


def _is_ready(folder: Path, pid: int) -> bool:
    """Whether the gateway worker of that process id answers."""
    return any(one.pid == pid and one.ready for one in members(folder, SystemClock().now_us()))


@contextmanager
def _noted(home: Home, addresses: Addresses) -> Iterator[None]:
    write_addresses(home, addresses)
    try:
        yield
    finally:
        forget_addresses(home)


def _tell(event: Event) -> None:
    """Deaths are said aloud; ordinary starts and stops are not."""
    if event.what not in QUIET:
        print(f"lockgate: {event.name} {event.what} {event.detail}".rstrip(), file=sys.stderr, flush=True)


def _say_first_key(house: House, addresses: Addresses) -> None:
    """The very first start makes a key for the owner, shows it once, and says how to call a model with it."""
    with house.db.read() as tx:
        if list_keys(tx):
            return
    with house.db.write() as tx:
        key, _ = create_key(tx, house.owner, label="first start", by=house.owner, at_us=house.clock.now_us())
    house.publish_access()
    print(f"Your key, {house.owner.id}; it is shown this once:\n\n  {key}\n")
    print("Sign in to the console with it. When a model is live, call it with it:\n")
    print(
        f"  curl {addresses.gateway}/v2/models/MODEL/infer -H 'Authorization: Bearer {key}' -d @request.json\n"
    )
    sys.stdout.flush()


def _greet(addresses: Addresses, open_browser: bool) -> None:
    """Say where everything is as soon as it answers; of what takes long it is said once, and it is waited for all the same."""
    late_s = time.monotonic() + READY_S
    waiting = {"console": f"{addresses.console}/api/health", "gateway": f"{addresses.gateway}/v2/health/live"}
    while waiting:
        for name, address in list(waiting.items()):
            if _answers(address):
                del waiting[name]
                print(f"{name:<8} {getattr(addresses, name)}", flush=True)
                if name == "gateway" and addresses.grpc:  # a worker listens for gRPC first
                    print(f"{'gRPC':<8} {addresses.grpc}", flush=True)
                if name == "console" and open_browser:
                    webbrowser.open(addresses.console)
        if time.monotonic() > late_s:
            late_s = math.inf
            for name in waiting:
                print(
                    f"lockgate: the {name} does not answer yet; {name}*.log in run/ of the home folder may say why",
                    file=sys.stderr,
                    flush=True,
                )
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        # the certificate is for the name that callers use, which need not be this machine's own address
        return httpx.get(address, timeout=2.0, verify=False).is_success  # noqa: S501
    except httpx.HTTPError:
        return False
