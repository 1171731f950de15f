"""The process that looks for causes of alerts and carries their messages; where the database is away it waits, and says so."""

from __future__ import annotations

import sys

from lockgate.services.serving import serve
from lockgate.wiring.alerting import alerts_service, patient_house

if __name__ == "__main__":
    sys.exit(serve(alerts_service, opened=patient_house))
