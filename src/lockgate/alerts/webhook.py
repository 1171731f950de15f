"""A message as signed JSON to an HTTP address, as the Standard Webhooks specification (standardwebhooks.com, 1.0) says.

Three headers: `webhook-id` is the message's key, the same at every attempt; `webhook-timestamp` the second of this attempt;
`webhook-signature` `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`. A receiver checks all three and refuses old ones.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec

from lockgate.alerts.telling import Message
from lockgate.alerts.trouble import NotTaken, Refused, never_taken, secret_of
from lockgate.alerts.words import body_text, runbook_link, subject_line, title
from lockgate.clock import SECOND_US, iso
from lockgate.config_alerts import AlertsConfig, WebhookSink
from lockgate.late import late

if TYPE_CHECKING:
    import httpx
else:
    httpx = late("httpx")

TIMEOUT_S = 15.0
PREFIX = "whsec_"  # how the specification writes a secret: the rest is base64


def send(sink: WebhookSink, message: Message, key: str, config: AlertsConfig, now_us: int) -> None:
    """One attempt. Raises NotTaken, and Refused when the receiver will never take it."""
    url = sink.url or secret_of(sink.url_file, "url_file")
    body = msgspec.json.encode(payload(message, key, config))
    headers = {"content-type": "application/json", "user-agent": "lockgate", "webhook-id": key}
    headers["webhook-timestamp"] = str(now_us // SECOND_US)
    if sink.secret_file is not None:
        secret = secret_of(sink.secret_file, "secret_file")
        headers["webhook-signature"] = signature(secret, key, headers["webhook-timestamp"], body)
    try:
        with httpx.stream("POST", url, content=body, headers=headers, timeout=TIMEOUT_S) as answer:
            status = answer.status_code  # what else it says is not read
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotTaken(_words(error)) from None  # the error holds the address, which may be a secret
    if 200 <= status < 300:
        return
    if never_taken(status):
        raise Refused(f"it answered {status}")
    raise NotTaken(f"it answered {status}")


def signature(secret: str, key: str, timestamp: str, body: bytes) -> str:
    """What proves that a message is ours and fresh. Raises NotTaken for a secret that is none.

    >>> signature("whsec_c2VjcmV0", "m1", "1700000000", b"{}")
    'v1,6a2BS7tv4ywWskEzv65tBIvuQ6lMqhUAxIXRZuEx1t4='
    """
    known = _decoded(secret.removeprefix(PREFIX)) if secret.startswith(PREFIX) else secret.encode()
    signed = hmac.new(known, f"{key}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def payload(message: Message, key: str, config: AlertsConfig) -> dict[str, object]:
    """What the JSON says: the words, and every alert as values for programs."""
    return {
        "id": key,
        "type": "lockgate.alerts",
        "timestamp": iso(message.at_us),
        "data": {
            "subject": subject_line(message),
            "text": body_text(message, config.console, config.runbooks),
            "severity": message.severity,
            "group": message.group,
            "alerts": [
                {
                    "news": notice.news, "id": notice.alert.id, "fingerprint": notice.alert.fingerprint,
                    "kind": notice.alert.kind, "model": notice.alert.model, "subject": notice.alert.subject,
                    "severity": notice.alert.severity, "state": notice.alert.state, "title": title(notice.alert),
                    "words": notice.alert.words, "next": notice.alert.next, "since": iso(notice.alert.first_us),
                    "runbook": runbook_link(notice.alert, config.console, config.runbooks),
                }
                for notice in message.notices
            ],
        },
    }  # fmt: skip


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:  # its words say how much of the secret could be read
        raise NotTaken(
            f"the file that 'secret_file' in config.yaml names holds no base64 after '{PREFIX}'"
        ) from None


def _words(error: Exception) -> str:
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (httpx.ConnectTimeout, "no connection in time"),
        (httpx.TimeoutException, f"no answer within {TIMEOUT_S:g} s"),
        (httpx.ConnectError, "nothing listens there, or the name is not known"),
        (httpx.InvalidURL, "what is set is no address"),
    )
    return next(
        (words for kind, words in kinds if isinstance(error, kind)),
        f"the connection failed ({type(error).__name__})",
    )
