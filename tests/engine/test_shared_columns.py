"""Two keys between the same two tables that share a column, a tenant's: each may be walked as it says itself (R6)."""

from dataclasses import replace
from typing import Any

import pytest

from tests.engine.making import dataset
from tests.engine.places import Place
from tests.engine.test_resuming import ANNA, PLAIN, row
from tests.engine.worlds import Link, Table, World


def tickets(owner_at: str, approver_at: str, *, enforced: bool) -> World:
    """A ticket is its owner's; its approver is only referred to."""
    columns = {**PLAIN, "ten": "int"}
    return World(
        {
            "person": Table("person", {**columns, "email": "text"}, ("ten", "id"), identities=("email",)),
            "ticket": Table("ticket", {**columns, "owner_id": "int", "approver_id": "int"}, ("id",)),
        },
        (
            Link(
                "ticket",
                ("ten", "owner_id"),
                "person",
                ("ten", "id"),
                enforced=enforced,
                stated_at=owner_at,
                direction=FROM[owner_at],
            ),
            Link(
                "ticket",
                ("ten", "approver_id"),
                "person",
                ("ten", "id"),
                enforced=enforced,
                stated_at=approver_at,
                direction=FROM[{"child": "parent", "parent": "child"}[approver_at]],
            ),
        ),
        {
            "person": (row(0, ten=0, email="anna@example.com"), row(1, ten=0, email="bo@example.com")),
            "ticket": (
                row(0, ten=0, owner_id=0, approver_id=1),
                row(1, ten=0, owner_id=None, approver_id=0),
            ),
        },
    )


FROM = {"child": "from", "parent": "to"}  # how an end says that the child is the parent's


@pytest.mark.parametrize("enforced", [False, True])
@pytest.mark.parametrize("approver_at", ["child", "parent"])
@pytest.mark.parametrize("owner_at", ["child", "parent"])
def test_the_ticket_that_somebody_approved_is_not_theirs(
    engine_database: str, owner_at: str, approver_at: str, enforced: bool
) -> None:
    with Place(engine_database, tickets(owner_at, approver_at, enforced=enforced)) as place:
        walked = {link.child_columns: (link.owns, link.refers) for link in place.graph.links}
        assert walked == {("ten", "owner_id"): (True, False), ("ten", "approver_id"): (False, True)}
        assert len(place.graph.links) == 2
        (holding,) = place.locate([ANNA])
        roles, contested, others = place.rows_of(holding)
        assert set(roles) == {("person", 0), ("ticket", 0)}
        assert not contested
        assert others == {("person", 1)}  # who approved hers
        (report,) = place.erase(place.jobs([ANNA], {}))
        assert not report.blocked
        assert ("ticket", 0) not in place.content()
        assert ("ticket", 1) in place.content()


@pytest.mark.parametrize("owner_at", ["child", "parent"])
def test_a_live_key_of_which_the_file_mentions_but_the_column_of_another_is_not_mapped(
    engine_database: str, owner_at: str
) -> None:
    world = tickets(owner_at, "child", enforced=True)
    owner, approver = world.links
    with Place(engine_database, World(world.tables, (owner, replace(approver, mapped=False)), world.rows)) as place:
        (link,) = place.graph.links
        assert (link.child_columns, link.owns, link.refers) == (("ten", "owner_id"), True, False)


@pytest.mark.parametrize("enforced", [False, True])
def test_a_key_of_which_either_end_states_a_half_is_one_link(
    engine_database: str, enforced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = tickets("child", "child", enforced=enforced)

    def halved(*args: Any) -> dict[str, Any]:
        made = dataset(*args)
        person, ticket = ({field["name"]: field for field in c["fields"]} for c in made["dataset"][0]["collections"])
        (reference,) = ticket["owner_id"].pop("fides_meta")["references"]
        person["id"]["fides_meta"] = {"references": [reference | {"field": "ticket.owner_id", "direction": "to"}]}
        return made

    monkeypatch.setattr("tests.engine.places.dataset", halved)
    with Place(engine_database, World(world.tables, world.links[:1], world.rows)) as place:
        (link,) = place.graph.links
        assert (link.child_columns, link.owns, link.refers) == (("ten", "owner_id"), True, False)
