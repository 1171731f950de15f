"""The command line itself: help, unknown verbs, errors and exit statuses."""

import importlib
import subprocess
import sys

import pytest

from lockgate.cli.main import VERBS, _take_home, _with_default, help_text


def test_help_names_every_verb(lockgate):
    """`lockgate --help` in a fresh Python."""
    done = lockgate("--help")
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name in VERBS)


def test_help_is_quick():
    """Nothing is imported but three files of lockgate and the standard library: that takes some 0.1 s."""
    code = "import sys, lockgate.cli.main as m; m.main(['--help']); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    foreign = {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names
    assert {name for name in foreign if not name.startswith("_")} == {"lockgate"}, foreign
    assert sum(name.startswith("lockgate.") for name in loaded) <= 5
    assert len(loaded) < 150


def test_no_words_is_help(lockgate):
    """A bare `lockgate` says what there is."""
    assert lockgate().stdout.strip() == help_text().strip()


def test_unknown_verb_is_suggested(lockgate):
    """A near miss is named, with exit status 2."""
    done = lockgate("submitt")
    assert done.returncode == 2
    assert "did you mean 'lockgate submit'?" in done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(lockgate, verb):
    """Each verb explains itself, and its file exists."""
    done = lockgate(verb, "--help")
    assert done.returncode == 0, done.stderr
    assert f"Usage: lockgate {verb}" in done.stdout


def test_wrong_option_is_a_sentence(lockgate):
    """Usage errors have exit status 2 and no traceback."""
    done = lockgate("key", "list", "--nope")
    assert done.returncode == 2
    assert "No such option: --nope" in done.stderr
    assert "Traceback" not in done.stderr


def test_home_may_stand_anywhere(lockgate, tmp_path):
    """`--home` before or behind the verb names the folder for this call."""
    for words in (
        ("--home", str(tmp_path / "a"), "key", "create"),
        ("key", "create", f"--home={tmp_path / 'b'}"),
    ):
        assert lockgate(*words).returncode == 0
    assert (tmp_path / "a" / "lockgate.db").exists()
    assert (tmp_path / "b" / "lockgate.db").exists()
    assert lockgate("person", "--home").returncode == 2


def test_a_mistyped_home_is_said(lockgate, tmp_path):
    """Looking at a home that is not there: exit status 4, what to do, and nothing is made."""
    done = lockgate("--home", str(tmp_path / "hme"), "status")
    assert done.returncode == 4
    assert "there is no lockgate home at" in done.stderr
    assert not (tmp_path / "hme").exists()


def test_home_that_cannot_be_made(lockgate, tmp_path):
    """A file where the folder should be: exit status 7 and what to do."""
    (tmp_path / "file").write_text("")
    done = lockgate("--home", str(tmp_path / "file" / "home"), "key", "create")
    assert done.returncode == 7
    assert "cannot be written" in done.stderr
    assert "--home or LOCKGATE_HOME" in done.stderr


def test_wrong_config_is_named_by_line(lockgate, tmp_path):
    """A mistake in config.yaml stops every verb with its line."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.yaml").write_text("gateway:\n  prot: 1\n")
    done = lockgate("person")
    assert done.returncode == 2
    assert "line 2" in done.stderr
    assert "did you mean 'port'?" in done.stderr


def test_nobody_at_the_address(lockgate):
    """A server that is not there: exit status 7, and which address."""
    done = lockgate("person", url="http://127.0.0.1:9", key="lg_x")
    assert done.returncode == 7
    assert "no lockgate answers at http://127.0.0.1:9" in done.stderr


def test_address_without_a_key(lockgate):
    """LOCKGATE_URL alone names nobody: exit status 3."""
    done = lockgate("person", url="http://127.0.0.1:9")
    assert done.returncode == 3
    assert "LOCKGATE_KEY" in done.stderr


def test_default_command_of_a_group():
    """What is no command of the group goes to its default."""
    known = {"start", "status"}
    assert _with_default(["churn/3", "--reason", "x"], known, "start") == [
        "start",
        "churn/3",
        "--reason",
        "x",
    ]
    assert _with_default(["status", "churn"], known, "start") == ["status", "churn"]
    assert _with_default(["--help"], known, "start") == ["--help"]


def test_words_are_left_alone_without_home(monkeypatch):
    """Only --home is taken out of the words."""
    monkeypatch.setenv("LOCKGATE_HOME", "before")
    assert _take_home(["log", "churn", "--where", "a = 1"]) == ["log", "churn", "--where", "a = 1"]


@pytest.mark.parametrize("verb", [name for name, verb in VERBS.items() if verb.default is not None])
def test_a_group_s_commands_are_told_from_its_default(verb):
    """Whatever a group offers is called by its name, and never taken for a word to its default command."""
    app = importlib.import_module(f"lockgate.cli.{VERBS[verb].module}").app
    names = {command.name for command in app.registered_commands}
    assert None not in names
    assert VERBS[verb].default in names
