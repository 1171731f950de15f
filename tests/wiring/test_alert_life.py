"""One alert from its cause to its end, told by mail, signed webhook and Slack, one of which is away for a while."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.alerts import store
from lockgate.alerts.alert import Alert, State
from lockgate.alerts.sender import Sender
from lockgate.clock import DAY_US, MINUTE_US, SECOND_US, FakeClock
from lockgate.config import Home
from lockgate.config_alerts import AlertKind
from lockgate.wiring.alerting import Watch
from lockgate.wiring.house import House, open_house
from lockgate.wiring.status import note_trouble

from ..alerts.receivers import Address
from ..alerts.test_mail import Box, Server
from ..alerts.test_services import SLACK, Elsewhere, elsewhere  # noqa: F401 - a fixture

# of the library's own plugins, which look at a module that Python takes away later
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SECRET = "of-the-hook"
CONFIG = """
alerts:
  console: https://box.example
  sinks:
    mail: {{kind: email, smtp: "smtp://127.0.0.1:{port}", sender: lockgate@box.example, to: [anna@example.org]}}
    hook: {{kind: webhook, url: "{hook}", secret_file: {folder}/secret}}
    slack: {{kind: service, url_file: {folder}/slack}}
"""


class Told:
    """A box that tells of alerts, its three receivers, and time that passes when it is told to."""

    def __init__(self, folder: Path, clock: FakeClock, slack: Elsewhere) -> None:
        self.box, self.hook, self.slack = Box(), Address(), slack
        self.mail = Server(self.box)
        home = Home(folder / "home").prepare()
        (folder / "secret").write_text(SECRET)
        (folder / "slack").write_text(SLACK)
        (home.root / "config.yaml").write_text(
            CONFIG.format(port=self.mail.port, hook=self.hook.url, folder=folder)
        )
        self.house: House = open_house(home, clock)
        self.watch = Watch(self.house, owner="test")
        self.senders = [
            Sender(self.house.db, name, self.watch.config, clock) for name in self.watch.config.sinks
        ]

    def pass_time(self, length_us: int, step_us: int = MINUTE_US) -> None:
        """Look, and let every address be told, again and again."""
        for _ in range(length_us // step_us):
            self.house.clock.sleep(step_us / SECOND_US)
            self.watch.tick()
            for sender in self.senders:
                while sender.round():
                    pass

    def alert(self, kind: AlertKind) -> Alert:
        """The newest alert of a kind."""
        with self.house.db.read() as tx:
            return next(each for each in store.list_alerts(tx) if each.kind is kind)

    def news(self) -> dict[str, Counter[str]]:
        """What each address took about the archive: how often it began and ended, by the words that each uses."""
        heard = [one["news"] for got in self.hook.good for one in got.values["data"]["alerts"]
                 if one["kind"] == "archive_away"]  # fmt: skip
        mails = [
            str(mail["Subject"]) for _, mail in self.box.mails if "archive" in str(mail["Subject"]).lower()
        ]
        chats = [json.dumps(json.loads(body)) for _, body in self.slack.asked if "archive" in body.lower()]
        return {
            "hook": Counter(heard),
            "mail": Counter("over" if "over" in subject.lower() else "began" for subject in mails),
            "slack": Counter("over" if "is over" in chat.lower() else "began" for chat in chats),
        }

    def close(self) -> None:
        """End everything."""
        self.house.close()
        self.mail.stop()
        self.hook.close()


@pytest.fixture
def told(tmp_path: Path, clock: FakeClock, elsewhere: Elsewhere) -> Iterator[Told]:  # noqa: F811
    """A quiet box."""
    made = Told(tmp_path, clock, elsewhere)
    yield made
    made.close()


def test_one_cause_is_told_once_to_everybody_and_so_is_its_end(told: Told) -> None:
    """Seen again and again; the mail server takes nothing for half an hour, which the others hear of, and gets its mail then;
    acknowledged, nobody is reminded for two days; over, everybody hears it, once."""
    told.pass_time(2 * MINUTE_US)
    assert (told.box.mails, told.hook.taken, told.slack.asked) == ([], [], [])
    told.box.answers = ["451 later"] * 9
    note_trouble(told.house.home, "the bucket refuses the key")
    told.pass_time(15 * MINUTE_US)
    assert told.news() == {"hook": {"began": 1}, "mail": {}, "slack": {"began": 1}}
    assert told.alert(AlertKind.SINK_AWAY).state is State.OPEN
    told.pass_time(90 * MINUTE_US, 5 * MINUTE_US)
    assert told.box.answers == []
    assert told.news() == {"hook": {"began": 1}, "mail": {"began": 1}, "slack": {"began": 1}}
    assert told.alert(AlertKind.SINK_AWAY).state is State.RESOLVED
    signed_and_explained(told)
    with told.house.db.write() as tx:
        store.acknowledge(
            tx,
            told.alert(AlertKind.ARCHIVE_AWAY).id,
            by="anna",
            reason="looking",
            at_us=told.house.clock.now_us(),
        )
    told.pass_time(2 * DAY_US, 360 * MINUTE_US)
    assert told.news() == {"hook": {"began": 1}, "mail": {"began": 1}, "slack": {"began": 1}}
    note_trouble(told.house.home, None)
    told.pass_time(10 * MINUTE_US)
    assert told.alert(AlertKind.ARCHIVE_AWAY).state is State.RESOLVED
    assert told.news() == {name: {"began": 1, "over": 1} for name in ("hook", "mail", "slack")}


def signed_and_explained(told: Told) -> None:
    """The hook's signature is that of the specification, and each of the three links to what to do."""
    (first,) = [got for got in told.hook.good if got.values["data"]["alerts"][0]["kind"] == "archive_away"]
    said = f"{first.headers['webhook-id']}.{first.headers['webhook-timestamp']}.".encode() + first.body
    wanted = base64.b64encode(hmac.new(SECRET.encode(), said, hashlib.sha256).digest()).decode()
    assert first.headers["webhook-signature"] == f"v1,{wanted}"
    runbook = "https://box.example/alerts/runbooks/archive_away"
    assert first.values["data"]["alerts"][0]["runbook"] == runbook
    (mail,) = [mail for _, mail in told.box.mails if "archive" in str(mail["Subject"]).lower()]
    assert runbook in mail.get_content()
    (chat,) = [body for _, body in told.slack.asked if "archive" in body.lower()]
    assert runbook in chat
