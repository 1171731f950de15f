"""Requirements are exact pins."""

from importlib import metadata

import pytest

from lockgate.errors import InvalidInput, Unavailable
from lockgate.submission.lock import completed, pins_from, pins_of_distributions, pins_of_globals


def test_pins_hashes_and_comments() -> None:
    """Pins stay, with their hashes and markers; comments and empty lines go."""
    text = (
        "# made by hand\nnumpy==2.4.6 \\\n    --hash=sha256:00ff\n\nscikit-learn[tests]==1.9.1  # why\n"
        "torch==2.13.0+cpu ; python_version > '3'\n"
    )
    assert pins_from(text) == (
        "numpy==2.4.6 --hash=sha256:00ff",
        "scikit-learn[tests]==1.9.1",
        "torch==2.13.0+cpu ; python_version > '3'",
    )


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy>=2",
        "numpy==2.*",
        "-r more.txt",
        "--index-url https://x.org",
        "a @ file:///x",
        "git+https://x",
        "numpy==1 --config=x",
    ],
)
def test_what_is_not_a_pin_is_refused(line: str) -> None:
    """Ranges, options, files and addresses could be something else tomorrow."""
    with pytest.raises(InvalidInput):
        pins_from(line)


def test_the_fix_names_the_version_of_this_machine() -> None:
    """For a library that is installed the error holds the line to write."""
    with pytest.raises(InvalidInput, match=f"numpy=={metadata.version('numpy')}"):
        pins_from("numpy>=1")


def test_pins_of_what_a_model_uses() -> None:
    """The distributions behind dotted names, and what those need, with this environment's versions; lockgate is none."""
    pins = dict(
        line.split("==") for line in pins_of_globals(["sklearn.linear_model._logistic.LogisticRegression"])
    )
    assert pins["scikit-learn"] == metadata.version("scikit-learn")
    assert {"numpy", "scipy", "joblib", "threadpoolctl"} <= pins.keys()
    assert "pytest" not in pins
    assert pins_of_distributions({"b": "2", "A": "1", "lockgate": "0.1", "pip": "9"}) == ("A==1", "b==2")


def test_short_lists_are_completed_from_this_environment() -> None:
    """Pins that this process has bring its own versions of what they need; hashed ones are complete already."""
    here = f"scikit-learn=={metadata.version('scikit-learn')}"
    pins = dict(line.split("==") for line in completed((here,), ""))
    assert pins["joblib"] == metadata.version("joblib")
    assert {"scikit-learn", "numpy", "threadpoolctl"} <= pins.keys()
    assert completed((f"{here} --hash=sha256:00ff",), "") == (f"{here} --hash=sha256:00ff",)
    assert completed((), "") == ()


def test_short_lists_are_completed_by_uv() -> None:
    """Pins of other versions than this process has are resolved; two that do not go together are named."""
    found = completed(("jinja2==3.1.5",), "3.11")
    assert "jinja2==3.1.5" in found
    assert any(line.startswith("markupsafe==") for line in found)
    with pytest.raises(Unavailable, match="markupsafe"):
        completed(("jinja2==3.1.5", "markupsafe==1.0"), "3.11")
