"""People, grants, keys, policies and audit through the command line: owner, colleague, stranger."""

import json
import sqlite3


def key_of(lockgate, name, *roles):
    """Enter a person with roles and return a key of theirs."""
    assert lockgate("person", "add", name).returncode == 0
    for role in roles:
        assert lockgate("grant", name, *role.split()).returncode == 0
    return lockgate("key", "create", name).stdout.splitlines()[0]


def test_the_owner_is_the_first_person(lockgate):
    """A new home has one person, its owner, who is admin of everything."""
    assert lockgate("key", "create").returncode == 0
    people = json.loads(lockgate("person", "list", "--json").stdout)
    assert [each["roles"][0]["role"] for each in people] == ["admin"]


def test_a_key_is_the_person(lockgate):
    """A colleague with a key acts as themselves: what they may not do is refused with exit status 3 and what to do."""
    key = key_of(lockgate, "anna", "viewer")
    done = lockgate("grant", "anna", "admin", key=key)
    assert done.returncode == 3
    assert "anna may not add people" in done.stderr
    assert "anna is viewer on every model" in done.stderr


def test_a_wrong_and_a_revoked_key(lockgate):
    """A key that nobody has, and one that was revoked, are refused alike."""
    key = key_of(lockgate, "anna", "auditor")
    assert lockgate("audit", key=key).returncode == 0
    number = json.loads(lockgate("key", "list", "anna", "--json").stdout)[0]["id"]
    assert lockgate("key", "revoke", str(number)).returncode == 0
    assert lockgate("audit", key=key).returncode == 3
    assert lockgate("audit", key="lg_nobody").returncode == 3


def test_a_key_with_a_limit_says_so(lockgate):
    """Made with a rate, shown in the list, changed, and given the default again; a wrong rate is exit status 2."""
    assert lockgate("key", "create", "--rate", "6000/min", "--burst", "200").returncode == 0
    row = json.loads(lockgate("key", "list", "--json").stdout)[0]
    assert (row["rate_per_s"], row["burst"]) == (100.0, 200)
    assert "100/s, burst 200" in lockgate("key", "list").stdout
    assert "30/min" in lockgate("key", "limit", str(row["id"]), "--rate", "0.5/s").stdout
    assert "default" in lockgate("key", "limit", str(row["id"])).stdout
    wrong = lockgate("key", "create", "--rate", "many")
    assert wrong.returncode == 2
    assert "as in 100/s" in wrong.stderr


def test_a_deactivated_person(lockgate):
    """Their key stops to work, and works again when they are activated."""
    key = key_of(lockgate, "anna", "auditor")
    lockgate("person", "deactivate", "anna")
    assert lockgate("audit", key=key).returncode == 3
    lockgate("person", "activate", "anna")
    assert lockgate("audit", key=key).returncode == 0


def test_the_last_admin_stays(lockgate):
    """Taking the only admin's role away is a conflict, exit status 5."""
    assert lockgate("key", "create").returncode == 0
    owner = json.loads(lockgate("person", "list", "--json").stdout)[0]["person"]["id"]
    done = lockgate("grant", owner, "admin", "--revoke")
    assert done.returncode == 5
    assert "last admin" in done.stderr


def test_policies(lockgate):
    """A policy is shown, changed with a reason, and its history kept."""
    assert lockgate("policy", "set", "low", "approvals=1", "--reason", "two pairs of eyes").returncode == 0
    history = json.loads(lockgate("policy", "show", "low", "--json").stdout)
    assert [each["policy"]["approvals"] for each in history] == [1, 0]
    assert "low/2" in lockgate("policy").stdout
    wrong = lockgate("policy", "set", "low", "aprovals=1", "--reason", "x")
    assert wrong.returncode == 2
    assert "must_pass" in wrong.stderr
    key = key_of(lockgate, "anna", "builder")
    assert lockgate("policy", "set", "low", "approvals=0", "--reason", "x", key=key).returncode == 3


def test_audit_verify_finds_a_changed_row(lockgate, tmp_path):
    """A whole chain is exit status 0; a row changed behind our back is named, exit status 6."""
    key_of(lockgate, "anna")
    whole = lockgate("audit", "verify")
    assert (whole.returncode, whole.stdout.split(":")[0]) == (0, "whole")
    with sqlite3.connect(tmp_path / "home" / "lockgate.db") as database:
        database.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 5")
    broken = lockgate("audit", "verify")
    assert broken.returncode == 6
    assert "row 5 was changed" in broken.stdout


def test_audit_rows(lockgate):
    """Rows are found by subject and by the beginning of their tag."""
    key_of(lockgate, "anna", "viewer")
    rows = json.loads(lockgate("audit", "show", "anna", "--action", "people:role", "--json").stdout)
    assert [(row["action"], row["details"]["role"]) for row in rows] == [("people:role:granted", "viewer")]
