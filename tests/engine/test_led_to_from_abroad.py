"""Contested rows to which only rows without personal data lead, from another store: they stay in sight."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.engine.places import Place
from tests.engine.worlds import Link, Table, World

ANNA = {"email": {"anna@example.com"}}
NOTE = {"rid": "int", "id": "text", "note": "text", "day": "date"}


def row(number: int, **values: Any) -> dict[str, Any]:
    return {"rid": number, "id": str(number), "note": f"note {number}", "day": None, **values}


def thing(name: str, leads_to: str = "", *, store: str = "store", **more: Any) -> Table:
    columns = NOTE | ({f"{leads_to}_id": "text"} if leads_to else {})
    return Table(name, columns, ("id",), store=store, **more)


def up(child: str, parent: str, **more: Any) -> Link:
    return Link(child, (f"{parent}_id",), parent, ("id",), enforced=False, direction="to", **more)


def bought(*tables: Table, links: tuple[Link, ...] = (), rows: Mapping[str, Any], customers: tuple[Any, ...] = ()) -> World:
    """Anna's customer row refers to a product, and so on up to a maker, whose row holds something personal."""
    chain = ["product", *(name for name in ("brand", "line") if any(t.name == name for t in tables)), "maker"]
    columns = {**NOTE, "email": "text", "product_id": "text"}
    everything = {
        "customer": Table("customer", columns, ("id",), identities=("email",)),
        **{table.name: table for table in tables},
    }
    ways = [up(child, parent) for child, parent in zip(["customer", *chain], chain, strict=False)]
    stated = {(link.child, link.parent) for link in links}
    found = {
        name: (row(number, **({f"{chain[number + 1]}_id": str(number + 1)} if name != "maker" else {})),)
        for number, name in enumerate(chain)
    }
    anna = row(0, email="anna@example.com", product_id="0")
    return World(
        everything,
        (*(way for way in ways if (way.child, way.parent) not in stated), *links),
        {**found, "customer": (anna, *customers), **rows},
    )


PRODUCT = thing("product", "maker", store="other", personal=False)
WORLDS = {
    "pointed at": bought(PRODUCT, thing("maker"), rows={}),
    "jointly owned": bought(PRODUCT, thing("maker"), links=(up("product", "maker", nature="joint"),), rows={}),
    "owned by another": bought(
        PRODUCT,
        Table("maker", {**NOTE, "customer_id": "text"}, ("id",)),
        links=(Link("maker", ("customer_id",), "customer", ("id",), enforced=False, direction="from"),),
        rows={"maker": (row(1, customer_id="7"),)},
        customers=(row(7, email="bo@example.com", product_id=None),),
    ),
    "through one of its own store": bought(
        thing("product", "brand", store="other", personal=False), thing("brand", "maker", personal=False), thing("maker"), rows={}
    ),
    "through two of the other store": bought(
        thing("product", "brand", store="other", personal=False),
        thing("brand", "maker", store="other", personal=False),
        thing("maker"),
        rows={},
    ),
    "through two of its own store": bought(
        thing("product", "brand", store="other", personal=False),
        thing("brand", "line", personal=False),
        thing("line", "maker", personal=False),
        thing("maker"),
        rows={},
    ),
    "from a root row that is contested": bought(
        PRODUCT,
        thing("maker"),
        rows={},
        customers=(row(7, email="Anna@Example.com", product_id=None),),
    ),
    "there and back and there again": bought(
        thing("product", "brand", store="other", personal=False),
        thing("brand", "line", personal=False),
        thing("line", "maker", store="other", personal=False),
        thing("maker"),
        rows={},
    ),
}


@pytest.mark.parametrize("name", WORLDS)
def test_it_is_not_told_as_erased_on_the_first_run_nor_the_next(engine_database: str, name: str) -> None:
    with Place(engine_database, WORLDS[name]) as place:
        jobs = place.jobs([ANNA], {})
        assert jobs[0]["store"].plan["groups"]["maker"][0][3], "contested"
        for _ in range(2):
            (report,) = place.erase(jobs)
            maker = report.collections["maker"]
            assert [row for row in place.content() if row[0] == "maker"]
            assert maker["contested"] == maker["remaining"] == 1
            assert "erased_earlier" not in maker


@pytest.mark.parametrize("name", WORLDS)
def test_what_was_answered_is_carried_out(engine_database: str, name: str) -> None:
    with Place(engine_database, WORLDS[name]) as place:
        jobs = place.jobs([ANNA], {"maker": "disclose", "customer": "disclose"})
        for when in ("deleted", "erased_earlier"):
            (report,) = place.erase(jobs)
            maker = report.collections["maker"]
            (note,) = [values["note"] for row, values in place.content().items() if row[0] == "maker"] or [None]
            assert note is None
            assert maker.get(when) == 1 or maker["pinned"] == 1


def left(*, keyed: bool) -> World:
    """Anna and Bo bought one product. `keyed`: something points at customers, so that plans know them by their key."""
    return bought(
        thing("product", "maker"),
        thing("maker"),
        *([thing("visit", "customer")] if keyed else []),
        links=(Link("visit", ("customer_id",), "customer", ("id",), enforced=False, direction="from"),) if keyed else (),
        rows={"visit": (row(0, customer_id="0"),)} if keyed else {},
        customers=(row(7, email="bo@example.com", product_id="0"),),
    )


def test_a_row_that_the_person_left_since_the_plan_is_not_told_as_erased(engine_database: str) -> None:
    with Place(engine_database, left(keyed=True)) as place:
        jobs = place.jobs([ANNA], {})
        place.connection.execute("UPDATE customer SET product_id = NULL WHERE id = '0'")
        (report,) = place.erase(jobs)
        for name in ("product", "maker"):
            counts = report.collections[name]
            assert (counts["rows"], counts["deleted"], counts["no_longer_theirs"]) == (1, 0, 1)
        assert report.collections["customer"]["deleted"] == 1
        (again,) = place.erase(jobs)
        assert again.collections["customer"]["erased_earlier"] == 1
        assert not any("erased_earlier" in again.collections[name] for name in ("product", "maker"))
        assert {("product", 0), ("maker", 1)} <= set(place.content())


def test_the_persons_own_row_that_changed_since_the_plan_is_not_told_as_erased(engine_database: str) -> None:
    """No key tells which row it was: somebody looks again."""
    with Place(engine_database, left(keyed=False)) as place:
        jobs = place.jobs([ANNA], {})
        place.connection.execute("UPDATE customer SET product_id = NULL WHERE id = '0'")
        before = place.content()
        (report,) = place.erase(jobs)
        assert report.blocked == "rows of customer changed since the plan was made; look for the data again"
        assert place.content() == before
        (report,) = place.erase(place.jobs([ANNA], {}))
        assert report.collections["customer"]["deleted"] == 1
