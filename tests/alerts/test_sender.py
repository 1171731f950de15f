"""Messages reach real receivers: one that fails, hangs, answers 500 and recovers; nothing lost, nothing twice."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lockgate.alerts import outbox, webhook
from lockgate.alerts.sender import REFUSALS, Sender
from lockgate.alerts.telling import News
from lockgate.clock import DAY_US, FakeClock
from lockgate.config_alerts import AlertsConfig, EmailSink, WebhookSink
from lockgate.db import Database

from .receivers import Address, alert, message

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ....").decode()


@pytest.fixture
def address() -> Iterator[Address]:
    """A receiver that takes everything, unless a test says otherwise."""
    made = Address()
    yield made
    made.close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The file with the secret of a webhook."""
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return path


def sender(db: Database, url: str, secret: Path, clock: FakeClock) -> Sender:
    """One that sends what is posted for `ops`."""
    config = AlertsConfig(sinks={"ops": WebhookSink(url=url, secret_file=str(secret))}, console="https://box")
    return Sender(db, "ops", config, clock)


def post(db: Database, *messages_) -> None:
    """Put messages into the outbox, as the look does."""
    with db.write() as tx:
        for each in messages_:
            outbox.insert(tx, each, key=f"key-{each.notices[0].alert.id}-{each.notices[0].news}")


def standing(db: Database) -> outbox.SinkStanding:
    """How `ops` fares."""
    with db.read() as tx:
        return outbox.standings(tx, ["ops"])[0]


def test_a_message_is_signed_and_says_what_to_do(
    sqlite: Database, clock, address: Address, secret: Path
) -> None:
    """The signature is that of the specification, computed here from its words alone; the body is for people and programs."""
    post(sqlite, message(alert(3)))
    assert sender(sqlite, address.url, secret, clock).round()
    (got,) = address.taken
    said = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    digest = hmac.new(base64.b64decode(SECRET[6:]), said, hashlib.sha256).digest()
    assert got.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert int(got.headers["webhook-timestamp"]) == clock.now_us() // 1_000_000
    assert got.headers["webhook-id"] == got.values["id"] == "key-3-began"
    data = got.values["data"]
    assert data["subject"] == "[critical] churn: A release was rolled back: churn/3"
    for words in ("Errors rose from 0.1 % to 4 %.", "Next: lockgate status churn", "https://box/alerts/3",
                  "https://box/alerts/runbooks/rolled_back"):  # fmt: skip
        assert words in data["text"]
    assert data["alerts"][0]["fingerprint"] == "rolled_back:churn:3"


def test_a_receiver_that_fails_and_recovers_gets_everything_in_order(
    database: Database, clock, address: Address, secret: Path
) -> None:
    """500, 503, 401 and 200: each message is taken once, in the order in which it was made, each attempt under its one key."""
    address.answers += [500, 503, 401]
    post(database, message(alert(1)), message(alert(2)), message(alert(1), news=News.OVER))
    carrier = sender(database, address.url, secret, clock)
    assert not carrier.round()
    assert standing(database).trouble == "it answered 500"
    assert not carrier.round()  # it is not due yet: no attempt
    assert len(address.taken) == 1
    for _ in range(40):
        clock.sleep(10)
        carrier.round()
    assert [each.headers["webhook-id"] for each in address.good] == [
        "key-1-began",
        "key-2-began",
        "key-1-over",
    ]
    assert {each.headers["webhook-id"] for each in address.taken if each.status != 204} == {"key-1-began"}
    found = standing(database)
    assert (found.waiting, found.trouble, found.refused) == (0, None, 0)


def test_a_receiver_that_is_not_there_costs_time_and_no_message(
    sqlite: Database, clock, address: Address, secret: Path
) -> None:
    """Nothing listens: attempts come ever more seldom, for hours; then it is there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        post(sqlite, message())
        carrier = sender(sqlite, nowhere, secret, clock)
        for _ in range(20):
            clock.sleep(600)
            assert not carrier.round()
    assert standing(sqlite).trouble == "nothing listens there, or the name is not known"
    with sqlite.read() as tx:
        waiting = outbox.oldest(tx, "ops")
    assert 8 < waiting.attempts < 20
    clock.sleep(900)
    assert sender(sqlite, address.url, secret, clock).round()
    assert len(address.good) == 1


def test_a_receiver_that_hangs_is_not_waited_for_for_ever(
    sqlite: Database, clock, address: Address, secret: Path, monkeypatch
) -> None:
    """No answer in time is said so; the same message goes again under the same key."""
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.3)
    address.answers.append(0)
    post(sqlite, message())
    carrier = sender(sqlite, address.url, secret, clock)
    assert not carrier.round()
    assert standing(sqlite).trouble == "no answer within 0.3 s"
    clock.sleep(10)
    assert carrier.round()
    assert [each.headers["webhook-id"] for each in address.good] == ["key-1-began"]


def test_what_a_receiver_will_never_take_is_set_aside_after_some_tries(
    sqlite: Database, clock, address: Address, secret: Path
) -> None:
    """410 again and again: people have time to set the address right; then those behind it go, and it stays on record."""
    address.answers += [410] * REFUSALS
    post(sqlite, message(alert(1)), message(alert(2)))
    carrier = sender(sqlite, address.url, secret, clock)
    for _ in range(REFUSALS + 1):
        carrier.round()
        clock.sleep(1000)
    assert [each.headers["webhook-id"] for each in address.good] == ["key-2-began"]
    assert standing(sqlite).refused == 1
    for days, refused in ((89, 1), (91, 0)):  # in the end it is forgotten, like what was sent
        with sqlite.write() as tx:
            outbox.tidy(tx, clock.now_us() + days * DAY_US)
        assert standing(sqlite).refused == refused


def test_a_crash_after_the_receiver_took_it_repeats_it_under_its_key(
    sqlite: Database, clock, address: Address, secret: Path
) -> None:
    """Killed between the receiver's yes and the mark: sent once more by the next process, and the key tells."""

    class Killed(BaseException):
        pass

    post(sqlite, message())
    carrier = sender(sqlite, address.url, secret, clock)

    def die() -> None:
        raise Killed

    carrier._mark = die  # the very step at which it is killed
    with pytest.raises(Killed):
        carrier.round()
    assert sender(sqlite, address.url, secret, clock).round()
    assert [each.headers["webhook-id"] for each in address.good] == ["key-1-began"] * 2
    assert not sender(sqlite, address.url, secret, clock).round()


def test_nothing_that_is_kept_or_logged_holds_a_secret(
    sqlite: Database, clock, address: Address, tmp_path: Path, caplog
) -> None:
    """An address with a token in it, from a file: neither in the trouble, nor in the log, nor in the outbox."""
    caplog.set_level("DEBUG")
    path = tmp_path / "url"
    for url in (
        address.url + "/T0KEN-7",
        "http://no-such-host.invalid/T0KEN-7",
        "T0KEN-7",
        "http://[T0KEN-7",
        "",
    ):
        path.write_text(url)
        address.answers[:] = [500]
        post(sqlite, message(alert(len(url))))
        config = AlertsConfig(sinks={"ops": WebhookSink(url_file=str(path))})
        assert not Sender(sqlite, "ops", config, clock).round()
        assert standing(sqlite).trouble
        assert "T0KEN" not in standing(sqlite).trouble
        clock.sleep(10_000)
    with sqlite.read() as tx:
        kept = tx.exec_driver_sql("SELECT * FROM alert_outbox").all()
    assert "T0KEN" not in str(kept)
    own = [record.getMessage() for record in caplog.records if record.name.startswith("lockgate")]
    assert own
    assert "T0KEN" not in "".join(own)


def test_a_setting_that_no_library_takes_is_trouble_like_any_other(
    sqlite: Database, clock, address: Address, secret: Path
) -> None:
    """A secret that is no base64, a port that none can be: said, without the secret, and sent when it is set right."""
    secret.write_text("whsec_T0KEN\n")
    post(sqlite, message())
    carrier = sender(sqlite, address.url, secret, clock)
    assert not carrier.round()
    assert "holds no base64" in standing(sqlite).trouble
    assert "T0KEN" not in standing(sqlite).trouble
    nowhere = EmailSink(smtp="smtp://127.0.0.1:99999", sender="a@b.example", to=("c@d.example",))
    clock.sleep(10)
    assert not Sender(sqlite, "ops", AlertsConfig(sinks={"ops": nowhere}), clock).round()
    assert "ValueError at " in standing(sqlite).trouble
    secret.write_text(SECRET)
    clock.sleep(60)
    assert carrier.round()
    assert standing(sqlite).trouble is None


def test_a_message_survives_its_way_through_the_outbox(database: Database) -> None:
    """What comes out is what was put in, on both databases; the same key twice is one message."""
    sent = message(alert(1), alert(2, gone_us=5))
    post(database, sent, sent)
    with database.read() as tx:
        assert outbox.oldest(tx, "ops").message == sent
        assert outbox.standings(tx, ["ops"])[0].waiting == 1
    assert msgspec.json.decode(msgspec.json.encode(sent), type=type(sent)) == sent
