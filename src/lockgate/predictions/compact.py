"""Keeps the archive in shape: many small files become few larger ones, and files that nobody needs any more go.

Readers do not notice: they stay with the version of the table that they began with, and a file that is no longer in the
newest version is kept for `SAFE_H` hours.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.predictions.table import Archive, properties, unreadable_is_said

SAFE_H = 24.0  # no query and no export takes longer
TARGET_BYTES = 128 * 1024 * 1024
TASKS = 1  # files joined at once: bounds the memory


@dataclass(frozen=True)
class Compacted:
    """What one pass did, in files."""

    joined: int
    written: int
    removed: int


def compact(archive: Archive, *, safe_h: float = SAFE_H) -> Compacted:
    """Join the small files of each partition, and delete those that no version younger than `safe_h` hours needs."""
    table = archive.look().table
    if table is None:
        return Compacted(0, 0, 0)
    with unreadable_is_said():
        done = table.optimize.compact(
            target_size=TARGET_BYTES, max_concurrent_tasks=TASKS, writer_properties=properties()
        )
        gone = table.vacuum(  # full: what commits that were killed left behind, too
            retention_hours=round(safe_h),
            enforce_retention_duration=False,
            dry_run=False,
            full=safe_h >= SAFE_H,
        )
        table.create_checkpoint()
        table.cleanup_metadata()
    return Compacted(done["numFilesRemoved"], done["numFilesAdded"], len(gone))
