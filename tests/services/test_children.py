"""The processes behind a box: which there are, and that each starts with what it needs and no more."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from lockgate.services.children import ALWAYS, children
from lockgate.supervisor import Child


def _children(home: Path, *, with_events: bool = False) -> dict[str, Child]:
    found = children(home, host="127.0.0.1", port=1, with_events=with_events)
    return {child.name: child for child in found}


def test_every_service_is_a_module_that_takes_a_home_folder(tmp_path: Path) -> None:
    """What the supervisor starts is there to be started, and is told which box is meant."""
    for child in _children(tmp_path, with_events=True).values():
        assert importlib.util.find_spec(child.argv[child.argv.index("-m") + 1])
        assert child.argv[-2:] == ("--home", str(tmp_path))


def test_models_are_trained_again_by_a_process_of_every_box(tmp_path: Path) -> None:
    """It is looked after like the others."""
    assert {"console", "retraining"} <= _children(tmp_path).keys()


def test_events_are_sent_on_by_a_process_where_the_settings_name_a_receiver(tmp_path: Path) -> None:
    """Without one there is no such process to look after."""
    assert _children(tmp_path, with_events=True).keys() - _children(tmp_path).keys() == {"events"}


@pytest.mark.parametrize("name", ["events", "archiver"])
def test_a_service_does_not_import_the_work_of_the_others(name: str) -> None:
    """A start of all of them on one core is the sum of what they import."""
    others = [f"lockgate.services.{other}" for other in ALWAYS if other != name]
    others += ["lockgate.wiring.retrain", "lockgate.wiring.alerting", "lockgate.release.controller"]
    code = f"import sys, lockgate.services.{name}; print(*[one for one in {others!r} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
