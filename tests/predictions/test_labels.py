"""Labels: by any key, late, repeated, corrected."""

import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import InvalidInput
from lockgate.predictions.label_import import CHUNK_ROWS, Imported, Naming, import_labels, import_many
from lockgate.predictions.labels import coverage, history, key_texts, latest_labels, newest_label
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.query import frame

from .records import NOON_US, scored


@pytest.fixture
def predicted(home: Home) -> Home:
    """Four records: by key, by the caller's id, with two rows, without any key."""
    with SegmentWriter(home.log, "w") as log:
        log.append([scored("1", key="12"), scored("2", key="13", inference_id="order-7")])
        log.append(
            [scored("3", age=[5.0, 6.0], plan=["x", "y"], p=[0.1, 0.2]), scored("4", age=99.0, version=2)]
        )
    return home


def put(database: Database, table: dict[str, list[object]], on: str = "key", **named: object) -> Imported:
    """Import a table of labels."""
    with database.write() as tx:
        return import_labels(
            tx,
            "churn",
            pl.DataFrame(table),
            **{"on": on, "label": "y", "by": "ada", "now_us": NOON_US, **named},
        )


def labels_of(home: Home, blobs: Blobs, database: Database) -> list[object]:
    """The labels of the five predicted rows, in the order of writing."""
    rows = frame(home, blobs, "churn", database=database)
    return rows["label"].to_list()


def test_labels_by_any_key(predicted: Home, blobs: Blobs, database: Database) -> None:
    """A business key, the caller's id, ours with a row, or an input column finds the prediction."""
    assert labels_of(predicted, blobs, database) == [None] * 5
    put(database, {"customer": [12.0, 77.0, None], "y": [1, 0, 1]}, key="customer")
    put(database, {"inference_id": ["order-7"], "y": [0]}, on="inference_id")
    put(database, {"id": ["3"], "part": [1], "y": [1]}, on="id", row="part")
    put(database, {"age": [99.0], "y": [0]}, on="in.age")
    assert labels_of(predicted, blobs, database) == [1, 0, None, 1, 0]


def test_an_input_with_decimals_is_matched_as_it_is_written(
    predicted: Home, blobs: Blobs, database: Database
) -> None:
    """Whole numbers match however the file writes them, as long as the column of the predictions is whole too."""
    put(database, {"age": ["5", "6"], "y": [True, False]}, on="in.age")
    assert labels_of(predicted, blobs, database) == [None, None, True, False, None]


def test_numbers_that_no_integer_holds_are_keys_too() -> None:
    """Infinity and what is too large among whole numbers: they stay as they are written, the others lose their point."""
    texts = key_texts(pl.Series([12.0, float("inf"), 1e30, float("nan"), None])).to_list()
    assert texts[:2] == ["12", "inf"]
    assert texts[2] is not None
    assert texts[3:] == [None, None]


def test_the_last_label_counts_and_history_is_kept(predicted: Home, blobs: Blobs, database: Database) -> None:
    """A correction replaces the label; the same file again changes nothing; an older label does not count."""
    first = {"key": ["12", "13"], "y": ["good", "bad"], "when": ["2026-04-01", "2026-04-01"]}
    assert put(database, first, at="when") == Imported(2, 0, 0, 0, 0, 0)
    assert put(database, first, at="when") == Imported(0, 0, 0, 2, 0, 0)
    later = {"key": ["13"], "y": ["good"], "when": ["2026-05-01T10:00:00"]}
    assert put(database, later, at="when") == Imported(0, 1, 0, 0, 0, 0)
    assert put(database, first, at="when").repeated == 2
    older = {"key": ["13"], "y": ["unsure"], "when": ["2026-03-02"]}
    assert put(database, older, at="when") == Imported(0, 0, 1, 0, 0, 0)
    assert labels_of(predicted, blobs, database)[:2] == ["good", "good"]
    with database.read() as tx:
        assert [row["label"] for row in history(tx, "churn", "key", "13")] == ['"unsure"', '"bad"', '"good"']
        assert history(tx, "churn", "key", "13")[0]["imported_by"] == "ada"


def test_a_label_by_our_id_beats_one_by_key(predicted: Home, blobs: Blobs, database: Database) -> None:
    """Where several labels fit a row, the narrower match counts, whichever came first."""
    put(database, {"id": ["1"], "y": [0]}, on="id")
    put(database, {"key": ["12"], "y": [1]})
    assert labels_of(predicted, blobs, database)[0] == 0


def test_missing_keys_and_labels_are_counted_not_guessed(database: Database) -> None:
    """Rows without key or label are left out and told."""
    counts = put(database, {"key": ["12", None, "13"], "y": [1.5, 2.0, float("nan")]})
    assert counts == Imported(new=1, corrected=0, older=0, repeated=0, without_key=1, without_label=1)


def test_coverage_by_day_and_version(predicted: Home, blobs: Blobs, database: Database) -> None:
    """How many rows have a label is counted apart for each day and version."""
    put(database, {"key": ["12"], "y": [1]})
    counted = coverage(frame(predicted, blobs, "churn", database=database))
    assert counted.rows() == [("2026-03-01", 1, 4, 1, 0.25), ("2026-03-01", 2, 1, 0, 0.0)]


def test_contradictions_are_kept_counted_and_the_last_counts(
    predicted: Home, blobs: Blobs, database: Database
) -> None:
    """Two labels of one value and time: both stay on record, the later row counts, and how many were so is told."""
    told = {"key": ["12", "12", "13"], "y": [1, 0, 1], "when": ["2026-04-01"] * 3}
    assert put(database, told, at="when") == Imported(new=3, contradictory=1)
    assert put(database, told, at="when") == Imported(repeated=3)
    assert put(database, {"key": ["13"], "y": [0], "when": ["2026-04-01"]}, at="when").contradictory == 1
    assert labels_of(predicted, blobs, database)[:2] == [0, 0]
    with database.read() as tx:
        assert [row["label"] for row in history(tx, "churn", "key", "12")] == ["1", "0"]


def test_a_label_that_changes_and_changes_back_counts_as_it_ended(
    predicted: Home, blobs: Blobs, database: Database
) -> None:
    """Within one table the order of time decides, and what only repeats the label before it says nothing new."""
    put(database, {"key": ["12"], "y": ["a"], "when": ["2026-04-01"]}, at="when")
    days = ["2026-04-03", "2026-04-02", "2026-04-04"]
    table = {"key": ["12"] * 3, "y": ["a", "b", "a"], "when": days}
    assert put(database, table, at="when") == Imported(corrected=2, repeated=1)
    assert labels_of(predicted, blobs, database)[0] == "a"
    later = {"key": ["12", "12"], "y": ["b", "a"]}
    assert put(database, later, now_us=NOON_US + 60 * DAY_US).corrected == 2
    assert labels_of(predicted, blobs, database)[0] == "a"


def test_labels_wait_for_their_prediction(home: Home, blobs: Blobs, database: Database) -> None:
    """A label of an unknown id is kept, and joined when the record comes."""
    put(database, {"key": ["12"], "y": [1]})
    with SegmentWriter(home.log, "w") as log:
        log.append([scored("1", key="12")])
    assert labels_of(home, blobs, database) == [1]


def test_large_tables_go_in_by_pieces_and_again_after_a_crash(database: Database) -> None:
    """A table of several pieces is recorded whole; one that broke off on the way is completed by importing it again."""
    height = 2 * CHUNK_ROWS + 5
    table = pl.DataFrame(
        {"key": pl.int_range(height, eager=True), "y": pl.Series([1, 0]).gather([0, 1] * (height // 2) + [0])}
    )
    told: list[tuple[int, int]] = []

    def broken(done: int, of: int) -> None:
        told.append((done, of))
        if done > CHUNK_ROWS:
            raise KeyboardInterrupt

    naming, asked = Naming("y"), {"by": "ada", "now_us": NOON_US}
    with pytest.raises(KeyboardInterrupt):
        import_many(database, "churn", table, naming, **asked, tell=broken)
    assert told == [(CHUNK_ROWS, height), (2 * CHUNK_ROWS, height)]
    done = import_many(database, "churn", table, naming, **asked)
    assert (done.new, done.repeated) == (5, 2 * CHUNK_ROWS)
    with database.read() as tx:
        assert latest_labels(tx, "churn").height == height


def test_a_table_that_cannot_be_read_leaves_nothing(sqlite: Database) -> None:
    """One wrong time in the last row, and nothing of the table is on record."""
    table = pl.DataFrame({"key": ["1", "2"], "y": [1, 0], "when": ["2026-04-01", "soon"]})
    with pytest.raises(InvalidInput, match="cannot be read as times"):
        import_many(sqlite, "churn", table, Naming("y", at="when"), by="ada", now_us=NOON_US)
    with sqlite.read() as tx:
        assert latest_labels(tx, "churn").is_empty()


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"on": "status"}, "cannot be matched on this; received: status"),
        ({"label": "truth"}, "no column 'truth'; allowed: key, y, when, far, many"),
        ({"at": "when"}, "'when' cannot be read as times"),
        ({"row": "when"}, "'when' must hold row numbers"),
        ({"label": "far"}, "'far' holds infinity"),
        ({"label": "many"}, "'many' holds lists or objects, and a label is one value"),
        ({"key": "many"}, "'many' holds lists or objects, and a key is one value"),
    ],
)
def test_wrong_imports_say_what_is_wrong(sqlite: Database, named: dict[str, str], says: str) -> None:
    """A wrong match, a missing column, an unreadable time: refused, nothing imported."""
    with pytest.raises(InvalidInput, match=says):
        put(
            sqlite,
            {"key": ["12"], "y": [1], "when": ["soon"], "far": [float("inf")], "many": [[1, 2]]},
            **named,
        )


@pytest.mark.parametrize(
    ("table", "named", "says"),
    [
        ({"key": ["a" * 301], "y": [1]}, {}, "a key that cannot be kept"),
        ({"key": ["a\0b"], "y": [1]}, {}, "a key that cannot be kept"),
        ({"key": [b"\xff"], "y": [1]}, {}, "a key is one value"),
        ({"key": ["a"], "y": [1], "nth": [2**31]}, {"row": "nth"}, "must hold row numbers"),
        ({"key": ["a"], "y": [1]}, {"on": "in." + "x" * 200, "key": "key"}, "too long to match"),
    ],
)
def test_what_no_database_keeps_is_refused_alike(
    database: Database, table: dict[str, list[object]], named: dict[str, str], says: str
) -> None:
    """On SQLite as on PostgreSQL, whose columns have an end; what just fits goes in."""
    with pytest.raises(InvalidInput, match=says):
        put(database, table, **named)
    put(database, {"key": ["é" * 300], "y": [1], "nth": [2**31 - 1]}, row="nth", source="x" * 400)


def test_values_of_a_business_metric_stay_apart(database: Database) -> None:
    """What a customer spent is no label, is joined by nobody who asks for labels, and is a number."""
    spent = pl.DataFrame({"key": ["a", "b"], "spent": [12.5, 0.0]})
    with database.write() as tx:
        done = import_labels(
            tx, "churn", spent, on="key", label="spent", by="ann", now_us=1, metric="revenue"
        )
        assert (done.new, newest_label(tx, "churn")) == (2, None)
        assert latest_labels(tx, "churn").is_empty()
        assert latest_labels(tx, "churn", "revenue")["label"].to_list() == [12.5, 0.0]
        again = import_labels(
            tx, "churn", spent, on="key", label="spent", by="ann", now_us=2, metric="revenue"
        )
        assert (again.new, again.repeated) == (0, 2)
        with pytest.raises(InvalidInput, match="are numbers"):
            import_labels(tx, "churn", pl.DataFrame({"key": ["a"], "spent": ["much"]}), on="key", label="spent",
                          by="ann", now_us=3, metric="revenue")  # fmt: skip
