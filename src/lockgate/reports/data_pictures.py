"""What is wrong with a folder of images, told from its table (a row for each file) and the version before; with the line of
Python that repairs the folder, named `folder`. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table
from lockgate.checks.listing import few
from lockgate.datasets.images import without_files
from lockgate.datasets.versions import DataVersion
from lockgate.reports.data_findings import CONTRACT
from lockgate.reports.data_repairs import AS_A_STEP

CHECK = "images"
FEWEST = 10  # images of a class: with fewer neither learning nor a test says anything
SMALLEST_PX = 16  # of the shorter side: below, hardly anything can be seen
SHOWN = 20
_PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}

# subject, which groups of equal images, status, what to do, how many of a group stay
_TWICE = (
    (
        "one image under two labels",
        pl.col("labels") > 1,
        Status.FAIL,
        "Look at them and decide: the model is told both. All but the right one go.",
        0,
    ),
    (
        "one image in two parts",
        (pl.col("labels") == 1) & (pl.col("parts") > 1),
        Status.FAIL,
        "Keep it in one part: figures on images that were trained on are too good.",
        1,
    ),
    (
        "the same image again",
        (pl.col("labels") == 1) & (pl.col("parts") == 1),
        Status.WARN,
        "Take the copies out, unless each is a case of its own.",
        1,
    ),
)


def picture_findings(
    data: DataVersion, frame: pl.DataFrame, before: pl.DataFrame | None = None
) -> list[Finding]:
    """What a folder's images are and what is wrong with them. `before`: the table of the version before."""
    broken = [
        Finding(
            check=CONTRACT,
            subject="unreadable images" if not one.column else one.column,
            status=Status.FAIL,
            headline=f"{one.found}; expected: {one.expected}.",
            advice=f"{AS_A_STEP}{one.repair}",
        )
        for one in data.broken
    ]
    parted = frame.with_columns(
        part=pl.col("path")
        .str.split("/")
        .list.first()
        .str.to_lowercase()
        .replace_strict(_PARTS, default=None, return_dtype=pl.String)
    )
    found = [
        *broken,
        *_twice(parted),
        *_classes(parted),
        *_unlabelled(frame),
        *_small(frame),
        *_gone(frame, before),
    ]
    return [*found, *_looks(frame)]


def _twice(frame: pl.DataFrame) -> list[Finding]:
    """The same image more than once: under two labels, in two parts, or for nothing."""
    kept = (pl.col("label").n_unique().alias("labels"), pl.col("part").n_unique().alias("parts"))
    groups = frame.group_by("sha256", maintain_order=True).agg("path", *kept)
    groups = groups.filter(pl.col("path").list.len() > 1)
    found = []
    for subject, which, status, advice, stays in _TWICE:
        paths = groups.filter(which)["path"].to_list()
        if paths:
            gone = [name for each in paths for name in each[stays:]]
            rows = tuple((", ".join(each[:3]), len(each)) for each in paths[:SHOWN])
            found.append(
                _finding(
                    subject,
                    status,
                    f"{len(paths):,} times ({', '.join(paths[0][:2])}).",
                    advice,
                    gone=gone,
                    of=frame.height,
                    table=Table(columns=("files", "times"), rows=rows),
                )
            )
    return found


def _classes(frame: pl.DataFrame) -> list[Finding]:
    counts = frame.drop_nulls("label").group_by("label").len().sort("len", "label")
    found = []
    rare = counts.filter(pl.col("len") < FEWEST)
    if rare.height and counts.height > 1:
        gone = frame.filter(pl.col("label").is_in(rare["label"].implode()))["path"].to_list()
        found.append(
            _finding(
                "classes of few images",
                Status.WARN,
                f"Fewer than {FEWEST} images: {few(rare['label'].to_list())}.",
                "Collect more, join them with another class, or leave them out.",
                gone=gone,
                of=frame.height,
                table=Table(columns=("class", "images"), rows=tuple(rare.iter_rows())[:SHOWN]),
            )
        )
    if counts.height == 1:
        found.append(
            Finding(
                check=CHECK,
                subject="one class only",
                status=Status.WARN,
                headline=f"Every image lies in {counts['label'][0]}: there is nothing to tell apart.",
                advice="Give each class a folder of its own.",
            )
        )
    return found


def _unlabelled(frame: pl.DataFrame) -> list[Finding]:
    without = frame.filter(pl.col("label").is_null())["path"].to_list()
    if not without or len(without) == frame.height:
        return []
    return [
        _finding(
            "images without a class",
            Status.WARN,
            f"{len(without):,} images lie in no class's folder ({without[0]}).",
            "Move each into the folder of its class.",
            gone=without,
            of=frame.height,
        )
    ]


def _small(frame: pl.DataFrame) -> list[Finding]:
    known = frame.filter(pl.col("width") > 0)
    shorter = known.with_columns(side=pl.min_horizontal("width", "height"))
    usual = float(shorter["side"].median() or 0)  # type: ignore[arg-type]
    small = shorter.filter((pl.col("side") < SMALLEST_PX) & (pl.col("side") < usual / 4))["path"].to_list()
    if not small:
        return []
    words = f"{len(small):,} images have fewer than {SMALLEST_PX} pixels a side; usual are {usual:.0f} ({small[0]})."
    return [
        _finding(
            "tiny images",
            Status.WARN,
            words,
            "See whether these are thumbnails or icons that came along.",
            gone=small,
            of=frame.height,
        )
    ]


def _gone(frame: pl.DataFrame, before: pl.DataFrame | None) -> list[Finding]:
    if before is None:
        return []
    gone = before.join(frame, on="path", how="anti").join(frame, on="sha256", how="anti")
    if not gone.height:
        return []
    return [
        Finding(
            check=CHECK,
            subject="missing files",
            status=Status.WARN,
            measure=Measure(name="files that are gone", value=gone.height / before.height, unit="share"),
            headline=f"{gone.height:,} of {before.height:,} files of the version before are gone ({gone['path'][0]}).",
            advice="Bring them back from the version before, if nobody took them out.",
            table=Table(columns=("file",), rows=tuple((name,) for name in gone["path"].head(SHOWN))),
        )
    ]


def _looks(frame: pl.DataFrame) -> list[Finding]:
    """Classes and sizes, drawn."""
    found = []
    counts = (
        frame.drop_nulls("label").group_by("label").len().sort(["len", "label"], descending=[True, False])
    )
    if counts.height:
        bars = [
            {"name": name, "value": count / frame.height} for name, count in counts.head(SHOWN).iter_rows()
        ]
        shown: dict[str, object] = {"bars": bars, "axis": "share of images", "unit": "share"}
        found.append(
            _drawn(
                "label",
                f"{counts.height:,} classes, most often {counts['label'][0]}.",
                Plot(kind=PlotKind.BARS, title="share of images in each class", data=shown),
            )
        )
    for name, unit in (("width", "pixels"), ("height", "pixels"), ("bytes", "bytes")):
        values = frame[name].drop_nulls()
        values = values.filter(values > 0)
        if len(values):
            spread = values.hist(bin_count=20)
            low, middle, high = np.quantile(values.to_numpy(), (0.0, 0.5, 1.0)).tolist()
            edges = [low, *spread["breakpoint"].to_list()]
            found.append(
                _drawn(
                    name,
                    f"{name}: {low:,.0f} to {high:,.0f} {unit}, half of them below {middle:,.0f}.",
                    Plot(
                        kind=PlotKind.HISTOGRAMS,
                        title=f"{name} in {unit}: share of images",
                        data={"edges": edges, "parts": [{"name": name, "counts": spread["count"].to_list()}]},
                    ),
                )
            )
    return found


def _drawn(subject: str, words: str, plot: Plot) -> Finding:
    return Finding(check="column", subject=subject, status=Status.PASS, headline=words, plot=plot)


def _finding(
    subject: str,
    status: Status,
    words: str,
    advice: str,
    *,
    gone: Sequence[str],
    of: int,
    table: Table | None = None,
) -> Finding:
    return Finding(
        check=CHECK,
        subject=subject,
        status=status,
        headline=words,
        table=table,
        advice=f"{advice} {AS_A_STEP}{without_files(list(gone))}",
        measure=Measure(name=subject, value=len(gone) / max(of, 1), unit="share"),
    )
