"""A plan carried out again: after an answer, after a crash, after somebody changed the rows in between (R11, R19, R23, R29)."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from privacy.engine import change as changes
from tests.engine.places import Place
from tests.engine.worlds import Keep, Link, Table, World

ANNA = {"email": {"anna@example.com"}}
BO = {"email": {"bo@example.com"}}
PLAIN = {"rid": "int", "id": "int", "note": "text", "day": "date"}


def row(number: int, **values: Any) -> dict[str, Any]:
    return {"rid": number, "id": number, "note": f"note {number}", "day": None, **values}


def customers(**more: Any) -> Table:
    columns = {**PLAIN, "email": "text", "address_id": "int"}
    return Table("customer", columns, ("id",), identities=("email",), **more)


def shared_address() -> World:
    """Two customers at one address; each has an order."""
    address = Table("address", PLAIN, ("id",))
    order = Table("orders", {**PLAIN, "customer_id": "int"}, ("id",))
    return World(
        {"address": address, "customer": customers(), "orders": order},
        (
            Link("customer", ("address_id",), "address", ("id",), direction="to"),
            Link("orders", ("customer_id",), "customer", ("id",), direction="from"),
        ),
        {
            "address": (row(0),),
            "customer": (
                row(0, email="anna@example.com", address_id=0),
                row(1, email="bo@example.com", address_id=0),
            ),
            "orders": (row(0, customer_id=0), row(1, customer_id=1)),
        },
    )


def test_a_shared_row_waits_for_its_last_owner(engine_database: str) -> None:
    with Place(engine_database, shared_address()) as place:
        (anna,) = place.erase(place.jobs([ANNA], {}))
        assert anna.collections["address"] == {**anna.collections["address"], "contested": 1, "deleted": 0, "remaining": 1}
        assert anna.collections["customer"]["deleted"] == 1
        assert set(place.content()) == {("address", 0), ("customer", 1), ("orders", 1)}
        (bo,) = place.erase(place.jobs([BO], {}))
        assert bo.collections["address"]["deleted"] == 1
        assert place.content() == {}


def test_both_owners_in_one_batch_take_the_shared_row_along(engine_database: str) -> None:
    with Place(engine_database, shared_address()) as place:
        anna, bo = place.erase(place.jobs([ANNA, BO], {}))
        assert (anna.contested, bo.contested) == (1, 0)
        assert place.content() == {}


def test_a_contested_row_is_found_again_though_what_led_to_it_went(engine_database: str) -> None:
    with Place(engine_database, shared_address()) as place:
        jobs = place.jobs([ANNA], {})
        place.erase(jobs)
        (again,) = place.erase(jobs)
        assert again.collections["address"]["contested"] == 1
        assert again.collections["address"]["remaining"] == 1
        assert "erased_earlier" not in again.collections["address"]
        assert again.collections["customer"]["erased_earlier"] == 1
        assert again.contested == 1


def test_the_answer_given_later_is_carried_out(engine_database: str) -> None:
    with Place(engine_database, shared_address()) as place:
        place.erase(place.jobs([ANNA], {}))
        (plan_of_before,) = place.jobs([BO], {"address": "disclose"})
        (report,) = place.erase([plan_of_before])
        assert report.collections["address"]["deleted"] == 1


def test_a_row_that_moved_to_somebody_else_since_the_plan_is_left_alone(engine_database: str) -> None:
    with Place(engine_database, shared_address()) as place:
        jobs = place.jobs([ANNA], {})
        place.connection.execute("UPDATE orders SET customer_id = 1 WHERE id = 0")
        (report,) = place.erase(jobs)
        assert not report.blocked
        assert ("orders", 0) in place.content()


def test_an_address_the_person_left_since_the_plan_is_left_alone(engine_database: str) -> None:
    world = shared_address()
    with Place(engine_database, world) as place:
        place.connection.execute("INSERT INTO address VALUES (7, 7, 'new', NULL)")
        place.connection.execute("UPDATE customer SET address_id = 7 WHERE id = 1")
        jobs = place.jobs([ANNA], {})
        assert jobs[0]["store"].plan["groups"]["address"][0][3] == []  # hers alone
        place.connection.execute("UPDATE customer SET address_id = 7 WHERE id = 0")
        (report,) = place.erase(jobs)
        assert "contested" in report.blocked  # the new one is Bo's too: nobody decided about it
        assert set(place.content()) >= {("address", 0), ("address", 7), ("customer", 0)}


def test_rows_that_arrived_under_a_planned_owner_go_along(engine_database: str) -> None:
    with Place(engine_database, shared_address()) as place:
        jobs = place.jobs([ANNA], {})
        place.connection.execute("INSERT INTO orders VALUES (5, 5, 'new', NULL, 0)")
        (report,) = place.erase(jobs)
        assert report.collections["orders"]["deleted"] == 2
        assert ("orders", 5) not in place.content()


def test_more_contested_rows_than_planned_stop_the_run(engine_database: str) -> None:
    with Place(engine_database, shared_address()) as place:
        place.connection.execute("UPDATE customer SET address_id = NULL WHERE id = 1")
        jobs = place.jobs([ANNA], {})
        place.connection.execute("UPDATE customer SET address_id = 0 WHERE id = 1")
        before = place.content()
        (report,) = place.erase(jobs)
        assert "contested" in report.blocked
        assert place.content() == before


def test_fewer_contested_rows_than_planned_do_not_stop_it(engine_database: str) -> None:
    with Place(engine_database, shared_address()) as place:
        jobs = place.jobs([ANNA], {})
        place.connection.execute("UPDATE customer SET address_id = NULL WHERE id = 1")
        (report,) = place.erase(jobs)
        assert not report.blocked
        assert set(place.content()) == {("customer", 1), ("orders", 1)}


@pytest.mark.parametrize(
    "change", ["ALTER TABLE orders ADD COLUMN more text", "CREATE TABLE x (c int REFERENCES customer ON DELETE CASCADE)"]
)
def test_a_changed_schema_stops_the_run(engine_database: str, change: str) -> None:
    with Place(engine_database, shared_address()) as place:
        jobs = place.jobs([ANNA], {})
        place.connection.execute(change)
        place.refresh()
        before = place.content()
        (report,) = place.erase(jobs)
        assert "changed" in report.blocked
        assert place.content() == before


def test_one_blocked_job_does_not_stop_the_others(engine_database: str) -> None:
    with Place(engine_database, shared_address()) as place:
        place.connection.execute("UPDATE customer SET address_id = NULL")
        jobs = place.jobs([ANNA, BO], {})
        place.connection.execute("UPDATE customer SET address_id = 0")
        anna, bo = place.erase(jobs)
        assert anna.blocked
        assert bo.blocked
        place.connection.execute("UPDATE customer SET address_id = NULL WHERE id = 0")
        anna, bo = place.erase(jobs)
        assert not anna.blocked
        assert not bo.blocked  # nobody shares it any more, and it is his: new, but not contested


def test_a_kept_row_is_reported_as_kept_again_though_its_identity_is_gone(engine_database: str) -> None:
    """Nothing but the identity led to it, and that was anonymized."""
    world = World(
        {"invoice": Table("invoice", {**PLAIN, "email": "text"}, ("id",), identities=("email",), keep=Keep(7, ("day",)))},
        (),
        {
            "invoice": (
                row(0, email="anna@example.com", day=date(2025, 6, 1)),
                row(1, email="anna@example.com"),
                row(2, email="bo@x.se"),
            )
        },
    )
    with Place(engine_database, world) as place:
        jobs = place.jobs([ANNA], {})
        (first,) = place.erase(jobs)
        assert {entry["until"] for entry in first.collections["invoice"]["kept"]} == {"2032-06-01", None}
        kept = place.content()
        assert kept["invoice", 0] == {"rid": 0, "id": 0, "note": None, "day": date(2025, 6, 1), "email": None}
        (second,) = place.erase(jobs)
        assert sorted(map(str, second.collections["invoice"]["kept"])) == sorted(map(str, first.collections["invoice"]["kept"]))
        assert second.collections["invoice"]["remaining"] == 0
        assert place.content() == kept


def test_what_was_erased_earlier_is_still_told_where_triggers_keep_history(engine_database: str) -> None:
    """The staying order is anonymized once more, its trigger copies it once more, and the copy goes; nothing else is told."""
    history = Table(
        "h_orders", {**PLAIN, "rid": "int GENERATED BY DEFAULT AS IDENTITY (START WITH 1000)"}, (), history_of="orders"
    )
    orders = Table("orders", {**PLAIN, "customer_id": "int"}, ("id",), on_erasure="anonymize")
    columns = {**PLAIN, "email": "text"}
    visits = Table("visit", {**PLAIN, "customer_id": "int"}, ("id",))
    world = World(
        {
            "customer": Table("customer", columns, ("id",), identities=("email",)),
            "orders": orders,
            "visit": visits,
            "h_orders": history,
        },
        (
            Link("orders", ("customer_id",), "customer", ("id",), direction="from"),
            Link("visit", ("customer_id",), "customer", ("id",), direction="from"),
            Link("h_orders", ("id",), "orders", ("id",), enforced=False, direction="from"),
        ),
        {
            "customer": (row(0, email="anna@example.com"),),
            "orders": (row(0, customer_id=0),),
            "visit": (row(0, customer_id=0), row(1, customer_id=0)),
            "h_orders": (),
        },
    )
    with Place(engine_database, world) as place:
        jobs = place.jobs([ANNA], {})
        (first,) = place.erase(jobs)
        assert first.collections["visit"]["deleted"] == 2
        assert set(place.content()) == {("customer", 0), ("orders", 0)}
        (second,) = place.erase(jobs)
        assert second.collections["visit"]["deleted"] == 0
        assert second.collections["visit"]["erased_earlier"] == 2
        assert set(place.content()) == {("customer", 0), ("orders", 0)}


def test_a_part_taken_out_leaves_the_other_owners_key_whole(engine_database: str) -> None:
    """Two composite keys share a column: to let go of one owner must not cut the other."""
    owner = {**PLAIN, "ten": "int"}
    world = World(
        {
            "customer": Table("customer", {**owner, "email": "text"}, ("ten", "id"), identities=("email",)),
            "job": Table("job", {**owner, "first_id": "int", "second_id": "int"}, ()),
        },
        (
            Link("job", ("ten", "first_id"), "customer", ("ten", "id"), direction="from"),
            Link("job", ("ten", "second_id"), "customer", ("ten", "id"), direction="from"),
        ),
        {
            "customer": (row(0, ten=0, email="anna@example.com"), row(1, ten=0, email="bo@example.com")),
            "job": (row(0, ten=0, first_id=0, second_id=1),),
        },
    )
    with Place(engine_database, world) as place:
        (report,) = place.erase(place.jobs([ANNA], {"job": "anonymize"}))
        assert not report.blocked
        content = place.content()
        assert set(content) == {("customer", 1), ("job", 0)}
        assert (content["job", 0]["ten"], content["job", 0]["first_id"], content["job", 0]["second_id"]) == (0, None, 1)


def test_a_row_that_is_pinned_does_not_cascade(engine_database: str) -> None:
    """Bo's unmapped visit would go with Anna's customer row; but her own kept order pins that row, so both stay."""
    world = World(
        {
            "customer": Table("customer", {**PLAIN, "email": "text"}, ("id",), identities=("email",)),
            "orders": Table("orders", {**PLAIN, "customer_id": "int"}, ("id",), on_erasure="keep"),
            "visit": Table("visit", {**PLAIN, "customer_id": "int"}, ("id",), mapped=False),
        },
        (
            Link("orders", ("customer_id",), "customer", ("id",), direction="from"),
            Link("visit", ("customer_id",), "customer", ("id",), mapped=False, on_delete="CASCADE"),
        ),
        {"customer": (row(0, email="anna@example.com"),), "orders": (row(0, customer_id=0),), "visit": (row(0, customer_id=0),)},
    )
    with Place(engine_database, world) as place:
        (report,) = place.erase(place.jobs([ANNA], {}))
        assert not report.blocked
        assert report.collections["customer"]["pinned"] == 1
        assert set(place.content()) == {("customer", 0), ("orders", 0), ("visit", 0)}


def test_a_row_from_which_the_part_was_taken_is_not_hers_again_because_hers_points_at_it(engine_database: str) -> None:
    """Two accounts of one address in two spellings; what she keeps refers to one of them (R12, R23)."""
    order = Table(
        "orders", {**PLAIN, "email": "text", "customer_id": "int"}, ("id",), identities=("email",), on_erasure="anonymize"
    )
    world = World(
        {"customer": customers(), "orders": order},
        (Link("orders", ("customer_id",), "customer", ("id",), direction="to"),),
        {
            "customer": tuple(
                row(n, email=email, address_id=None) for n, email in enumerate(("anna@example.com", "Anna@Example.com"))
            ),
            "orders": (row(0, email="anna@example.com", customer_id=0),),
        },
    )
    with Place(engine_database, world) as place:
        jobs = place.jobs([ANNA], {"customer": "redact"})
        place.erase(jobs)
        once = place.content()
        assert once["customer", 0]["note"] == "note 0"
        assert "anna" not in str(once).lower()
        place.erase(jobs)
        assert place.content() == once


def test_a_contested_row_to_which_only_another_stores_rows_lead_is_not_told_as_erased(engine_database: str) -> None:
    """What leads there holds nothing personal, so no plan remembers it; the row stands and says so."""
    note = {"rid": "int", "id": "int", "note": "text", "day": "date"}
    world = World(
        {
            "customer": Table("customer", {**PLAIN, "email": "text", "product_id": "text"}, ("id",), identities=("email",)),
            "product": Table("product", {**note, "id": "text", "maker_id": "text"}, ("id",), personal=False, store="other"),
            "maker": Table("maker", note, ("id",)),
        },
        (
            Link("customer", ("product_id",), "product", ("id",), enforced=False, direction="to"),
            Link("product", ("maker_id",), "maker", ("id",), enforced=False, direction="to"),
        ),
        {
            "customer": (row(0, email="anna@example.com", product_id="0"),),
            "product": ({**row(0), "id": "0", "maker_id": "3"},),
            "maker": (row(3),),
        },
    )
    with Place(engine_database, world) as place:
        (report,) = place.erase(place.jobs([ANNA], {}))
        maker = report.collections["maker"]
        assert ("maker", 3) in place.content()
        assert maker["contested"] == maker["remaining"] == 1
        assert "erased_earlier" not in maker


def test_a_restriction_is_lifted_though_a_trigger_kept_what_it_replaced(engine_database: str) -> None:
    """The copy points at a row that the person's rows refer to, which makes that row contested since the plan."""
    history = Table(
        "h_address",
        {**PLAIN, "rid": "int GENERATED BY DEFAULT AS IDENTITY (START WITH 1000)"},
        (),
        history_of="address",
        personal=False,
    )
    world = World(
        {
            "address": Table("address", {**PLAIN, "flag": "int"}, ("id",)),
            "customer": customers(),
            "h_address": history,
        },
        (
            Link("customer", ("address_id",), "address", ("id",), direction="to"),
            Link("h_address", ("id",), "address", ("id",), enforced=False, direction="from"),
        ),
        {"address": ({**row(0), "flag": None},), "customer": (row(0, email="anna@example.com", address_id=0),), "h_address": ()},
    )
    with Place(engine_database, world) as place:
        before = place.bytes()["address", 0]
        jobs = place.changing([ANNA])
        (restricted,) = place.change_all(jobs, changes.restrict)
        assert place.content()["address", 0]["flag"] == 1
        (lifted,) = place.change_all(
            [{key: replace(job, state=restricted[key].state) for key, job in jobs[0].items()}], changes.lift
        )
        assert [report.blocked for report in lifted.values()] == [""]
        assert place.bytes()["address", 0] == before


def test_a_root_row_kept_along_is_known_again_when_its_identity_is_gone(engine_database: str) -> None:
    """Nothing points at it, so nothing but its own key tells which row it is."""
    account = Table("account", PLAIN, ("id",), keep=Keep(3, ("day",), ("profile.note",)))
    profile = Table("profile", {**PLAIN, "email": "text", "account_id": "int"}, ("id",), identities=("email",))
    rows = {"account": ({**row(0), "day": date(2026, 1, 1)},), "profile": (row(0, email="anna@example.com", account_id=0),)}
    link = Link("profile", ("account_id",), "account", ("id",), direction="to")
    with Place(engine_database, World({"account": account, "profile": profile}, (link,), rows)) as place:
        jobs = place.jobs([ANNA], {})
        (first,) = place.erase(jobs)
        after = place.content()
        assert after["profile", 0]["email"] != "anna@example.com"
        (second,) = place.erase(jobs)
        assert (second.blocked, second.collections) == ("", first.collections)
        assert place.content()["account", 0]["day"] == date(2026, 1, 1)


def test_a_row_that_let_go_of_the_person_does_not_speak_against_their_own(engine_database: str) -> None:
    """Her account says L3, and so does a card of hers that somebody decided to detach: it was planned, it is no news."""
    account = Table(
        "account", {**PLAIN, "email": "text", "login": "text"}, ("id",), identities=("email", "login"), on_erasure="keep"
    )
    card = Table("card", {**PLAIN, "account_id": "int", "login": "text"}, ("id",), identities=("login",))
    rows = {"account": (row(0, email="anna@example.com", login="L3"),), "card": (row(0, account_id=0, login="L3"),)}
    link = Link("card", ("account_id",), "account", ("id",), direction="from")
    anna = {**ANNA, "login": {"L0"}}
    with Place(engine_database, World({"account": account, "card": card}, (link,), rows)) as place:
        jobs = place.jobs([anna], {"card": "anonymize"})
        (first,) = place.erase(jobs)
        after = place.content()
        assert (after["card", 0]["account_id"], first.collections["card"]["contested"]) == (None, 1)
        (second,) = place.erase(jobs)
        assert (second.blocked, second.collections["account"]) == ("", first.collections["account"])
        assert place.content() == after
        place.connection.execute("INSERT INTO card VALUES (1, 1, 'of somebody else', NULL, NULL, 'L3')")
        (third,) = place.erase(jobs)
        assert "account are contested" in third.blocked


def test_a_row_of_somebody_else_is_not_taken_for_one_that_let_go(engine_database: str) -> None:
    """A card without an account that says what Anna's card says speaks against hers, before an action as when it was planned."""
    account = Table("account", {**PLAIN, "email": "text"}, ("id",), identities=("email",))
    card = Table("card", {**PLAIN, "account_id": "int", "login": "text"}, ("id",), identities=("login",))
    rows = {
        "account": (row(0, email="anna@example.com"),),
        "card": (row(0, account_id=0, login="L3"), row(1, account_id=None, login="L3")),
    }
    link = Link("card", ("account_id",), "account", ("id",), direction="from")
    with Place(engine_database, World({"account": account, "card": card}, (link,), rows)) as place:
        before = place.content()
        place.change(ANNA, changes.restrict)
        after = place.content()
        assert (after["card", 0], after["card", 1]) == (before["card", 0], before["card", 1])
        (erased,) = place.erase(place.jobs([ANNA], {"card": "keep"}))
        assert erased.collections["card"]["deleted"] == 0
        assert ("card", 0) in place.content()


def test_a_planned_row_that_was_let_go_is_nobody_new(engine_database: str) -> None:
    """The map's answer takes her part out of a shared document: with it goes the way to its folder, which points back at it."""
    folder = Table("folder", {**PLAIN, "front_id": "int"}, ("id",))
    document = Table("document", {**PLAIN, "folder_id": "int"}, ("id",))
    customer = Table("customer", {**PLAIN, "email": "text", "document_id": "int"}, ("id",), identities=("email",))
    links = (
        Link("customer", ("document_id",), "document", ("id",), direction="to", contested="redact"),
        Link("document", ("folder_id",), "folder", ("id",)),
        Link("folder", ("front_id",), "document", ("id",), mapped=False),
    )
    rows = {
        "folder": (row(0, front_id=0),),
        "document": (row(0, folder_id=0),),
        "customer": (row(0, email="anna@example.com", document_id=0), row(1, email="bo@example.com", document_id=0)),
    }
    tables = {"folder": folder, "document": document, "customer": customer}
    with Place(engine_database, World(tables, links, rows)) as place:
        jobs = place.jobs([ANNA], {"folder": "keep"})
        (first,) = place.erase(jobs)
        after = place.content()
        assert after["document", 0]["folder_id"] is None
        (second,) = place.erase(jobs)
        counts = second.collections["document"]
        assert (counts["undecided_contested"], counts["remaining"]) == (0, 0)
        assert (second.blocked, place.content()) == (first.blocked, after)
        place.connection.execute("INSERT INTO folder VALUES (1, 1, 'of somebody else', NULL, 0)")
        (third,) = place.erase(jobs)
        assert third.collections["document"]["undecided_contested"] == 1


def test_what_only_a_contested_row_led_to_stays_contested_when_that_one_let_go(engine_database: str) -> None:
    """A shared account without a key lets go of the person: no second run knows it, nor takes what it led to."""
    folder = Table("folder", PLAIN, ("id",))
    columns = {**PLAIN, "email": "text", "login": "text", "folder_id": "int"}
    account = Table("account", columns, (), identities=("email", "login"))
    customer = Table("customer", {**PLAIN, "email": "text"}, ("id",), identities=("email",))
    rows = {
        "folder": (row(0),),
        "account": (row(0, email="bo@example.com", login="L3", folder_id=0),),
        "customer": (row(0, email="bo@example.com"),),
    }
    links = (Link("account", ("folder_id",), "folder", ("id",), enforced=False),)
    tables = {"folder": folder, "account": account, "customer": customer}
    with Place(engine_database, World(tables, links, rows)) as place:
        jobs = place.jobs([{**ANNA, "login": {"L3"}}], {"account": "anonymize", "folder": "anonymize"})
        place.erase(jobs)
        after = place.content()
        assert ("folder", 0) in after
        (second,) = place.erase(jobs)
        assert (set(place.content()), second.collections["folder"]["contested"]) == (set(after), 1)
