"""A message to Slack, Teams, Discord and whatever else the library Apprise reaches. It is an extra: `lockgate[alerts]`."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from lockgate.alerts.telling import Message
from lockgate.alerts.trouble import NotTaken, Refused, never_taken, secret_of
from lockgate.alerts.words import markdown_text, subject_line, uncalling
from lockgate.config_alerts import AlertsConfig, ServiceSink, Severity
from lockgate.late import late

if TYPE_CHECKING:
    import apprise
else:
    apprise = late("apprise")

_KINDS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
_STATUS = re.compile(r"error=(\d{3})")


def send(sink: ServiceSink, message: Message, config: AlertsConfig) -> None:
    """One attempt. Raises NotTaken, and Refused where the status that the library tells says that it will never be taken."""
    address = secret_of(sink.url_file, "url_file")
    try:
        # no pictures or names of others: readers' chats would fetch them from elsewhere
        plain = apprise.AppriseAsset(
            app_id="lockgate", app_desc="lockgate", image_url_mask="", image_url_logo=""
        )
        messenger = apprise.Apprise(asset=plain)
    except ImportError:
        raise NotTaken("Apprise is not installed: pip install 'lockgate[alerts]'") from None
    said = _Said()
    library = logging.getLogger("apprise")  # its own words hold addresses: they go nowhere but through _Said
    library.addFilter(said)
    try:
        if not messenger.add(address):
            raise NotTaken(
                "the file that 'url_file' in config.yaml names holds no address that Apprise knows"
            )
        kind = "success" if message.is_over else _KINDS[message.severity]
        taken = messenger.notify(
            title=uncalling(subject_line(message)),
            body=markdown_text(message, config.console, config.runbooks),
            body_format="markdown",
            notify_type=kind,
        )
    finally:
        library.removeFilter(said)
    if taken:
        return
    if said.status is None:
        raise NotTaken("the service could not be reached")
    kind_of = Refused if never_taken(int(said.status)) else NotTaken
    raise kind_of(f"the service answered {said.status}")


class _Said(logging.Filter):
    """Lets nothing through that the library says, and keeps the one thing that is told on: the status that a service answered."""

    def __init__(self) -> None:
        super().__init__()
        self.status: str | None = None

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the status out of what is said."""
        found = _STATUS.search(record.getMessage())
        if found:
            self.status = found[1]
        return False
