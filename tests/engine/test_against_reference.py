"""What the engine finds and what it leaves behind, against the rules carried out by brute force on made-up worlds.

INSYN_EXAMPLES=2000 tries as many worlds, other ones each time; INSYN_SHRINK=1 makes a failing one small, which takes minutes.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.engine.places import TODAY, Identities, Place
from tests.engine.reference import CHANGED, Locator, Row, decide, erased
from tests.engine.worlds import PEOPLE, World, describe, worlds

MORE = int(os.environ.get("INSYN_EXAMPLES", "0"))


def examples(count: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=MORE or count,
        derandomize=not MORE,
        deadline=None,
        phases=[Phase.generate, *([Phase.shrink] if os.environ.get("INSYN_SHRINK") else [])],
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def persons(draw: st.DrawFn) -> Identities:
    number = draw(st.integers(0, PEOPLE - 1))
    kinds = draw(st.sampled_from([("email",), ("email",), ("login",), ("email", "login")]))
    found = {"email": {f"p{number}@example.com"}, "login": {f"L{number}"}}
    if draw(st.integers(0, 7)) == 0:
        found["email"].add(f"p{(number + 1) % PEOPLE}@example.com")
    return {kind: found[kind] for kind in kinds}


@examples(120)
@given(world=worlds(), people=st.lists(persons(), min_size=1, max_size=4))
def test_what_is_found_is_what_the_rules_say_whoever_shares_the_batch(
    engine_database: str, world: World, people: list[Identities]
) -> None:
    note(describe(world))
    with Place(engine_database, world) as place:
        for identities, holding in zip(people, place.locate(people), strict=True):
            note(f"{identities}")
            roles, contested, others = place.rows_of(holding)
            expected = Locator(world, identities).locate()
            assert roles == expected.roles
            assert contested == expected.contested.keys()
            assert others == expected.others


@examples(120)
@given(world=worlds(), person=persons(), answer=st.sampled_from([None, None, "keep", "redact", "anonymize"]))
def test_an_erasure_leaves_what_the_rules_say(engine_database: str, world: World, person: Identities, answer: str | None) -> None:
    note(describe(world))
    with Place(engine_database, world) as place:
        answers = dict.fromkeys(world.tables, answer) if answer else {}
        before = place.content()
        (job,) = place.jobs([person], answers)
        (report,) = place.erase([job])
        found = Locator(world, person).locate()
        verdict = decide(world, found, answers, TODAY)
        note(f"{person} {verdict} {report}")
        assert bool(report.blocked) == verdict.stopped
        compare(before, place.content(), erased(world, person, found, verdict))


def compare(before: Mapping[Row, Any], after: Mapping[Row, Any], expected: Mapping[Row, Any]) -> None:
    assert after.keys() == {row for row, values in expected.items() if values is not None}
    for row, values in after.items():
        for column, value in expected[row].items():
            old = before[row][column]
            if value is CHANGED:
                assert values[column] is None or values[column] != old, (row, column)
            else:
                assert values[column] == value, (row, column)


@examples(100)
@given(world=worlds(), people=st.lists(persons(), min_size=2, max_size=4), answer=st.sampled_from([None, None, "anonymize"]))
def test_a_batch_ends_as_one_by_one(engine_database: str, world: World, people: list[Identities], answer: str | None) -> None:
    note(describe(world))
    answers = dict.fromkeys(world.tables, answer) if answer else {}
    with Place(engine_database, world) as place:
        before = place.content()
        together = place.erase(place.jobs(people, answers))
        at_once = shape(before, place.content())
    with Place(engine_database, world) as place:
        jobs = place.jobs(people, answers)
        apart = [report for job in jobs for report in place.erase([job])]
        note(f"{people}\n{together}\n{apart}")
        assert at_once == shape(before, place.content())
    assert [bool(report.blocked) for report in together] == [bool(report.blocked) for report in apart]


NOTHING = {"deleted": 0, "remaining": 0}


def shape(before: Mapping[Row, Any], after: Mapping[Row, Any]) -> Any:
    """What became of every value: nobody can foretell a random one."""
    fate = {True: "same", False: "other"}
    return {
        (row, column): "gone" if row not in after else "null" if after[row][column] is None else fate[after[row][column] == value]
        for row, values in before.items()
        for column, value in values.items()
    }


@examples(80)
@given(world=worlds(), people=st.lists(persons(), min_size=1, max_size=3), answer=st.sampled_from([None, "anonymize"]))
def test_the_same_again_changes_nothing_and_says_so(
    engine_database: str, world: World, people: list[Identities], answer: str | None
) -> None:
    note(describe(world))
    with Place(engine_database, world) as place:
        jobs = place.jobs(people, dict.fromkeys(world.tables, answer) if answer else {})
        before = place.content()
        first = place.erase(jobs)
        after = place.content()
        second = place.erase(jobs)
        note(f"{people}\n{first}\n{second}")
        assert shape(before, place.content()) == shape(before, after)  # a random value may be another one
        for one, two in zip(first, second, strict=True):
            if "contested" in two.blocked and not one.blocked and len(people) > 1:
                continue  # the erasure of another changed whose rows are whose: what is new is asked about (R29)
            assert bool(one.blocked) == bool(two.blocked)
            for name, counts in one.collections.items() if not one.blocked else ():
                again = two.collections.get(name, NOTHING)  # somebody else's rows, to which nothing leads any more
                assert again["deleted"] == 0
                assert again["remaining"] == counts["remaining"]
                # What was erased by the job itself, or before it by another of the same person in this batch. A row from which
                # the person's identity was taken may no longer be known as theirs.
                gone = counts["deleted"] + counts.get("erased_earlier", 0)
                assert gone <= again.get("erased_earlier", 0) <= gone + counts["anonymized"]
