"""Whom the facts call undisputed, the judge would find the same rows of, in the same roles, with nothing against them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from privacy.engine.contested.undisputed import Undisputed
from privacy.engine.erasure.erase import subject_of
from privacy.engine.holding import Holding
from privacy.engine.locate.search import locate
from tests.engine.places import Identities, Place
from tests.engine.properties import examples, persons, shape
from tests.engine.worlds import World, describe, worlds


@contextmanager
def judged() -> Iterator[None]:
    """Within, everybody is judged group by group."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Undisputed, "among", lambda graph, *_: Undisputed(graph, frozenset(), {}))
        yield


def plain(holding: Holding) -> object:
    groups = {node: {v: (m.count, m.role, m.reasons) for v, m in found.items()} for node, found in holding.members.items()}
    return groups, holding.others


@examples(100)
@given(world=worlds(), people=st.lists(persons(), min_size=1, max_size=4))
def test_the_judge_agrees(engine_database: str, world: World, people: list[Identities]) -> None:
    note(describe(world))
    with Place(engine_database, world) as place:
        found = place.locate(people)
        with judged():
            expected = place.locate(people)
        for ours, theirs in zip(found, expected, strict=True):
            assert plain(ours) == plain(theirs)


@examples(60)
@given(world=worlds(), people=st.lists(persons(), min_size=1, max_size=3), first=st.integers(0, 2))
def test_the_judge_agrees_on_what_a_plan_leads_to_after_others_were_erased(
    engine_database: str, world: World, people: list[Identities], first: int
) -> None:
    note(describe(world))
    with Place(engine_database, world) as place:
        jobs = place.jobs(people, {})
        place.erase(jobs[: first % len(jobs) + 1])

        def look() -> Sequence[Holding]:
            found: list[Holding] = []
            for key, store in place.stores.items():
                subjects = [subject_of(place.graph, job[key].identities, job[key].plan, job[key].answers) for job in jobs]
                with store.read() as session:
                    found += locate(place.graph, {key: session}, subjects)
            return found

        found = look()
        with judged():
            expected = look()
        for ours, theirs in zip(found, expected, strict=True):
            assert plain(ours) == plain(theirs)


@examples(50)
@given(world=worlds(), person=persons())
def test_an_erasure_ends_the_same(engine_database: str, world: World, person: Identities) -> None:
    note(describe(world))
    ends = []
    for slowly in (False, True):
        with Place(engine_database, world) as place:
            before = place.content()
            jobs = place.jobs([person], {})
            if slowly:
                with judged():
                    reports = place.erase(jobs)
            else:
                reports = place.erase(jobs)
            ends.append((shape(before, place.content()), reports))
    assert ends[0] == ends[1]
