"""Slack, Teams, Discord and JSON through the real library: their own addresses, answered by a server of this test."""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.alerts import services
from lockgate.alerts.trouble import NotTaken, Refused
from lockgate.config_alerts import AlertsConfig, ServiceSink

from ..authority import Authority
from .receivers import Address, alert, message

# of the library's own plugins, which look at a module that Python takes away later
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SLACK = "https://hooks.slack.com/services/T00000000/B00000000/T0KENxT0KENxT0KENxT0KENx"
DISCORD = "https://discord.com/api/webhooks/123456789012345678/T0KENxT0KENxT0KENxT0KENxT0KENxT0KENxT0KENxT0KENxT0KENxT0KENxT0KENxT0KE"

_FLOW = "0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke"
_SIGNED = "sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=T0KEN_xT0KEN-xT0KENxT0KENxT0KENxT0KEN"
LOGIC_HOST, POWER_HOST = (
    "prod-12.westeurope.logic.azure.com",
    "default0123456789abcdef.00.environment.api.powerplatform.com",
)
# as the flow "Send webhook alerts to a channel" shows it, made before and since its service has another address
TEAMS_BEFORE = f"https://{LOGIC_HOST}:443/workflows/{_FLOW}?api-version=2016-06-01&{_SIGNED}"
TEAMS = f"https://{POWER_HOST}:443/powerautomate/automations/direct/workflows/{_FLOW}?api-version=1&{_SIGNED}"


class Elsewhere:
    """A proxy that leads every HTTPS host to one server of ours; `asked`: request line and body of each. `status`: its answer."""

    def __init__(self, authority: Authority) -> None:
        self.asked: list[tuple[str, str]] = []
        self.status = 200
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(
            *map(str, authority.issue("elsewhere", "hooks.slack.com", "discord.com", LOGIC_HOST, POWER_HOST))
        )
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return  # it was closed
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        host = _head(connection).split()[1].partition(":")[0]
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with self._context.wrap_socket(connection, server_side=True) as secured:
            head = _head(secured)
            length = next(
                int(line.split(":")[1])
                for line in head.splitlines()
                if line.lower().startswith("content-length")
            )
            body = b""
            while len(body) < length:
                body += secured.recv(65_536)
            self.asked.append((f"{host}{head.split()[1]}", body.decode()))
            secured.sendall(
                f"HTTP/1.1 {self.status} said\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok".encode()
            )

    def close(self) -> None:
        """End it."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


def _head(connection: socket.socket) -> str:
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        if not piece:
            break
        found += piece
    return found.decode()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    """The only way out, trusted by the library."""
    authority = Authority(tmp_path)
    made = Elsewhere(authority)
    monkeypatch.setenv("HTTPS_PROXY", made.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.certificate))
    yield made
    made.close()


def sink(tmp_path: Path, url: str) -> ServiceSink:
    """A service whose address is in a file."""
    (tmp_path / "url").write_text(url + "\n")
    return ServiceSink(url_file=str(tmp_path / "url"))


@pytest.mark.parametrize("url", [SLACK, DISCORD], ids=["slack", "discord"])
def test_chat_services_get_words_and_what_to_do(elsewhere: Elsewhere, tmp_path: Path, url: str) -> None:
    """At the very address that the service gave, in its own form; a refusal is said by its status, without the address."""
    services.send(sink(tmp_path, url), message(), AlertsConfig(console="https://box.example"))
    ((where, body),) = elsewhere.asked
    assert where == url.removeprefix("https://") or where.startswith(url.removeprefix("https://"))
    text = json.dumps(json.loads(body))
    assert "A release was rolled back: churn/1" in text
    assert "lockgate status churn" in text
    assert "apprise" not in text.lower()  # no pictures from elsewhere, no other name
    elsewhere.status = 404
    with pytest.raises(NotTaken, match="the service answered 404") as refused:
        services.send(sink(tmp_path, url), message(), AlertsConfig())
    assert "T0KEN" not in str(refused.value)


@pytest.mark.parametrize("url", [TEAMS_BEFORE, TEAMS], ids=["logic.azure.com", "powerplatform.com"])
def test_teams_gets_an_adaptive_card_that_its_flow_takes(
    elsewhere: Elsewhere, tmp_path: Path, url: str
) -> None:
    """The address that Teams shows, as it is: one card of version 1.4 with heading and text, in the form that the flow asks."""
    services.send(sink(tmp_path, url), message(), AlertsConfig(console="https://box.example"))
    ((where, body),) = elsewhere.asked
    assert where == url.removeprefix("https://").replace(":443", "")
    sent = json.loads(body)
    assert sent["type"] == "message"
    (attachment,) = sent["attachments"]
    assert (attachment["contentType"], attachment["contentUrl"]) == (
        "application/vnd.microsoft.card.adaptive",
        None,
    )
    card = attachment["content"]
    assert card["$schema"] == "http://adaptivecards.io/schemas/adaptive-card.json"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert [(block["type"], block["id"]) for block in card["body"]] == [
        ("TextBlock", "title"),
        ("TextBlock", "body"),
    ]
    heading, text = (block["text"] for block in card["body"])
    assert heading == "[critical] churn: A release was rolled back: churn/1"
    assert text.split("\n\n") == [
        "**A release was rolled back: churn/1 \\[critical\\]**",
        "Errors rose from 0.1 % to 4 %.",
        "Next: lockgate status churn",
        "Since 2023-11-14 22:13:20 UTC.",
        "[The alert](https://box.example/alerts/1) · "
        "[What it means and what to do](https://box.example/alerts/runbooks/rolled_back)",
    ]


def test_what_a_model_said_marks_nothing_up_and_calls_nobody(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Words out of an error of a model: no mention of everybody in a channel, no link, no bold letters."""
    words = "ValueError: <at>everyone</at> <!channel> [click](https://evil.example) *now* a_b_c"
    for url in (TEAMS, SLACK):
        services.send(sink(tmp_path, url), message(alert(words=words)), AlertsConfig())
    teams, slack = (json.loads(body) for _, body in elsewhere.asked)
    card = teams["attachments"][0]["content"]
    assert "entities" not in card["msteams"]  # of which Teams makes mentions
    assert (
        r"\<at\>everyone\</at\> \<!channel\> \[click\](https://evil.example) \*now\* a\_b\_c"
        in card["body"][1]["text"]
    )
    (said,) = slack["attachments"]
    assert (
        r"&lt;at&gt;everyone&lt;/at&gt; &lt;!channel&gt; [click](https://evil.example) \*now\*"
        in said["text"]
    )
    assert (slack["mrkdwn"], said["footer"]) == (True, "lockgate")


def test_no_service_reads_a_name_to_call_out_of_what_is_told(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Discord calls whoever stands behind an @, in words and in the heading alike, and the library looks for such names, too."""
    told = alert(subject="churn/1 @here", words="ValueError: @everyone <@123456> bob@example.com")
    for url in (DISCORD, f"{DISCORD}?format=markdown"):
        services.send(sink(tmp_path, url), message(told), AlertsConfig())
    for _, body in elsewhere.asked:
        assert not re.search(r"@[&!]?\w", json.dumps(json.loads(body), ensure_ascii=False))
        assert "allow_mentions" not in json.loads(body)


def test_what_has_to_be_escaped_makes_no_message_too_long(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """A text of nothing but marks becomes twice as long, and still fits into one message of Discord."""
    told = alert(subject="_" * 200, words="_" * 900, next="*" * 900)
    services.send(sink(tmp_path, DISCORD), message(told), AlertsConfig(console="https://box.example"))
    ((_, body),) = elsewhere.asked
    assert len(json.loads(body)["content"]) <= 2_000


def test_many_alerts_fit_into_one_message_of_a_chat(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Discord takes 2,000 letters: what would not fit is counted; what it refuses all the same is refused for good."""
    many = message(*(alert(number, words="x" * 700) for number in range(1, 30)))
    services.send(sink(tmp_path, DISCORD), many, AlertsConfig(console="https://box.example"))
    ((_, body),) = elsewhere.asked
    content = json.loads(body)["content"]
    assert len(content) <= 2_000
    assert "x" * 499 + "…" in content
    assert content.rstrip().endswith("and 27 more alerts: https://box.example/alerts")
    elsewhere.status = 400
    with pytest.raises(Refused, match="the service answered 400"):
        services.send(sink(tmp_path, DISCORD), many, AlertsConfig())


def test_what_the_library_says_goes_nowhere_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No service, an address that it does not know, none at all: said; nothing of it in our log."""
    caplog.set_level(logging.DEBUG)
    address = Address(answers=[500])
    try:
        good = f"json://127.0.0.1:{address.url.split(':')[2].removesuffix('/hook')}/T0KEN"
        with pytest.raises(NotTaken, match="answered 500"):
            services.send(sink(tmp_path, good), message(), AlertsConfig())
        services.send(sink(tmp_path, good), message(), AlertsConfig())
        assert address.good[0].values["title"] == "[critical] churn: A release was rolled back: churn/1"
    finally:
        address.close()
    with pytest.raises(NotTaken, match="could not be reached"):
        services.send(sink(tmp_path, "json://127.0.0.1:1/T0KEN"), message(), AlertsConfig())
    with pytest.raises(NotTaken, match="no address that Apprise knows"):
        services.send(sink(tmp_path, "pigeon://T0KEN"), message(), AlertsConfig())
    assert "T0KEN" not in "".join(r.getMessage() for r in caplog.records if not r.name.startswith("urllib3"))
