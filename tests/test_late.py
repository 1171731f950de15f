"""Heavy libraries wait until they are used."""

import subprocess
import sys

import pytest

from lockgate.late import late

HEAVY = (
    "altair",
    "vl_convert",
    "scipy.stats",
    "sklearn",
    "deltalake",
    "onnx",
    "onnxruntime",
    "pyarrow",
    "alembic",
)


def test_a_late_module_is_the_module():
    """Attributes are the module's own; a missing one says so as ever."""
    assert late("json").dumps({"a": 1}) == '{"a": 1}'
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        late("json").nothing  # noqa: B018
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        late("no_such_module").anything  # noqa: B018
    assert not hasattr(late("no_such_module"), "__wrapped__")


def test_the_json_api_starts_without_heavy_libraries():
    """Local verbs import the application: it must not drag in charts, statistics, converters or the archive."""
    code = f"import sys, lockgate.web.app; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
