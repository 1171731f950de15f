"""`lockgate gateway`: the gateway alone, on a machine away from the control plane, until Ctrl-C."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from typing import Annotated

import typer

from lockgate.blobs import Blobs
from lockgate.cli.show import new_app
from lockgate.config import Home, home_from, load_server_config
from lockgate.errors import Unavailable
from lockgate.gateway.agent import Agent, agent_argv, control_from_environment, join
from lockgate.gateway.port import claim_port
from lockgate.gateway.port import free_port as any_port
from lockgate.gateway.worker import worker_argv
from lockgate.membership import all_members, retire
from lockgate.supervisor import Child, Event, Supervisor
from lockgate.wiring.ports import url

app = new_app("Serve on this machine what a control plane elsewhere says.")
AGAIN_S = 1.0
QUIET = frozenset({"started", "stopped"})


@app.command()
def gateway(
    *,
    control: Annotated[str | None, typer.Option(
        metavar="URL", help="The control plane.", show_default="LOCKGATE_URL")] = None,
    port: Annotated[int | None, typer.Option(
        "--port", "--gateway-port", help="Where callers come; 0: any.", show_default="8401")] = None,
    workers: Annotated[int | None, typer.Option(help="Gateway processes.", min=1, show_default="1")] = None,
) -> None:  # fmt: skip
    """Serve on this machine what a control plane elsewhere says. The key of a person with the role host: LOCKGATE_KEY."""
    if control is not None:
        os.environ["LOCKGATE_URL"] = control
    home = home_from().prepare()
    config = load_server_config(home)
    agent = _first_contact(home)
    wanted = config.gateway.port if port is None else port
    taken = wanted or any_port(config.gateway.host)
    secret = {name: os.environ.pop(name) for name in ("LOCKGATE_URL", "LOCKGATE_KEY")}  # the agent's alone
    names = [f"{agent.host}.gateway-{number}" for number in range(workers or config.gateway.workers)]
    children = [
        Child("agent", agent_argv(home.root), env=secret, rank=1),
        *(Child(name, worker_argv(home.root, name, host=config.gateway.host, port=taken)) for name in names),
    ]
    with ExitStack() as stack:
        stack.enter_context(claim_port(config.gateway.host, taken, "--port"))
        supervisor = Supervisor(children, home.run, tell=_tell)
        agent.lease.end()  # until the agent renews it
        for member in all_members(
            home.members
        ):  # of workers that were killed: a silent worker holds the lease up
            retire(home.members, member.worker)
        print(f"gateway  {url(config.gateway.host, taken)}", flush=True)
        print(f"host     {agent.host} of {agent.control.url}", flush=True)
        supervisor.run()
    print("lockgate: stopped")


def _first_contact(home: Home) -> Agent:
    """The host's agent, once there is a plan: from the control plane, or the last one on disk if that is away."""
    control = control_from_environment()
    agent = Agent(
        home, control, join(home, control), Blobs(load_server_config(home).blobs or str(home.blobs))
    )
    said = False
    while True:
        try:
            agent.beat(wait_s=0.0)
        except Unavailable as error:
            has_plan = agent.plan.word() > 0
            then = "serving by the last plan" if has_plan else "waiting for a first plan"
            if not said:
                print(f"lockgate: {error.sentence()}; {then}", file=sys.stderr, flush=True)
            said = True
            if has_plan:
                return agent
            time.sleep(AGAIN_S)
        else:
            return agent


def _tell(event: Event) -> None:
    """Deaths are said aloud; ordinary starts and stops are not."""
    if event.what not in QUIET:
        print(f"lockgate: {event.name} {event.what} {event.detail}".rstrip(), file=sys.stderr, flush=True)
