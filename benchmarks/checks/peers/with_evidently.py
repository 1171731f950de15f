"""evidently's preset for drift of a table, its defaults and its own tests of them."""

from evidently import Report
from evidently.presets import DataDriftPreset


def named(before, after):
    """Columns whose own test fails."""
    tests = Report([DataDriftPreset()], include_tests=True).run(after, before).dict()["tests"]
    return [
        test["metric_config"]["params"]["column"]
        for test in tests
        if test["id"] == "drift" and str(test["status"]).endswith("FAIL")
    ]


def work(before, after):
    """The whole report."""
    Report([DataDriftPreset()]).run(after, before).dict()
