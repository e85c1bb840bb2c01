"""Rows that belong to all who point at them, as a team to its members (R8), and those that come in sight through them (R10)."""

from typing import Any

from tests.engine.places import Place
from tests.engine.worlds import Link, Table, World

PLAIN = {"rid": "int", "id": "int", "note": "text", "day": "date"}


def row(number: int, **values: Any) -> dict[str, Any]:
    return {"rid": number, "id": number, "note": f"note {number}", "day": None, **values}


def team(*members: dict[str, Any], identities: tuple[str, ...] = ("login", "email")) -> World:
    """Members of one team, and a post that hangs below it."""
    columns = {**PLAIN, "team_id": "int", "login": "text", "email": "text"}
    nobody = dict.fromkeys(("login", "email"))
    return World(
        {
            "team": Table("team", PLAIN, ("id",)),
            "member": Table("member", columns, ("id",), identities=identities),
            "post": Table("post", {**PLAIN, "team_id": "int"}, ("id",)),
        },
        (
            Link("member", ("team_id",), "team", ("id",), nature="joint"),
            Link("post", ("team_id",), "team", ("id",), direction="from"),
        ),
        {
            "team": (row(0),),
            "member": tuple(row(number, team_id=0, **{**nobody, **member}) for number, member in enumerate(members)),
            "post": (row(0, team_id=0),),
        },
    )


def test_a_fellow_member_known_by_an_address_that_stands_nowhere_else_keeps_the_team(engine_database: str) -> None:
    world = team({"email": "anna@example.com"}, {"email": "bo@example.com"})
    with Place(engine_database, world) as place:
        (report,) = place.erase(place.jobs([{"email": {"anna@example.com"}}], {"team": "keep", "member": "keep"}))
        assert not report.blocked
        assert set(place.content()) == {("team", 0), ("member", 1), ("post", 0)}


def test_it_does_so_though_the_person_is_known_by_another_kind_of_identity(engine_database: str) -> None:
    world = team({"login": "anna"}, {"email": "bo@example.com"})
    with Place(engine_database, world) as place:
        (report,) = place.erase(place.jobs([{"login": {"anna"}}], {"team": "keep", "member": "keep"}))
        assert not report.blocked
        assert set(place.content()) == {("team", 0), ("member", 1), ("post", 0)}


def test_a_team_of_one_goes_with_that_one(engine_database: str) -> None:
    world = team({"login": "anna", "email": "anna@example.com"}, {"login": "anna"})
    with Place(engine_database, world) as place:
        (report,) = place.erase(place.jobs([{"login": {"anna"}}], {}))
        assert not report.blocked
        assert place.content() == {}
