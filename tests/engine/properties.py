"""What must hold of the engine on every made-up world. Tests and the soak run try them on many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from privacy.engine import change as changes
from tests.engine import kinds
from tests.engine.places import TODAY, Identities, Place
from tests.engine.reference import CHANGED, DELETE, OWNED, PART, ROOT, Found, Locator, Row, Verdict, decide, erased
from tests.engine.worlds import PEOPLE, Link, World, describe, worlds

Counted = Counter[str]
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


@st.composite
def persons(draw: st.DrawFn) -> Identities:
    number = draw(st.integers(0, PEOPLE - 1))
    of_kinds = draw(st.sampled_from([("email",), ("email",), ("login",), ("email", "login")]))
    found = {"email": {f"p{number}@example.com"}, "login": {f"L{number}"}}
    if draw(st.integers(0, 7)) == 0:
        found["email"].add(f"p{(number + 1) % PEOPLE}@example.com")
    return {kind: found[kind] for kind in of_kinds}


def by_rule(world: World, person: Identities, answers: Mapping[str, str], counted: Counted) -> tuple[Found, Verdict]:
    found = Locator(world, person).locate()
    verdict = decide(world, found, answers, TODAY)
    counted.update(kinds.of_found(world, found) | kinds.of_verdict(world, verdict))
    return found, verdict


def answers_of(world: World, answer: str | None) -> dict[str, str]:
    return dict.fromkeys(world.tables, answer) if answer else {}


# -- the properties -----------------------------------------------------------------------------------------------------


def found_as_the_rules_say(url: str, counted: Counted, world: World, people: list[Identities]) -> None:
    """Whoever shares the batch."""
    with Place(url, world) as place:
        expected = []
        for identities, holding in zip(people, place.locate(people), strict=True):
            note(f"{identities}")
            roles, contested, others = place.rows_of(holding)
            found = Locator(world, identities).locate()
            assert roles == found.roles
            assert contested == found.contested.keys()
            assert others == found.others
            counted.update(kinds.of_found(world, found))
            expected.append(found)
        counted.update(kinds.of_batch(expected))


def erased_as_the_rules_say(url: str, counted: Counted, world: World, person: Identities, answer: str | None) -> None:
    answers = answers_of(world, answer)
    with Place(url, world) as place:
        before = place.content()
        jobs = place.jobs([person], answers)
        (report,) = place.erase(jobs)
        found, verdict = by_rule(world, person, answers, counted)
        note(f"{person} {verdict} {report}")
        assert bool(report.blocked) == bool(verdict.stopped)
        compare(before, place.content(), erased(world, person, found, verdict))
        copies_are_not_of_the_erased(before, place.content(), world, found, verdict)


def compare(before: Mapping[Row, Any], after: Mapping[Row, Any], expected: Mapping[Row, Any]) -> None:
    assert {*after} & {*before} == {row for row, values in expected.items() if values is not None}
    for row in {*after} & {*before}:
        for column, value in expected[row].items():
            old, new = before[row][column], after[row][column]
            assert (new is None or new != old) if value is CHANGED else new == value, (row, column)


def copies_are_not_of_the_erased(
    before: Mapping[Row, Any], after: Mapping[Row, Any], world: World, found: Found, verdict: Verdict
) -> None:
    """What triggers copied of a person's own rows into a mapped history table has gone too."""
    for row in {*after} - {*before}:
        table = world.tables[row[0]]
        assert table.history_of, f"nothing else makes rows: {row}"
        sources = [other for other in world.everything() if other[0] == table.history_of]
        (source,) = [other for other in sources if all(before[other][c] == after[row][c] for c in ("ten", "id"))]
        own = found.roles.get(source) in (ROOT, OWNED)
        if table.mapped and table.store not in verdict.stopped and own:
            assert verdict.fates.get(source) in (None, PART), (row, source)


def a_batch_ends_as_one_by_one(url: str, counted: Counted, world: World, people: list[Identities], answer: str | None) -> None:
    answers = answers_of(world, answer)
    counted.update(kinds.of_batch([by_rule(world, person, answers, counted)[0] for person in people]))
    numbers = range(len(people))
    with Place(url, world) as place:
        before = place.content()
        together = place.erase(place.jobs(people, answers))
        at_once = shape(before, place.content())[0], [bool(report.blocked) for report in together]

    def apart(order: Sequence[int]) -> Any:
        with Place(url, world) as place:
            jobs = place.jobs(people, answers)
            blocked = {number: bool(place.erase([jobs[number]])[0].blocked) for number in order}
            return shape(before, place.content())[0], [blocked[number] for number in numbers]

    # R27 leaves open who goes first, and those whose rows nobody disputes do: the end is that of one order, mostly the given.
    note(f"{people}\n{together}")
    assert any(at_once == apart(order) for order in permutations(numbers))  # the first is the order given


def shape(before: Mapping[Row, Any], after: Mapping[Row, Any]) -> Any:
    """What became of every value: nobody can foretell a random one. Copies made by triggers count by what they copy."""
    fate = {True: "same", False: "other"}
    known = {
        (row, column): "gone" if row not in after else "null" if after[row][column] is None else fate[after[row][column] == value]
        for row, values in before.items()
        for column, value in values.items()
    }
    return known, {(row[0], values["ten"], values["id"]) for row, values in after.items() if row not in before}


NOTHING = {"deleted": 0, "remaining": 0}


def the_same_again_changes_nothing(
    url: str, counted: Counted, world: World, people: list[Identities], answer: str | None
) -> None:
    """And says so (R23)."""
    answers = answers_of(world, answer)
    for person in people:
        by_rule(world, person, answers, counted)
    with Place(url, world) as place:
        before = place.content()
        jobs = place.jobs(people, answers)
        first = place.erase(jobs)
        after = place.content()
        second = place.erase(jobs)
        note(f"{people}\n{first}\n{second}")
        assert shape(before, place.content()) == shape(before, after)  # a random value may be another one
        for one, two in zip(first, second, strict=True):
            if "contested" in two.blocked and not one.blocked and len(people) > 1:
                continue  # the erasure of another changed whose rows are whose: what is new is asked about (R29)
            if one.blocked and not two.blocked and len(people) > 1:
                continue  # the erasure of another took what stood in the way
            assert bool(one.blocked) == bool(two.blocked)
            for name, counts in one.collections.items() if not one.blocked else ():
                if world.tables[name].history_of:
                    continue  # copies come and go with every change
                # Nothing: others' rows, to which no row leads any more.
                again = two.collections.get(name, NOTHING)
                more = unplanned(counts, again) if len(people) > 1 else 0
                told_again(counts, again, keyed=bool(world.tables[name].key), unplanned=more)


def unplanned(counts: Mapping[str, Any], again: Mapping[str, Any]) -> int:
    """How many rows more are accounted for than were planned. In a batch a row becomes one's own on the way: what others were
    known by was taken from it, so it is no longer known as theirs, and in a later wave, or the second time, it goes or stays
    with who points at it. No plan of theirs holds it, and what is gone is told as planned rows less those that stand (R19)."""
    told = counts["deleted"] + counts["anonymized"] + sum(kept["rows"] for kept in counts["kept"]) + counts["remaining"]
    told += counts.get("erased_earlier", 0) + counts.get("no_longer_theirs", 0)
    return max(0, told - counts["rows"]) + max(0, counts.get("others", 0) - again.get("others", 0))


def told_again(counts: Mapping[str, Any], again: Mapping[str, Any], *, keyed: bool, unplanned: int) -> None:
    """What was erased by the job itself, or before it by another of the same person in its batch, is named as erased earlier.
    A row from which the person's identity was taken, without a key of its own or shared, is no longer known as theirs."""
    assert again["deleted"] == 0
    assert again["remaining"] <= counts["remaining"]  # a row may be contested no more, when what spoke against it went
    gone = min(counts["deleted"], counts["rows"]) + counts.get("erased_earlier", 0)
    unsure = counts["anonymized"] + (0 if keyed else sum(kept["rows"] for kept in counts["kept"]))
    unsure += counts["remaining"] - again["remaining"]  # contested then, and erased since for whom they are
    assert gone - unplanned <= again.get("erased_earlier", 0) <= gone + unsure


def as_if_never_there(url: str, counted: Counted, world: World, person: Identities, answer: str | None) -> None:
    """Without the person the stores would hold the same but for what the plan said would stay."""
    answers = answers_of(world, answer)
    by_rule(world, person, answers, counted)
    with Place(url, world) as place:
        fates, before = place.fates(person, answers), place.content()
        (report,) = place.erase(place.jobs([person], answers))
        after = place.content()
        note(f"{person} {fates} {report}")
        if report.blocked:
            counted["blocked"] += 1
            return
        theirs = brought_in(world, person, {row for row, fate in fates.items() if fate in ("stay", PART)})
        for row, values in before.items():
            if row in theirs:
                assert row not in after or fates.get(row) in ("keep", "anonymize", "stay", PART), row
            elif fates.get(row) not in ("keep", "anonymize", PART):
                assert row in after, row
                same_but_for_links(world, row, values, after)


def brought_in(world: World, person: Identities, contested: set[Row]) -> set[Row]:
    """The rows that would not be there without the person: theirs, what hangs below them, and what nobody else points at."""
    locator, others = Locator(world, person), set[Row]()
    while True:
        theirs, referred = owned_by(locator, contested, others), set[Row]()
        while True:
            up = [link for link in locator.links if link.refers or link.nature]
            more = {parent for link in up for row in theirs | referred for parent in upwards(locator, link, row)}
            if more <= theirs | referred | others:
                break
            referred |= more - theirs - others
        shared = {row for row in referred if not pointing_at(locator, row) <= theirs | referred}
        shared |= {row for row in theirs - others if jointly_owned_with(locator, row, theirs - contested)}
        if not shared:
            return theirs | referred
        others |= shared


def owned_by(locator: Locator, contested: set[Row], others: set[Row]) -> set[Row]:
    """What hangs below the person's rows, and below what they own jointly with nobody that is not theirs, too."""
    theirs = set(locator.roots)
    while True:
        own = theirs - contested
        more = {row for link in locator.links if link.owns for owner in own for row in below(locator, link, owner)}
        more |= {row for link in locator.links if link.nature for member in own for row in locator.parents(link, member)} - others
        if more <= theirs:
            return theirs
        theirs |= more


def below(locator: Locator, link: Link, owner: Row) -> list[Row]:
    return locator.children(link, owner) if owner[0] == link.parent else []


def jointly_owned_with(locator: Locator, row: Row, own: set[Row]) -> bool:
    """Whether a row that is the property of all who point at it is somebody else's too; a person's roots are theirs anyhow."""
    joint = [link for link in locator.links if link.nature and link.parent == row[0]]
    return row not in locator.roots and any(not {*locator.children(link, row)} <= own for link in joint)


def upwards(locator: Locator, link: Link, row: Row) -> list[Row]:
    return [parent for parent in locator.parents(link, row) if not locator.stranger(parent)] if row[0] == link.child else []


def pointing_at(locator: Locator, row: Row) -> set[Row]:
    return {child for link in locator.world.links if link.parent == row[0] for child in locator.children(link, row)}


def same_but_for_links(world: World, row: Row, values: Mapping[str, Any], after: Mapping[Row, Any]) -> None:
    """What pointed at somebody who is gone may have let go, where the map says so, and nothing else."""
    loose = {
        column
        for link in world.links
        if link.child == row[0] and link.mapped and link.set_null
        for column in link.columns
        if any(parent not in after for parent in Locator(world, {}).parents(link, row))
    }
    for column, value in values.items():
        assert after[row][column] == value or (column in loose and after[row][column] is None), (row, column)


def bystanders_stay_as_they_are(url: str, counted: Counted, world: World, person: Identities, table: int) -> None:
    """Byte for byte, after every action (R20)."""
    found, verdict = by_rule(world, person, {}, counted)
    own = {*found.roles} - {*found.contested}
    name = sorted(t.name for t in world.tables.values() if t.mapped)[table % sum(t.mapped for t in world.tables.values())]
    with Place(url, world) as place:
        before = place.bytes()

        def unchanged(rows: set[Row], what: str) -> None:
            after = place.bytes()
            assert {row: after.get(row) for row in rows} == {row: before[row] for row in rows}, what

        others = {*before} - own
        restricted = place.change(person, changes.restrict)
        unchanged(others, "restrict")
        flags = place.content()
        assert all(flags[row]["flag"] == 1 for row in own)
        place.change(person, changes.lift, state={key: report.state for key, report in restricted.items()})
        unchanged({*before}, "lift")
        place.change(person, changes.stop_marketing)
        unchanged(others, "object")
        place.change(person, changes.rectify(NOW, today=TODAY), values={f"{name}.note": {"new": "corrected"}})
        unchanged(others, "rectify")
        place.erase(place.jobs([person], {}))
        let_go = {
            child
            for link in world.links
            if link.mapped and link.set_null
            for row, fate in verdict.fates.items()
            if fate == DELETE
            for child in Locator(world, {}).children(link, row)
        }
        unchanged(others - let_go - {row for row, fate in verdict.fates.items() if fate == PART}, "erase")


def a_batch_of_changes_ends_as_one_by_one(url: str, counted: Counted, world: World, people: list[Identities], table: int) -> None:
    """Restrict, lift, object and rectify (R27): the rows byte for byte, and what is told of them.

    Where triggers keep history, the copies of one's change may make a row contested for the next, who is asked (R29): those
    worlds say nothing here.
    """
    if any(table.history_of for table in world.tables.values()):
        return
    counted.update(kinds.of_batch([Locator(world, person).locate() for person in people]))
    name = sorted(t.name for t in world.tables.values() if t.mapped)[table % sum(t.mapped for t in world.tables.values())]
    values = {f"{name}.note": {"new": "corrected"}}
    ways = [changes.restrict, changes.lift, changes.stop_marketing, changes.rectify(NOW, today=TODAY)]

    def carried_out(*, together: bool) -> list[Any]:
        seen: list[Any] = []
        with Place(url, world) as place:
            jobs = place.changing(people, values=values)
            for how in ways:
                batches = [jobs] if together else [[job] for job in jobs]
                reports = [report for batch in batches for report in place.change_all(batch, how)]
                seen.append(([{key: (r.collections, r.blocked) for key, r in one.items()} for one in reports], place.bytes()))
                if how is changes.restrict:
                    remembered = [
                        {key: replace(job[key], state=r[key].state) for key in job} for job, r in zip(jobs, reports, strict=True)
                    ]
                    jobs = remembered
        return seen

    at_once, apart = carried_out(together=True), carried_out(together=False)
    note(f"{people}\n{at_once}\n{apart}")
    assert at_once == apart


def only_made(url: str, counted: Counted, world: World, people: list[Identities], answer: str | None) -> None:
    """Nothing is tried; what the worlds contain is counted."""
    counted.update(kinds.of_batch([by_rule(world, person, answers_of(world, answer), counted)[0] for person in people]))


# -- trying them --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Property:
    check: Callable[..., None]
    given: Mapping[str, Any]


ANSWERS = st.sampled_from([None, None, "keep", "redact", "anonymize"])
PROPERTIES = {
    prop.check.__name__: prop
    for prop in (
        Property(found_as_the_rules_say, {"people": st.lists(persons(), min_size=1, max_size=4)}),
        Property(erased_as_the_rules_say, {"person": persons(), "answer": ANSWERS}),
        Property(a_batch_ends_as_one_by_one, {"people": st.lists(persons(), min_size=2, max_size=4), "answer": ANSWERS}),
        Property(the_same_again_changes_nothing, {"people": st.lists(persons(), min_size=1, max_size=3), "answer": ANSWERS}),
        Property(only_made, {"people": st.lists(persons(), min_size=2, max_size=4), "answer": ANSWERS}),
        Property(as_if_never_there, {"person": persons(), "answer": ANSWERS}),
        Property(bystanders_stay_as_they_are, {"person": persons(), "table": st.integers(0, 9)}),
        Property(
            a_batch_of_changes_ends_as_one_by_one,
            {"people": st.lists(persons(), min_size=2, max_size=4), "table": st.integers(0, 9)},
        ),
    )
}


def attempt(name: str, *, url: str, seed: int, count: int, shrink: bool = False) -> Counted:
    """Try a property on `count` worlds; the same seed makes the same worlds. What they contained, and "cases"."""
    counted: Counted = Counter()
    prop = PROPERTIES[name]

    def check(case: dict[str, Any]) -> None:
        counted["cases"] += 1
        note(describe(case["world"]))
        prop.check(url, counted, **case)

    given_cases = given(case=st.fixed_dictionaries({"world": worlds(), **prop.given}))(check)
    seeded(seed)(examples(count, shrink=shrink, derandomize=False)(given_cases))()
    return counted


def examples(count: int, *, shrink: bool = False, derandomize: bool = True) -> settings:
    """Making a failing world small takes minutes, so it is left to who asks for it."""
    return settings(
        max_examples=count,
        database=None,
        derandomize=derandomize,
        deadline=None,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
