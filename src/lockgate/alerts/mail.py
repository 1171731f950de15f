"""A message as a mail, by the standard library. TLS is begun wherever the server offers it, and required with a password."""

from __future__ import annotations

import logging
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import urlsplit

from lockgate.alerts.telling import Message, News
from lockgate.alerts.trouble import NotTaken, Refused, secret_of
from lockgate.alerts.words import body_text, subject_line
from lockgate.config_alerts import AlertsConfig, EmailSink, Severity

TIMEOUT_S = 20.0
PORTS = {"smtp": 25, "smtps": 465}
DOMAIN = "alerts.lockgate"
_log = logging.getLogger(__name__)


def send(sink: EmailSink, message: Message, key: str, config: AlertsConfig) -> None:
    """One attempt. Raises NotTaken, and Refused when the server will never take it (its 5xx answers)."""
    address = urlsplit(sink.smtp)
    host, port = address.hostname or "", address.port or PORTS[address.scheme]
    mail = compose(sink, message, key, config)
    try:
        with _connect(address.scheme, host, port) as server:
            _secure(server, sink, plain=address.scheme == "smtp")
            unknown = server.send_message(mail)
    except smtplib.SMTPResponseException as error:
        kind = Refused if 500 <= error.smtp_code < 600 and error.smtp_code != 535 else NotTaken
        raise kind(f"the mail server answered {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        kind = Refused if min(codes) >= 500 else NotTaken
        raise kind(f"the mail server refuses every recipient ({', '.join(map(str, codes))})") from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotTaken(f"the mail server cannot be used ({_kind(error)})") from None
    if unknown:  # the others have it; sending again would give it to them twice
        _log.warning(
            "the mail server refuses %d of %d recipients; the others have it", len(unknown), len(sink.to)
        )


def compose(sink: EmailSink, message: Message, key: str, config: AlertsConfig) -> EmailMessage:
    """The mail. Its id is the message's key, so a mail that came twice is one; mails of one alert hang together."""
    mail = EmailMessage()
    mail["Subject"] = " ".join(subject_line(message).split())
    mail["From"], mail["To"] = sink.sender, ", ".join(sink.to)
    mail["Message-ID"] = f"<{key}@{DOMAIN}>"
    first = message.notices[0].alert
    mail["References"] = f"<alert-{first.id}-{first.first_us}@{DOMAIN}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.severity is Severity.CRITICAL and message.notices[0].news is not News.OVER:
        mail["Importance"] = "high"
    mail.set_content(body_text(message, config.console, config.runbooks))
    return mail


def _connect(scheme: str, host: str, port: int) -> smtplib.SMTP:
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=TIMEOUT_S)


def _secure(server: smtplib.SMTP, sink: EmailSink, *, plain: bool) -> None:
    server.ehlo()
    if plain and server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
        server.ehlo()
        plain = False
    if sink.user is None:
        return
    if plain:
        raise NotTaken("the mail server offers no TLS, so the password is not sent")
    server.login(sink.user, secret_of(sink.password_file, "password_file"))


def _kind(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else type(error).__name__
