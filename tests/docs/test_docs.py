"""The documentation is true: every `lockgate ...` line names a verb, a command and options that exist."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer

from lockgate.cli.main import VERBS, _with_default

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINE = re.compile(r"(?:^|`|\$ |\()(lockgate [a-z][^`\n#|;)]*)", re.M)


def lines():
    """Every command in the pages, with where it stands."""
    found = []
    for page in PAGES:
        if not page.exists():
            continue
        for match in LINE.finditer(page.read_text()):
            text = match[1].strip()
            if re.match(r"lockgate [a-z-]+( |$)", text) and " is " not in text and " are " not in text:
                found.append(pytest.param(text, id=f"{page.name}: {text[:60]}"))
    return found


@pytest.mark.parametrize("line", lines())
def test_every_command_exists(line):
    """The verb, its command and each option are known; words that are cut off (`...`) are left out."""
    try:
        words = shlex.split(line.replace("...", ""))
    except ValueError:
        words = line.replace("...", "").split()
    name, rest = words[1], [word.rstrip(",.:") for word in words[2:]]
    if name == "VERB" or (name not in VERBS and not re.fullmatch(r"[a-z-]+", name)):
        pytest.skip("a placeholder")
    assert name in VERBS, f"there is no verb '{name}'"
    verb = VERBS[name]
    app = importlib.import_module(f"lockgate.cli.{verb.module}").app
    command = typer.main.get_command(app)
    if verb.command is not None:
        command = command.commands[verb.command]
    elif hasattr(command, "commands"):
        if verb.default is not None:
            rest = _with_default(rest, set(command.commands), verb.default)
        if not rest:
            return
        assert rest[0].split("|")[0] in command.commands, f"'{name}' has no command '{rest[0]}'"
        command = command.commands[rest[0].split("|")[0]]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--home"}
    for word in rest:
        if word.startswith("-") and not re.fullmatch(r"-+", word):
            assert word.split("=")[0] in known, f"'{name}' has no option {word}"
