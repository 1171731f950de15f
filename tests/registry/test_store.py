"""Models, versions, notes, tags and search, on both databases."""

import threading
from dataclasses import dataclass

import msgspec
import pytest

from lockgate.config import ModelConfig, Tier
from lockgate.db import Database
from lockgate.errors import Conflict, InvalidInput, LockgateError, NotFound
from lockgate.governance import audit
from lockgate.registry import annotations, store
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task, digest_of
from lockgate.registry.search import search
from lockgate.registry.signature import DataType, Field, Signature

AT_US = 1_700_000_000_000_000


def manifest(commit: str = "c0ffee", **changes: object) -> Manifest:
    """A manifest that differs by its commit."""
    signature = Signature(
        inputs=(Field(name="income", datatype=DataType.FP64),),
        outputs=(Field(name="prediction", datatype=DataType.INT64),),
    )
    made = Manifest(
        framework=Framework.SKLEARN,
        task=Task.CLASSIFICATION,
        signature=signature,
        answer=Answer(prediction="prediction"),
        model_path="model/model.pkl",
        compiled=Compiled(reason="not tried"),
        python="3.11",
        code_commit=commit,
    )
    return msgspec.structs.replace(made, **changes)


def record(database: Database, made: Manifest, model: str = "churn") -> tuple[store.Version, bool]:
    """Record one version in a transaction of its own."""
    with database.write() as tx:
        return store.record_version(
            tx, model=model, digest=digest_of(made), manifest=made, author="ann", at_us=AT_US
        )


@dataclass(frozen=True)
class World:
    """A database with one model."""

    database: Database


@pytest.fixture
def world(database: Database) -> World:
    """The model churn, of tier high."""
    settings = ModelConfig(
        tier=Tier.HIGH, owner="growth-team", description="who leaves next month", data={"train": "a.csv"}
    )
    with database.write() as tx:
        store.create_model(tx, "churn", settings, actor="ann", at_us=AT_US)
    return World(database)


def test_a_model_is_entered_once(world: World) -> None:
    """A second model of the same name is a conflict; the first keeps its settings."""
    with pytest.raises(Conflict, match="already"), world.database.write() as tx:
        store.create_model(tx, "churn", ModelConfig(), actor="bob", at_us=AT_US)
    with world.database.read() as tx:
        row = store.get_model(tx, "churn")
    assert (row.tier, row.owner, row.created_by, row.versions) == (Tier.HIGH, "growth-team", "ann", 0)


@pytest.mark.parametrize("name", ["", "Churn", "a/b", "a@b", "-a", "a.", "ä", "a" * 65, "a b"])
def test_names_that_are_refused(sqlite: Database, name: str) -> None:
    """Names that would not fit URLs, files and metrics are refused before anything is written."""
    with pytest.raises(InvalidInput, match="cannot have this name"), sqlite.write() as tx:
        store.create_model(tx, name, ModelConfig(), actor="ann", at_us=AT_US)
    with sqlite.read() as tx:
        assert store.list_models(tx) == []


def test_versions_count_up_and_never_change(world: World) -> None:
    """Versions get numbers 1, 2; the manifest comes back as it was sealed; the newest is listed first."""
    first, new = record(world.database, manifest("one"))
    second, _ = record(world.database, manifest("two"))
    assert (first.name, new, second.name) == ("churn/1", True, "churn/2")
    with world.database.read() as tx:
        assert [version.number for version in store.versions_of(tx, "churn")] == [2, 1]
        assert store.get_version(tx, "churn/1").manifest == manifest("one")
        assert store.find_by_digest(tx, "churn", second.digest) == second


def test_the_same_package_again_is_the_same_version(world: World) -> None:
    """The same digest twice gives one version, one audit row, and the next number is not skipped."""
    record(world.database, manifest("one"))
    again, new = record(world.database, manifest("one"))
    assert (again.name, new) == ("churn/1", False)
    assert record(world.database, manifest("two"))[0].name == "churn/2"
    with world.database.read() as tx:
        assert len(audit.rows(tx, action="registry:version:submitted")) == 2


def test_two_submissions_at_once_get_two_numbers(world: World) -> None:
    """Eight threads with eight packages get the numbers 1 to 8, and the audit chain holds."""
    barrier, numbers, failures = threading.Barrier(8), [], []

    def submit(place: int) -> None:
        barrier.wait()
        try:
            numbers.append(record(world.database, manifest(str(place)))[0].number)
        except LockgateError as error:
            failures.append(error)

    threads = [threading.Thread(target=submit, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(numbers) == list(range(1, 9))
    with world.database.read() as tx:
        assert audit.find_faults(audit.chain(tx), audit.head(tx)) == []


def test_the_same_package_at_once_is_one_version(world: World) -> None:
    """Six threads with one package all get churn/1, and one of them made it."""
    barrier, found = threading.Barrier(6), []

    def submit() -> None:
        barrier.wait()
        found.append(record(world.database, manifest("one")))

    threads = [threading.Thread(target=submit) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {version.name for version, _ in found} == {"churn/1"}
    assert sum(new for _, new in found) == 1


def test_what_is_not_there_is_named(world: World) -> None:
    """Unknown models and versions say what there is; a digest of another manifest is refused."""
    with world.database.write() as tx:
        with pytest.raises(NotFound, match="allowed: churn"):
            store.get_model(tx, "chrun")
        with pytest.raises(NotFound, match="none yet"):
            store.get_version(tx, "churn/1")
        with pytest.raises(InvalidInput, match="churn/3"):
            store.get_version(tx, "churn")
        with pytest.raises(NotFound):
            store.record_version(
                tx, model="nope", digest=digest_of(manifest()), manifest=manifest(), author="ann", at_us=AT_US
            )
        with pytest.raises(InvalidInput, match="does not belong"):
            store.record_version(
                tx, model="churn", digest="sha256:" + "0" * 64, manifest=manifest(), author="ann", at_us=AT_US
            )


def test_settings_change_with_an_audit_row(world: World) -> None:
    """New settings replace the old ones; the audit row holds both; equal settings write nothing."""
    for _ in range(2):
        with world.database.write() as tx:
            store.change_settings(tx, "churn", ModelConfig(tier=Tier.LOW), actor="bob", at_us=AT_US)
    with world.database.read() as tx:
        assert store.get_model(tx, "churn").tier is Tier.LOW
        rows = audit.rows(tx, action="registry:model:changed")
    assert len(rows) == 1
    assert "growth-team" in rows[0].details


def test_notes_and_tags_are_edited_beside_the_version(world: World) -> None:
    """Notes are replaced, tags set and removed, on versions and on the model, each with an audit row of old and new."""
    record(world.database, manifest())
    with world.database.write() as tx:
        annotations.annotate(tx, "churn/1", "first try", actor="ann", at_us=AT_US)
        annotations.annotate(tx, "churn/1", "better words", actor="bob", at_us=AT_US)
        annotations.tag(tx, "churn/1", {"team": "growth", "old": "1"}, actor="ann", at_us=AT_US)
        assert annotations.tag(tx, "churn/1", {"old": None}, actor="ann", at_us=AT_US) == {"team": "growth"}
        annotations.tag(tx, "churn", {"area": "crm"}, actor="ann", at_us=AT_US)
    with world.database.read() as tx:
        version, model = store.get_version(tx, "churn/1"), store.get_model(tx, "churn")
        rows = audit.rows(tx, action="registry:version:annotated")
    assert (version.notes, version.tags, model.tags) == ("better words", {"team": "growth"}, {"area": "crm"})
    assert rows[0].values == {"old": "first try", "new": "better words"}
    with pytest.raises(InvalidInput, match="tag"), world.database.write() as tx:
        annotations.tag(tx, "churn/1", {"a=b": "c"}, actor="ann", at_us=AT_US)


def test_allowed_names_are_kept_per_model(world: World) -> None:
    """An admin's exception is exact, has a reason, is on record and can be taken back."""
    with world.database.write() as tx:
        annotations.allow_name(tx, "churn", "mylib.steps.Clip", "reviewed", actor="root", at_us=AT_US)
        annotations.allow_name(tx, "churn", "mylib.steps.Clip", "again", actor="root", at_us=AT_US)
        assert [found.reason for found in annotations.allowed_names_of(tx, "churn")] == ["reviewed"]
        for wrong in ("mylib", "mylib.*", "os.system;x", ""):
            with pytest.raises(InvalidInput):
                annotations.allow_name(tx, "churn", wrong, "reviewed", actor="root", at_us=AT_US)
        for harmful in ("os.system", "posix.system", "builtins.eval", "builtins.__import__", "subprocess.Popen", "sys.exit",
                        "importlib.import_module", "pickle.loads", "numpy.load", "operator.methodcaller"):  # fmt: skip
            with pytest.raises(InvalidInput, match="never allowed"):
                annotations.allow_name(tx, "churn", harmful, "reviewed", actor="root", at_us=AT_US)
        with pytest.raises(InvalidInput, match="reason"):
            annotations.allow_name(tx, "churn", "a.b", " ", actor="root", at_us=AT_US)
        annotations.forbid_name(tx, "churn", "mylib.steps.Clip", actor="root", at_us=AT_US)
        with pytest.raises(InvalidInput, match="not allowed"):
            annotations.forbid_name(tx, "churn", "mylib.steps.Clip", actor="root", at_us=AT_US)
        assert [row.action for row in audit.rows(tx, action="registry:name")] == [
            "registry:name:forbidden",
            "registry:name:allowed",
        ]


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("GROWTH", {"churn"}),
        ("leaves month", {"churn"}),
        ("seasonal Größe", {"churn/1"}),
        ("income", {"churn/1"}),
        ("sha256:abc", {"churn/1"}),
        ("leaves nothing", set()),
        ("", set()),
    ],
)
def test_search_finds_what_people_remember(world: World, text: str, subjects: set[str]) -> None:
    """Every word must stand in the model or the version, in any field and any case."""
    record(world.database, manifest(data={"train": "sha256:abc"}))
    with world.database.write() as tx:
        annotations.annotate(tx, "churn/1", "seasonal GRÖSSE fixed, größe", actor="ann", at_us=AT_US)
        assert {hit.subject for hit in search(tx, text)} == subjects
