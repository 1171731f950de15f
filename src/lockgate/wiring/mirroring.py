"""Runs told to others: a catalogue that speaks OpenLineage hears of a start and an end. Nothing waits for it for long."""

from __future__ import annotations

import logging
import os

import httpx
import msgspec

from lockgate.pipelines.openlineage import NAMESPACE, event_of
from lockgate.pipelines.run import Run
from lockgate.wiring.house import House

URL, ENDPOINT, KEY, SPACE = (
    "OPENLINEAGE_URL",
    "OPENLINEAGE_ENDPOINT",
    "OPENLINEAGE_API_KEY",
    "OPENLINEAGE_NAMESPACE",
)
USUAL_ENDPOINT = "api/v1/lineage"
PATIENCE_S = 5.0
log = logging.getLogger("lockgate.mirroring")


def mirror(house: House, run: Run) -> str | None:
    """Tell the catalogue how far a run is; a sentence when it did not hear. A run never fails because of it."""
    url = os.environ.get(URL)
    if not url:
        return None
    key = os.environ.get(KEY)
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
    event = event_of(run, str(house.home.root), os.environ.get(SPACE) or NAMESPACE)
    place = f"{url.rstrip('/')}/{(os.environ.get(ENDPOINT) or USUAL_ENDPOINT).lstrip('/')}"
    try:
        httpx.post(
            place, content=msgspec.json.encode(event), headers=headers, timeout=PATIENCE_S
        ).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = f"the OpenLineage catalogue did not hear of run {run.id}: {error or type(error).__name__}"
        log.warning("%s", said)
        return said
    return None
