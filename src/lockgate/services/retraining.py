"""The process that trains models again by itself where their settings ask for it."""

from __future__ import annotations

import sys

from lockgate.services.serving import serve
from lockgate.wiring.retrain_service import retrain_service

if __name__ == "__main__":
    sys.exit(serve(retrain_service))
