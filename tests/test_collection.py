"""The order of a whole run, and who imports what of it first."""

import itertools

from tests.collection import SPREAD_OVER, TESTS, in_order, share_of


def test_long_files_are_spread_over_the_first_half():
    """Most tests first; a long file comes after every so many others, and keeps its place among the long ones."""
    short = {TESTS / f"stats/{number}.py": 10 - number for number in range(8)}
    long = {TESTS / "cli/few.py": 1, TESTS / "system/many.py": 20}
    ordered = in_order({**long, **short})
    assert [path for path in ordered if path in short] == list(short)
    assert [ordered.index(path) for path in reversed(long)] == [0, 1 + SPREAD_OVER * len(short) / len(long)]


def test_files_outside_of_the_tests_are_ordered_too():
    """Examples in the source stand among the others; nothing is lost."""
    outside = TESTS.parent / "src/lockgate/cli/main.py"
    assert in_order({outside: 1, TESTS / "cli/one.py": 1, TESTS / "a.py": 5}) == [
        TESTS / "cli/one.py",
        TESTS / "a.py",
        outside,
    ]
    assert in_order({}) == []


def test_each_module_is_the_share_of_one_process():
    """Three processes import all test modules, none of them twice."""
    shares = [share_of(worker, 3) for worker in range(3)]
    assert sorted(itertools.chain(*shares)) == share_of(0, 1)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
