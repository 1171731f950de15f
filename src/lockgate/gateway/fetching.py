"""Packages of a far control plane, file by file: in the store of this host whole and checked, or not at all."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from lockgate.blobs import Blobs
from lockgate.errors import LockgateError, Unavailable
from lockgate.gateway.control import Control
from lockgate.registry.manifest import MANIFEST_NAME
from lockgate.registry.package import blob_name, open_package, read_manifest
from lockgate.traffic import Plan, Role

_log = logging.getLogger("lockgate.agent")


def fetch_missing(control: Control, blobs: Blobs, cache: Path, plan: Plan) -> dict[str, str]:
    """Bring every package that the plan's workers load and that is not here; those that cannot be had, with the reason.

    Raises Unavailable when there is no contact: then it is nobody's fault, and tried again.
    """
    failed = {}
    wanted = {
        arm.digest for route in plan.routes.values() for arm in route.arms if arm.role is not Role.SHADOW
    }
    for digest in sorted(wanted):
        if blobs.exists(blob_name(digest)):
            continue
        try:
            _fetch(control, blobs, cache, digest)
        except Unavailable:
            raise
        except LockgateError as error:
            _log.error("package %s cannot be had: %s", digest, error.sentence())
            failed[digest] = error.sentence()
    return failed


def _fetch(control: Control, blobs: Blobs, cache: Path, digest: str) -> None:
    """The manifest is checked against the digest before anything that it names is asked for, and every byte at the end."""
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as name:
        folder = Path(name) / "package"
        folder.mkdir()
        (folder / MANIFEST_NAME).write_bytes(control.package_file(digest, MANIFEST_NAME))
        for file in read_manifest(folder, digest).files:
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(control.package_file(digest, file))
        open_package(folder, digest)
        blobs.put_tree(blob_name(digest), folder)
    _log.info("package %s is here", digest)
