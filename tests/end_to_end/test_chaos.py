"""Three kills of one search, each at a boundary of a write; `make chaos` has many more."""

import random
import shutil
from dataclasses import replace
from itertools import count

import pytest

from tests.chaos.rows import Undisturbed
from tests.chaos.searches import GRACE, Home, Plan, events_in
from tests.chaos.subject import Subject

#: Halving pauses its trials at marks: checkpoints are written there, however slow the disk or fast the processor is.
PLAN = Plan(samples=6, epochs=8, slots=1, scheduler="halving")
INLINE = replace(PLAN, engine="inline")


@pytest.fixture
def home():
    made = Home()
    yield made
    assert made.close(GRACE) == []
    shutil.rmtree(made.folder)


@pytest.mark.slow
@pytest.mark.timeout(900)  # three starts of Ray, which took a minute each on a slow machine
def test_kills_at_boundaries_of_a_write_lose_nothing_and_change_nothing_in_the_end(home):
    """On Ray, one slot; undisturbed, and from the last kill to the end, without it: that makes no difference either."""
    home.launch("undisturbed", INLINE).finish()
    path = home.ledger("undisturbed")
    subject = Subject(
        home=home,
        name="killed",
        plan=PLAN,
        undisturbed=Undisturbed(path.parent, events_in(path)),
        rng=random.Random(0),
        number=count(1).__next__,
        say=print,
        part="drivers",
    )
    assert subject.kill_driver("line on disk, before the answer", most=2)
    assert subject.kill_driver("checkpoint half written", most=2)
    assert subject.kill_driver("line on disk, before the older checkpoint goes")
    subject.plan = INLINE
    rows = subject.finish()
    assert len(rows) == 3
    assert [row for row in rows if not row.good] == []
    assert all(row.running for row in rows)
