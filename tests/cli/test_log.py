"""How the log is shown to people: what matters first, as many inputs as fit."""

from lockgate.cli.log import _print

ROW = {
    "at": "2026-01-02T03:04:05",
    "id": "a1",
    "version": 3,
    "status": 200,
    "out.prediction": 1,
    "out.probability": [0.25, 0.75],
}


def test_answers_come_before_inputs_and_wide_tables_are_cut(capsys, monkeypatch):
    """Forty inputs do not fit into 100 columns: the answers stand first, and it says how to see the rest."""
    monkeypatch.setenv("COLUMNS", "100")
    _print([{**ROW, **{f"in.column_{n}": n / 3 for n in range(40)}}])
    shown = capsys.readouterr()
    head = shown.out.splitlines()[0]
    assert head.index("OUT.PREDICTION") < head.index("IN.COLUMN_0")
    assert len(head) < 120
    assert "[0.25, 0.75]" in shown.out
    assert "more inputs: --json shows all" in shown.err


def test_times_and_errors_are_short(capsys, monkeypatch):
    """A time is shown to the second, an error by its first sixty characters."""
    monkeypatch.setenv("COLUMNS", "200")
    _print([{**ROW, "at": "2026-01-02T03:04:05.678901+00:00", "error": "x" * 100}])
    shown = capsys.readouterr().out
    assert "2026-01-02 03:04:05 " in shown
    assert "x" * 57 + "..." in shown
    assert "x" * 58 not in shown


def test_a_narrow_table_is_whole(capsys, monkeypatch):
    """Two inputs fit, and nothing is said about more."""
    monkeypatch.setenv("COLUMNS", "160")
    _print([{**ROW, "in.age": 40, "in.plan": "basic"}])
    shown = capsys.readouterr()
    assert "IN.AGE" in shown.out
    assert "IN.PLAN" in shown.out
    assert shown.err == ""


def test_no_rows_say_so(capsys):
    """An empty answer is a sentence, not an empty table."""
    _print([])
    assert capsys.readouterr().out == "no predictions found\n"
