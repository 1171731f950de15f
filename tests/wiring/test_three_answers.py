"""The three answers of every state that a model can be in: true, short, and what a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.registry.store import get_model
from lockgate.wiring.alerting import Watch
from lockgate.wiring.house import House, open_house
from lockgate.wiring.inventory import standing_of
from lockgate.wiring.summary import Health, summary_of

from .states import STATES, fill

ASKED = "In the last 24 hours 3,000 requests: none failed, 95 % of answers took at most 4.01 ms."
ALIKE = "Inputs and answers of the newest 2,400 rows look as in its validation."
UNCOMPARED = "Its inputs were not compared with those of its validation yet."
UNLABELLED = "Whether the answers are right is not known: no labels came."
NOBODY = "No request came in the last 24 hours."
MOVED = "income moved up since 2023-11-13: half of its values are above 52,000, where it was 41,000."
AT_REST = "Nothing is planned: the newest version is live. A change begins when somebody submits one."
ALL_WELL = " answers, and nothing that lockgate watches is wrong."


class Answers(NamedTuple):
    """What is said of one state."""

    health: Health
    well: str
    known_by: str
    next: str
    waits_for: str


EXPECTED = {
    "empty": Answers(
        Health.UNKNOWN,
        ("Nothing answers yet: no version is live."),
        (f"{NOBODY}"),
        ("A first version is awaited: lockgate submit FILE --name empty."),
        "",
    ),
    "unvalidated": Answers(
        Health.UNKNOWN,
        ("Nothing answers yet: no version is live."),
        (f"{NOBODY}"),
        (
            "unvalidated/1 may not be released: its package was not validated; lockgate validate unvalidated/1."
        ),
        "unvalidated/1 to pass its checks",
    ),
    "first-watch": Answers(
        Health.WELL,
        (f"It is well: first-watch/1{ALL_WELL}"),
        (f"{ASKED} {UNCOMPARED} {UNLABELLED}"),
        ("first-watch/1 has all callers, is watched, and goes on by itself: 22 hours of the watch are left."),
        "",
    ),
    "unasked": Answers(
        Health.UNKNOWN,
        ("unasked/1 is ready, and nobody asked it in the last 24 hours."),
        (f"{NOBODY}"),
        (f"{AT_REST}"),
        "",
    ),
    "unreleased": Answers(
        Health.WELL,
        (f"It is well: unreleased/3{ALL_WELL}"),
        (f"{ASKED} {UNCOMPARED} {UNLABELLED}"),
        ("unreleased/4 is here and not live; its release waits for a person: lockgate release unreleased."),
        "a release of unreleased/4",
    ),
    "loading": Answers(
        Health.WELL,
        (f"It is well: loading/3{ALL_WELL}"),
        (f"{ASKED} {UNCOMPARED} {UNLABELLED}"),
        ("loading/4 is being loaded and goes on by itself: 1 of 2 workers has loaded it."),
        "",
    ),
    "shadow": Answers(
        Health.WELL,
        (f"It is well: shadow/3{ALL_WELL}"),
        (f"{ASKED} {ALIKE} {UNLABELLED}"),
        (
            "shadow/4 is in shadow, where no caller sees its answers, and goes on by itself: 320 of 500 requests "
            "are scored."
        ),
        "",
    ),
    "queued": Answers(
        Health.WELL,
        (f"It is well: queued/3{ALL_WELL}"),
        (f"{ASKED} {ALIKE} {UNLABELLED}"),
        (
            "queued/4 is in shadow, where no caller sees its answers, and goes on by itself: 320 of 500 requests "
            "are scored. queued/5 waits for it to end."
        ),
        "",
    ),
    "canary": Answers(
        Health.WELL,
        (f"It is well: canary/3{ALL_WELL}"),
        (f"{ASKED} {UNCOMPARED} {UNLABELLED}"),
        (
            "canary/4 is in canary with 5 % of callers and goes on by itself: stage 2: 410 of 1,000 canary "
            "requests."
        ),
        "",
    ),
    "held": Answers(
        Health.LOOK,
        (
            "Somebody should look: a release is held and waits for a person: held/4, release 13. held/3 answers."
        ),
        (f"{ASKED} {UNCOMPARED} {UNLABELLED}"),
        (
            "held/4 is held and goes on only when a person resumes it: answers shifted: 40 % more are positive."
        ),
        "a person to resume or roll back held/4",
    ),
    "waived": Answers(
        Health.WELL,
        (f"It is well: waived/4{ALL_WELL}"),
        (
            f"{ASKED} {UNCOMPARED} {UNLABELLED} Checks that spoke against it were waived: performance (ann, the old one is worse"
            " still)."
        ),
        (AT_REST),
        "",
    ),
    "labelled": Answers(
        Health.WELL,
        (f"It is well: labelled/3{ALL_WELL}"),
        (f"{ASKED} {ALIKE} By the newest 2,300 labels accuracy is 0.86 (0.85 to 0.87)."),
        (f"{AT_REST}"),
        "",
    ),
    "late-labels": Answers(
        Health.WELL,
        (f"It is well: late-labels/3{ALL_WELL}"),
        (
            f"{ASKED} {ALIKE} By the newest 2,300 labels accuracy is 0.86 (0.85 to 0.87). Labels are still to "
            "come for the newest 2,400 rows; by its scores accuracy is estimated at 0.86 there (0.84 to 0.88)."
        ),
        (f"{AT_REST}"),
        "",
    ),
    "unlabelled": Answers(
        Health.WELL,
        (f"It is well: unlabelled/3{ALL_WELL}"),
        (f"{ASKED} {ALIKE} {UNLABELLED}"),
        (f"{AT_REST}"),
        "",
    ),
    "estimated": Answers(
        Health.WELL,
        (f"It is well: estimated/3{ALL_WELL}"),
        (
            f"{ASKED} {ALIKE} No labels came for the newest 2,400 rows; by its scores accuracy is estimated at "
            "0.85 there (0.83 to 0.87)."
        ),
        (f"{AT_REST}"),
        "",
    ),
    "estimated-worse": Answers(
        Health.LOOK,
        ("Somebody should look: it is expected to perform worse than promised. estimated-worse/3 answers."),
        (
            f"{ASKED} {ALIKE} Estimated, no labels yet: accuracy of estimated-worse/3 is expected to be 0.78 "
            "(0.76 to 0.8) since 2023-11-13, where its validation said 0.86."
        ),
        ("A person has to act: labels of some of these rows would tell for sure."),
        "a person",
    ),
    "worse": Answers(
        Health.TROUBLE,
        ("It is not well: it performs worse than promised. worse/3 answers."),
        (
            f"{ASKED} {ALIKE} Accuracy of worse/3 is 0.78 since 2023-11-13 (0.77 to 0.79), where its validation "
            "said 0.86."
        ),
        ("A person has to act: retrain on newer labels."),
        "a person",
    ),
    "failing": Answers(
        Health.TROUBLE,
        (
            "It is not well: 100 % of the 90 requests to failing/3 since 2023-11-14 21:43 UTC failed, the last "
            "at 2023-11-14 22:13 UTC."
        ),
        (
            f"In the last 24 hours 3,000 requests: 3 % failed, 95 % of answers took at most 4.01 ms. {ALIKE} "
            f"{UNLABELLED}"
        ),
        (
            "A person has to act: see what failed: lockgate log failing --where 'status >= 500'; where the "
            "version before answered such requests, lockgate rollback failing."
        ),
        "a person",
    ),
    "slow": Answers(
        Health.LOOK,
        ("Somebody should look: answers are slow. slow/3 answers."),
        (
            "In the last 24 hours 3,000 requests: none failed, 95 % of answers took at most 301 ms. 100 % of the "
            f"300 answers of slow/3 since 2023-11-14 20:33 UTC took longer than 100 ms. {ALIKE} {UNLABELLED}"
        ),
        (
            "A person has to act: see whether a processor or the memory is at its end, or requests wait "
            "(lockgate top); give it more processes (replicas), or take away what else runs there."
        ),
        "a person",
    ),
    "drifted": Answers(
        Health.LOOK,
        ("Somebody should look: the data drift in a way that matters. drifted/3 answers."),
        (f"{ASKED} {MOVED} {UNLABELLED}"),
        ("A person has to act: ask whether its source changed."),
        "a person",
    ),
    "retraining": Answers(
        Health.LOOK,
        ("Somebody should look: the data drift in a way that matters. retraining/3 answers."),
        (f"{ASKED} {MOVED} {UNLABELLED}"),
        (
            "It is being trained again by itself: income moved up. What comes out answers callers only if it is "
            "better on the same rows, passes its checks and its release."
        ),
        "",
    ),
    "refused": Answers(
        Health.LOOK,
        (
            "Somebody should look: 'refused' should be trained again (income moved up), and its data are not "
            "fit: income is missing in 40 % of the rows. refused/3 answers. Besides, 1 more alert is open."
        ),
        (f"{ASKED} {MOVED} {UNLABELLED}"),
        ("A person has to act: mend the data, or add a version of them; it begins by itself then."),
        "a person",
    ),
    "rolled-back": Answers(
        Health.LOOK,
        (
            "Somebody should look: a release was rolled back: rolled-back/4, release 26. rolled-back/3 answers."
        ),
        (f"{ASKED} {UNCOMPARED} {UNLABELLED}"),
        (
            "A person has to act: read the evidence on the release's page, mend the model, submit it again; "
            "lockgate status rolled-back."
        ),
        "a version after rolled-back/4",
    ),
    "first-rolled-back": Answers(
        Health.TROUBLE,
        ("It is not well: a release was rolled back: first-rolled-back/1, release 27. Nothing answers."),
        (f"{NOBODY}"),
        (
            "A person has to act: read the evidence on the release's page, mend the model, submit it again; "
            "lockgate status first-rolled-back."
        ),
        "a version after first-rolled-back/1",
    ),
    "erased": Answers(
        Health.WELL,
        (f"It is well: erased/3{ALL_WELL}"),
        (f"{ASKED} {UNCOMPARED} {UNLABELLED}"),
        (f"{AT_REST}"),
        "",
    ),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home with a model in every state, and alerts as the service makes them in a minute and a half."""
    clock = FakeClock(1_700_000_000_000_000)
    opened = open_house(Home(tmp_path_factory.mktemp("states") / "home"), clock)
    fill(opened)
    watch = Watch(opened, owner="test")
    for _ in range(4):
        watch.tick()
        clock.sleep(30)
    yield opened
    opened.close()


@pytest.mark.parametrize("state", STATES)
def test_a_person_who_sees_only_the_console_can_tell(house: House, state: str) -> None:
    """Is it well, how do we know, what happens next, and who has to act."""
    now_us = house.clock.now_us()
    with house.db.read() as tx:
        found = summary_of(tx, standing_of(tx, get_model(tx, state), now_us), now_us)
    assert Answers(found.health, found.well, found.known_by, found.next, found.waits_for) == EXPECTED[state]
