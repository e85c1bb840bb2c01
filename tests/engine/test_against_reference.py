"""What the engine finds and what it leaves behind, on made-up worlds: against the rules carried out by brute force, and against
what must hold whatever the rules are.

INSYN_SHRINK=1 makes a failing world small, which takes minutes. `make soak` tries many more.
"""

import os
from collections import Counter

import pytest

from tests.engine.properties import attempt

PARTS = range(4)  # for as many processes
CASES = {  # 4 × 550 in all
    "found_as_the_rules_say": 100,
    "erased_as_the_rules_say": 125,
    "a_batch_ends_as_one_by_one": 80,
    "the_same_again_changes_nothing": 70,
    "as_if_never_there": 75,
    "bystanders_stay_as_they_are": 75,
    "a_batch_of_changes_ends_as_one_by_one": 25,
}


LEAST = {  # persons, over all parts, to whose rows it mattered
    "owned by two": 20,
    "pointed at by others": 20,
    "another's identity": 40,
    "shared in a batch": 20,
    "pinned": 30,
    "part taken out": 6,
    "composite key": 30,
    "composite keys with a shared column": 15,
    "zero or empty part of a key": 20,
    "polymorphic": 5,
    "self-reference": 10,
    "joint": 20,
    "history by trigger": 7,
    "history by trigger, unmapped": 7,
    "cascade": 2,
    "without a key": 20,
    "across stores": 15,
    "kept by law": 50,
    "kept along": 5,
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", CASES)
def test_on_made_up_worlds(engine_database: str, name: str, part: int) -> None:
    counted = attempt(name, url=engine_database, seed=part, count=CASES[name], shrink=bool(os.environ.get("INSYN_SHRINK")))
    assert counted["cases"] >= CASES[name]


def test_the_worlds_are_of_every_kind() -> None:
    """Those that a batch is tried on, made once more and looked at; the other properties get as many of every kind."""
    counted = Counter[str]()
    for part in PARTS:
        counted += attempt("only_made", url="", seed=part, count=CASES["a_batch_ends_as_one_by_one"])
    assert {kind: counted[kind] for kind in LEAST if counted[kind] < LEAST[kind]} == {}, counted
