"""Uploaded files on disk for as long as a job needs them, under names that are safe."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastapi import UploadFile

from lockgate.errors import Busy, Unavailable
from lockgate.web.jobs import Job, Jobs, Progress, Work

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def keep(jobs: Jobs, uploads: Mapping[str, Sequence[UploadFile]]) -> tuple[Path, dict[str, list[Path]]]:
    """Copy uploaded files into a folder of their own; the folder, and the paths by the name of their part."""
    folder = jobs.place("upload")
    kept: dict[str, list[Path]] = {}
    try:
        for part, files in uploads.items():
            for number, upload in enumerate(files):
                place = folder / part / str(number)
                place.mkdir(parents=True)
                path = place / safe_name(upload.filename or part)
                with path.open("wb") as target:
                    shutil.copyfileobj(upload.file, target)
                kept.setdefault(part, []).append(path)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Unavailable(
            "the upload cannot be kept", got=error.strerror, fix="see the disk's free space"
        ) from error
    return folder, kept


def start_job(
    jobs: Jobs, folder: Path, work: Work, *, kind: str, subject: str, person: str, file: Path | None = None
) -> Job:
    """A job on an upload, which is taken away at its end, whatever happens, or now if the job is refused. Raises Busy."""

    def tidy(progress: Progress) -> object:
        try:
            return work(progress)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    try:
        return jobs.start(kind, subject, person, tidy, file)
    except Busy:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def safe_name(name: str) -> str:
    """The last part of a file's name, of letters that no system minds.

    >>> safe_name("../../etc/passwd"), safe_name("my model (1).pkl")
    ('passwd', 'my_model__1_.pkl')
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return _UNSAFE.sub("_", last).lstrip(".")[-120:] or "file"
