"""Models out of a notebook: packaged with their source, or refused with the exact fix. Run as a script, so as `__main__`."""

import json
import subprocess
import sys

import pytest

BEGIN = """
import json, sys
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from lockgate.packing.parcel import pack
from lockgate.errors import LockgateError

LIMIT = 3
rng = np.random.default_rng(0)
X = rng.normal(size=(50, 2)); y = (X[:, 0] > 0).astype(int)

def clip(x):
    return np.clip(x, -LIMIT, LIMIT)

class Base(BaseEstimator):
    def fit(self, X, y=None): return self

class Clip(Base):
    def transform(self, X): return clip(X)

fitted = Pipeline([("c", Clip()), ("l", LogisticRegression())]).fit(X, y)

def with_model(columns):
    return fitted.predict(columns)

def outer():
    def inner(columns): return columns["a"]
    return inner

def predict(columns):
    return clip(columns["a"])
"""
END = """
try:
    parcel = pack(THING)
    said = {"entry": parcel.entry, "code": {k: v.decode() for k, v in parcel.code.items()},
            "name": parcel.name, "body": parcel.body.hex() if parcel.body else None, "main": type(fitted).__module__,
            "still": Clip.__module__}
except LockgateError as error:
    said = {"what": error.what, "fix": error.fix}
print(json.dumps(said))
"""


def packed(tmp_path, thing):
    """What packing one thing of a script says."""
    script = tmp_path / "notebook.py"
    script.write_text(BEGIN + END.replace("THING", thing))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_estimator_with_own_classes(tmp_path):
    """The class, its base, the function and the constant that it uses are written as one module; it loads there."""
    said = packed(tmp_path, "fitted")
    assert said["still"] == "__main__"
    code = said["code"]["notebook_code.py"]
    (tmp_path / "notebook_code.py").write_text(code)
    (tmp_path / "model.joblib").write_bytes(bytes.fromhex(said["body"]))
    load = "import joblib; m = joblib.load('model.joblib'); print(type(m.steps[0][1]).__module__, m.predict([[9., 1.]]))"
    done = subprocess.run(
        [sys.executable, "-c", load], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "notebook_code [1]"


def test_a_function(tmp_path):
    """A function of the notebook becomes `notebook_code:predict` with what it uses."""
    said = packed(tmp_path, "predict")
    assert said["entry"] == "notebook_code:predict"
    space = {}
    exec(said["code"]["notebook_code.py"], space)
    assert list(space["predict"]({"a": [1, 9]})) == [1, 3]


def test_a_plain_estimator_needs_no_code(tmp_path):
    """A model of a library alone is its file."""
    said = packed(tmp_path, "LogisticRegression().fit(X, y)")
    assert (said["name"], said["code"]) == ("model.joblib", {})


@pytest.mark.parametrize(
    ("thing", "what", "fix"),
    [
        ("with_model", "'with_model' uses 'fitted', a Pipeline of your notebook", "make it an attribute of the class"),
        ("lambda c: c", "a lambda cannot be packaged", "def name(...)"),
        ("outer()", "defined inside a function", "move it to the top level"),
        ("Pipeline([('f', FunctionTransformer(lambda x: x)), ('l', LogisticRegression())])", "the model holds <lambda>",
         "write it as a function with def"),
        ("5", "this is no model", "hand in a fitted estimator"),
        ("'nowhere.pkl'", "no such model file", "hand in a fitted estimator"),
    ],
)  # fmt: skip
def test_what_cannot_be_packaged_is_refused_with_the_fix(tmp_path, thing, what, fix):
    """Each refusal names the thing and what to write instead."""
    said = packed(tmp_path, thing)
    assert what in said["what"]
    assert fix in said["fix"]


def test_own_modules_come_along(tmp_path):
    """A function of a project's module brings that module and the one it imports; libraries stay where they are."""
    (tmp_path / "features.py").write_text("import numpy as np\ndef twice(x):\n    return np.multiply(x, 2)\n")
    (tmp_path / "churn.py").write_text(
        "from features import twice\ndef predict(c):\n    return twice(c['a'])\n"
    )
    code = "import churn; from lockgate.packing.parcel import pack; p = pack(churn.predict); print(p.entry, sorted(p.code))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "churn:predict ['churn.py', 'features.py']"
