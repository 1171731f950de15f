"""The house rules that a linter does not know: sizes, names, empty packages, pins."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = sorted((ROOT / "src" / "lockgate").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "core"}
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 300, 40


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file, nested ones too."""
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of what it does: after the signature (a verb's options stand there) and the docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    steps = function.body[1:] if documented else function.body
    return (function.end_lineno or 0) - steps[0].lineno + 1 if steps else 0


def test_files_are_short() -> None:
    """No source file is longer than 300 lines."""
    long = {
        str(p.relative_to(ROOT)): n for p in SOURCE if (n := len(p.read_text().splitlines())) > MOST_LINES
    }
    assert not long


def test_functions_are_short() -> None:
    """No function is longer than 40 lines."""
    long = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}: {size}"
        for path in SOURCE
        if "migrations" not in path.parts
        for function in functions(path)
        if (size := body_lines(function)) > MOST_LINES_OF_A_FUNCTION
    ]
    assert not long


def test_names_say_something() -> None:
    """No file or folder is called utils, helpers, common and the like."""
    vague = [p for p in SOURCE if NAMES_THAT_SAY_NOTHING & {*p.relative_to(ROOT / "src").parts, p.stem}]
    assert not vague


def test_packages_are_empty() -> None:
    """Every __init__.py is empty; the root one alone names the public words."""
    full = [
        p for p in SOURCE if p.name == "__init__.py" and p.parent.name != "lockgate" and p.read_text().strip()
    ]
    assert not full


def test_every_test_has_a_sentence() -> None:
    """Each test says in a docstring what it shows."""
    silent = [
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}"
        for path in TESTS
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not silent


def test_own_modules_are_imported_at_the_top() -> None:
    """No function imports a part of lockgate, except the command line's lazy table of verbs."""
    hidden = []
    for path in SOURCE:
        if path.parts[-2:] in {("cli", "main.py"), ("lockgate", "__init__.py")}:
            continue
        for function in functions(path):
            for node in ast.walk(function):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
                hidden += [
                    f"{path.relative_to(ROOT)}:{function.lineno}"
                    for n in names
                    if n.split(".")[0] == "lockgate"
                ]
    assert not hidden


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda p: p.name)
def test_pins_are_hashed_and_name_no_address(path: Path) -> None:
    """Every pin carries hashes, no requirement file names a host or torch."""
    text = path.read_text()
    pins = re.findall(r"^([a-z0-9_.-]+)(?:\[[^]]*\])?==", text, re.M)
    assert pins
    assert text.count("==") >= len(pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
    assert "torch" not in pins
