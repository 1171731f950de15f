"""Settings files: wrong keys and values are refused with line, what was found and what is allowed."""

import math
from pathlib import Path

import pytest

from lockgate.config import Project, ServerConfig
from lockgate.errors import InvalidInput
from lockgate.yamlfile import load_yaml, parse_yaml, read_yaml, schema_of


def refused(text, kind=Project):
    """The error that a text gives."""
    with pytest.raises(InvalidInput) as caught:
        parse_yaml(text, kind, "lockgate.yaml")
    return caught.value


def test_a_model_needs_only_its_name():
    """An empty entry gives every default."""
    project = parse_yaml("models:\n  churn:\n", Project, "x")
    assert project.model("churn").tier == "low"
    assert project.model("unheard of").release.max_days == 7.0


def test_empty_text_is_all_defaults():
    """No text is no mistake."""
    assert parse_yaml("", ServerConfig, "x").gateway.port == 8401


def test_wrong_value_names_line_found_and_allowed():
    """An enum's wrong value: the line within the right model, the value, and all that may stand there."""
    error = refused("models:\n  fraud:\n    tier: low\n  churn:\n    owner: me\n    tier: hihg\n")
    assert "line 6" in error.what
    assert "models.churn.tier" in error.what
    assert (error.got, error.allowed) == ("hihg", "low, medium, high")


def test_wrong_type_deep_inside_names_the_right_entry():
    """Of two models the second is wrong: its line is named although the parser only says 'some entry'."""
    error = refused("models:\n  a:\n    release: {watch_s: 5}\n  b:\n    release:\n      watch_s: soon\n")
    assert "line 6" in error.what
    assert "models.b.release.watch_s" in error.what
    assert error.got == "soon"


def test_unknown_key_is_suggested():
    """A near miss is named, with its line and all keys that are known."""
    error = refused("models:\n  churn:\n    targte: churned\n")
    assert "line 3" in error.what
    assert "unknown key 'targte' at 'models.churn'" in error.what
    assert "did you mean 'target'?" in error.fix
    assert "protected" in error.allowed


def test_unknown_key_at_the_top():
    """The same at the first level, without a place."""
    error = refused("model:\n  churn: {}\n")
    assert "line 1" in error.what
    assert "did you mean 'models'?" in error.fix


def test_item_of_a_list():
    """The line of the item, not of the list."""
    error = refused("models:\n  churn:\n    release:\n      canary:\n        - 5%\n        - 250%\n")
    assert "line 6" in error.what
    assert error.got == "250%"


@pytest.mark.parametrize(
    ("text", "line"), [("models: [1", 1), ("models:\n  - a: b\n c: d\n", 3), ("a: 'x", 1)]
)
def test_not_yaml(text, line):
    """Broken YAML is refused with its line."""
    assert "not valid YAML" in refused(text).what
    assert f"line {line}" in refused(text).what


def test_the_same_key_twice():
    """YAML would keep the last of two without a word."""
    error = refused("models:\n  churn:\n    tier: low\n    tier: high\n")
    assert "line 4" in error.what
    assert "line 3" in error.what


@pytest.mark.parametrize(
    "text", ["gateway: {port: 70000}", "gateway: {workers: 0}", "console: {max_upload_mb: -1}"]
)
def test_limits_of_the_server(text):
    """Numbers outside their range are refused with what was found."""
    error = refused(text, ServerConfig)
    assert "line 1" in error.what
    assert error.got in (70000, 0, -1)


@pytest.mark.parametrize(
    "text", ["7", "- a", "models: 7", "models: {churn: 7}", "? [a]\n: b\n", "!!python/name:os.x ''"]
)
def test_any_shape_gives_an_error_of_ours(text):
    """Whatever stands in the file, it is InvalidInput and nothing else."""
    assert refused(text).what.startswith("lockgate.yaml")


def test_file_that_is_not_text(tmp_path):
    """Bytes that are no UTF-8 are said to be so."""
    path = tmp_path / "lockgate.yaml"
    path.write_bytes(b"\xff\xfe\x00models")
    with pytest.raises(InvalidInput, match="cannot be read as text"):
        read_yaml(path, Project)


def test_schema_for_editors():
    """The schema knows every key, its default and the allowed values, and refuses unknown keys."""
    schema = schema_of(Project, "lockgate.yaml")
    model = schema["$defs"]["ModelConfig"]
    assert model["additionalProperties"] is False
    assert model["properties"]["tier"]["default"] == "low"
    assert schema["$defs"]["Tier"]["enum"] == ["high", "low", "medium"]


def test_words_stay_the_words_that_were_written():
    """`on` is a key and no truth, `no` a country, `12:30` a time and a day a day; truths and numbers are what they look like."""
    assert load_yaml("{on: key, 0: {1: 5, true: 2}, off: y}") == {
        "on": "key",
        "0": {"1": 5, "true": 2},
        "off": "y",
    }
    assert load_yaml("[no, yes, 12:30, 2026-01-31, 1.2.3]") == ["no", "yes", "12:30", "2026-01-31", "1.2.3"]
    assert load_yaml("[true, False, ~, 7, -3, 1_000, 0x1F, 1e3, .5, -.inf]") == [
        True, False, None, 7, -3, 1000, 31, 1000.0, 0.5, -math.inf
    ]  # fmt: skip
    assert load_yaml("[0x_, 0b_, 0o_, 0o17, 017, 0b1_1, 0]") == ["0x_", "0b_", "0o_", 15, 15, 3, 0]
    assert load_yaml("base: &base {on: 1}\nnew: {<<: *base, to: 2}")["new"] == {"on": 1, "to": 2}


def test_what_holds_itself_or_billions_of_values_is_refused():
    """A mapping in itself, ten thousand lists in each other, and thirty lines that stand for ten to the power of 29."""
    assert "line 1: a list or a mapping holds itself" in str(
        refused("models: &all {churn: {parameters: *all}}")
    )
    assert "far too deep" in str(refused("[" * 10_000 + "]" * 10_000))
    names = ["a: &n0 [1]", *(f"k{n}: &n{n} [{', '.join([f'*n{n - 1}'] * 10)}]" for n in range(1, 30))]
    assert "too many values" in str(refused("\n".join(names)))


def test_labels_are_declared_as_their_page_shows():
    """The example of docs/labels.md, letter by letter."""
    text = (Path(__file__).parents[1] / "docs/labels.md").read_text().split("```yaml\n")[1].split("```")[0]
    (model,) = parse_yaml(text, Project, "lockgate.yaml").models.values()
    assert model is not None
    assert (model.labels.on, model.labels.key) == ("key", "customer_id")
