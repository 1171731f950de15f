"""Gateway hosts away from the control plane: the beat that brings the plan, packages by digest, the log that comes home."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from lockgate.access import EVERY_MODEL
from lockgate.errors import InvalidInput
from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.hosts import HASH_HEADER, HostBeat, HostWord, Taken
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse
from lockgate.web.shapes import says
from lockgate.wiring.hosts import (
    check_host,
    hear,
    incoming,
    is_news,
    package_file,
    take_keys,
    take_segment,
    word_for,
)
from lockgate.wiring.house import House

router = APIRouter(tags=["hosts"])
Hash = Annotated[str, Header(alias=HASH_HEADER)]
LOOK_S = 0.01
LONGEST_WAIT_S = 1.0  # half of a lease: the answer renews it
_decoder = msgspec.json.Decoder(HostBeat)


@router.post("/hosts/{host}/beat", responses=says(HostWord))
async def beat(host: str, request: Request, house: InHouse, me: Asking) -> Response:
    """A host's agent says which workers it has; the answer brings a newer plan and newer keys as soon as there are."""
    with house.db.read() as tx:
        check_host(tx, me, host)
    try:
        said = _decoder.decode(await request.body())
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput("this beat cannot be read", got=error) from error
    hear(house, host, said)
    until_s = asyncio.get_running_loop().time() + min(said.wait_s, LONGEST_WAIT_S)
    while not is_news(house, said) and asyncio.get_running_loop().time() < until_s:
        await asyncio.sleep(LOOK_S)
    return answer(word_for(house, said))


@router.get("/packages/{digest}/files/{name:path}", responses=says(media="application/octet-stream"))
def package(digest: str, name: str, house: InHouse, me: Asking) -> Response:
    """One file of a sealed package that the plan names; `package.json` lists the others with their hashes."""
    with house.db.read() as tx:
        require(tx, me, Permission.GATEWAY_SERVE, EVERY_MODEL)
    return FileResponse(package_file(house, digest, name), media_type="application/octet-stream")


@router.post("/hosts/{host}/segments", responses=says(Taken))
async def new_segment(
    host: str, request: Request, house: InHouse, me: Asking, *, name: str, sha256: Hash
) -> Response:
    """An ended segment of a host's log, as it is; `new` is false when it was here before."""
    with house.db.read() as tx:
        check_host(tx, me, host)
    return await _take(house, request, name, lambda whole: take_segment(house, host, name, whole, sha256))


@router.post("/hosts/{host}/segment-keys", responses=says(Taken))
async def new_keys(
    host: str, request: Request, house: InHouse, me: Asking, *, name: str, sha256: Hash
) -> Response:
    """The keys of the personal inputs in a segment that comes next; `new` says how many were not here before."""
    with house.db.read() as tx:
        check_host(tx, me, host)
    return await _take(house, request, name, lambda whole: take_keys(house, host, name, whole, sha256))


async def _take(house: House, request: Request, name: str, take: Callable[[Path], int]) -> Response:
    """Write what comes into a file of its own, and let it be taken in."""
    with incoming(house) as whole:
        with whole.open("wb") as file:
            async for piece in request.stream():
                file.write(piece)
        new = await run_in_threadpool(take, whole)
    return answer(Taken(segment=name, new=new))
