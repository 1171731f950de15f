"""Models in another language: a program that speaks the frames of docs/runner-protocol.md, described by its runner file."""

from __future__ import annotations

from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework

HANDLER = Handler(framework=Framework.COMMAND, title="command", distributions=())
