"""Mails through a real SMTP server on this machine: what they say, TLS and passwords, and a server that refuses."""

from __future__ import annotations

import asyncio
import email
import ssl
import threading
from collections.abc import Iterator
from email.policy import default
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from lockgate.alerts import mail
from lockgate.alerts.telling import News
from lockgate.alerts.trouble import NotTaken, Refused
from lockgate.config_alerts import AlertsConfig, EmailSink

from ..authority import Authority
from .receivers import alert, message

PASSWORD = "pass-word-7"


class Box:
    """A mailbox. `refuses`: recipients that are not known; `answers`: what it says to the next mails instead of yes."""

    def __init__(self) -> None:
        self.mails, self.refuses, self.answers = [], set(), []

    async def handle_RCPT(self, server, session, envelope, address, options) -> str:
        """Take or refuse a recipient."""
        if address in self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope) -> str:
        """Take a mail."""
        if self.answers:
            return self.answers.pop(0)
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=default)))
        return "250 OK"


class Login:
    """Knows one user."""

    def __call__(self, server, session, envelope, mechanism, login) -> AuthResult:
        """Yes or no."""
        good = (login.login, login.password) == (b"lockgate", PASSWORD.encode())
        return AuthResult(success=good, handled=good)


@pytest.fixture
def box() -> Box:
    """An empty mailbox."""
    return Box()


class Server:
    """A mail server on a free port, in a loop of its own thread."""

    def __init__(self, box: Box, **options) -> None:
        self._loop, self._options, self._box = asyncio.new_event_loop(), options, box
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self._server = started.result(60)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _start(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: SMTP(self._box, **self._options), "127.0.0.1", 0)

    async def _end(self) -> None:
        self._server.close()
        await self._server.wait_closed()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def stop(self) -> None:
        """End it; twice does no harm."""
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(60)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


@pytest.fixture
def plain(box: Box) -> Iterator[Server]:
    """A mail server without TLS."""
    server = Server(box)
    yield server
    server.stop()


def sink(server: Server, **values) -> EmailSink:
    """Mails to anna and bob through that server."""
    return EmailSink(smtp=f"smtp://127.0.0.1:{server.port}", sender="lockgate@box.example",
                     to=("anna@example.org", "bob@example.org"), **values)  # fmt: skip


def test_a_mail_says_what_is_wrong_and_what_to_do(plain: Server, box: Box) -> None:
    """Subject for a list of mails, the steps in the text, an id by which a repeat is known, no automatic answers to it."""
    sent = message(alert(3), alert(4, words="Naïve café — 40 % of résumés\nare empty"))
    mail.send(sink(plain), sent, "key-1", AlertsConfig(console="https://box.example"))
    ((to, got),) = box.mails
    assert to == ["anna@example.org", "bob@example.org"]
    assert got["Subject"] == "[critical] churn: A release was rolled back: churn/3 (and 1 more)"
    assert (got["Message-ID"], got["Auto-Submitted"], got["Importance"]) == (
        "<key-1@alerts.lockgate>",
        "auto-generated",
        "high",
    )
    text = got.get_content()
    for words in (
        "Next: lockgate status churn",
        "https://box.example/alerts/3",
        "Naïve café — 40 % of résumés",
    ):
        assert words in text


def test_mails_of_one_alert_hang_together(plain: Server, box: Box) -> None:
    """Beginning and end refer to the same thing, so that a mail program shows one thread."""
    for news in (News.BEGAN, News.OVER):
        mail.send(sink(plain), message(alert(3), news=news), f"key-{news}", AlertsConfig())
    (_, first), (_, last) = box.mails
    assert first["References"] == last["References"]
    assert last["Subject"].startswith("[over] churn")


def test_a_line_break_in_a_name_writes_no_header(plain: Server, box: Box) -> None:
    """What people or models wrote stays one line of the subject."""
    mail.send(sink(plain), message(alert(3, subject="x\r\nBcc: mallory@example.org")), "k", AlertsConfig())
    ((to, got),) = box.mails
    assert "mallory@example.org" not in to
    assert got["Bcc"] is None


def test_a_server_that_says_later_is_tried_again_and_one_that_says_no_is_told_apart(
    plain: Server, box: Box
) -> None:
    """451: later. 554, and recipients that nobody knows: refused. One of two unknown: the other has it, once."""
    box.answers += ["451 try later", "554 no spam here"]
    with pytest.raises(NotTaken, match="451") as later:
        mail.send(sink(plain), message(), "k", AlertsConfig())
    assert not isinstance(later.value, Refused)
    with pytest.raises(Refused, match="554"):
        mail.send(sink(plain), message(), "k", AlertsConfig())
    box.refuses = {"anna@example.org", "bob@example.org"}
    with pytest.raises(Refused, match="every recipient"):
        mail.send(sink(plain), message(), "k", AlertsConfig())
    box.refuses = {"bob@example.org"}
    mail.send(sink(plain), message(), "k", AlertsConfig())
    assert [to for to, _ in box.mails] == [["anna@example.org"]]


def test_no_server_is_said(plain: Server) -> None:
    """Nothing listens: said without a password or an address."""
    gone = sink(plain)
    plain.stop()
    with pytest.raises(NotTaken, match=r"cannot be used \(Connection refused\)"):
        mail.send(gone, message(), "k", AlertsConfig())


def test_a_password_goes_only_through_tls(box: Box, plain: Server, tmp_path: Path, monkeypatch) -> None:
    """Without TLS it is not sent; with TLS of an authority that we trust it is, and a wrong one is said without being shown."""
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    with pytest.raises(NotTaken, match="no TLS"):
        mail.send(sink(plain, user="lockgate", password_file=str(secret)), message(), "k", AlertsConfig())
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*map(str, authority.issue("mail")))

    server = Server(
        box, tls_context=context, require_starttls=True, authenticator=Login(), auth_required=True
    )
    try:
        known = sink(server, user="lockgate", password_file=str(secret))
        with pytest.raises(NotTaken, match="CERTIFICATE"):
            mail.send(known, message(), "k", AlertsConfig())
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
        mail.send(known, message(), "k", AlertsConfig())
        secret.write_text("wrong-8")
        with pytest.raises(NotTaken, match="535") as wrong:
            mail.send(known, message(), "k", AlertsConfig())
    finally:
        server.stop()
    assert len(box.mails) == 1
    assert "wrong-8" not in str(wrong.value)
