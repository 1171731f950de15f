"""What `lockgate doctor` finds, tried on this very machine."""

import socket

from lockgate.config import CONFIG_NAME
from lockgate.wiring.machine import examine


def test_everything_is_tried(home):
    """Each part is named, and model code was really run confined."""
    found = {}
    for probe in examine(home):
        found.setdefault(probe.name, []).append(probe)
    assert {"Python", "home folder", "disk", "database", "model code", "uv"} <= found.keys()
    assert any("environment variables" in probe.detail for probe in found["model code"])


def test_a_taken_port_is_named(home):
    """Somebody else on the console's port: which, and the option that chooses another."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (home.root / CONFIG_NAME).write_text(f"console: {{port: {port}}}\ngateway: {{port: 0}}\n")
        bad = [probe for probe in examine(home) if probe.name == f"port {port}"]
    assert [probe.good for probe in bad] == [False]
    assert "--port" in bad[0].detail
