"""Opening a home: made ready when new, the same afterwards; keys published as they change."""

import subprocess
import sys

import pytest

from lockgate.access import may_call
from lockgate.config import Home, Tier
from lockgate.errors import Unauthorized
from lockgate.governance.keys import create_key, revoke_key
from lockgate.governance.people import grants_of, list_people
from lockgate.governance.policy import current_policy
from lockgate.wiring.house import account_of, open_house


def test_a_new_home_has_its_owner_and_policies(tmp_path, clock):
    """Folders, schema, the first person as admin, number 1 of every policy; opening again changes nothing."""
    for _ in range(2):
        house = open_house(Home(tmp_path / "home"), clock)
        with house.db.read() as tx:
            assert [person.id for person in list_people(tx)] == [account_of(house.home)]
            assert [(g.role, g.model) for g in grants_of(tx)] == [("admin", "*")]
            assert all(current_policy(tx, tier).number == 1 for tier in Tier)
        house.close()


def test_keys_are_published_as_they_change(tmp_path, clock):
    """A new key may call at once, a revoked one no longer."""
    house = open_house(Home(tmp_path / "home"), clock)
    with house.db.write() as tx:
        key, row = create_key(tx, house.owner, label="", by=house.owner, at_us=0)
    house.publish_access()
    assert may_call(house.access.latest(), key, "churn") == house.owner.id
    word = house.access.word()
    house.publish_access()
    assert house.access.word() == word  # nothing changed, nothing published
    with house.db.write() as tx:
        revoke_key(tx, row.id, by=house.owner, at_us=1)
    house.publish_access()
    with pytest.raises(Unauthorized):
        may_call(house.access.latest(), key, "churn")
    house.close()


def test_a_snapshot_that_was_lost_is_published_at_the_next_start(tmp_path, clock):
    """Killed between the change and its publication: opening puts it right."""
    house = open_house(Home(tmp_path / "home"), clock)
    with house.db.write() as tx:
        key, _ = create_key(tx, house.owner, label="", by=house.owner, at_us=0)
    house.close()
    house = open_house(Home(tmp_path / "home"), clock)
    assert may_call(house.access.latest(), key, "churn") == house.owner.id
    house.close()


def test_two_processes_open_a_new_home_at_once(tmp_path):
    """One owner, one chain, no error."""
    code = "import sys; from lockgate.config import Home; from pathlib import Path; "
    code += "from lockgate.wiring.house import open_house; open_house(Home(Path(sys.argv[1]))).close()"
    words = [sys.executable, "-c", code, str(tmp_path / "home")]
    both = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [(p.communicate()[1], p.returncode) for p in both] == [("", 0)] * 3
    house = open_house(Home(tmp_path / "home"))
    with house.db.read() as tx:
        assert len(list_people(tx)) == 1
    house.close()
