"""An answer holds for the rows that staff saw, and for none that look like them or came since (R11, R29)."""

import io
import json
import zipfile

import pytest

from privacy import actions
from privacy.engine.contested.answers import group_key
from tests.privacy.shared_rows import ANNA, MAP

PARCELS = """
CREATE TABLE parcel (owner_id integer REFERENCES customer, receiver text, content text);
INSERT INTO parcel VALUES (1, 'cia@example.se', 'to Cia'), (1, 'dan@example.se', 'to Dan');
"""
PARCEL_MAP = """  - name: parcel
    fields:
    - name: owner_id
      data_categories: [system.operations]
      fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}
    - {name: receiver, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: content, data_categories: [user.content]}
"""

pytestmark = pytest.mark.django_db(transaction=True)


DOCUMENT = "document: {purpose: contract, source: provided, on_erasure: delete}"
WITH_PARCELS = MAP.replace(DOCUMENT, f"{DOCUMENT}\n        {DOCUMENT.replace('document', 'parcel')}") + PARCEL_MAP


@pytest.fixture
def parcels(shop):
    """Gifts from Anna in a table without a key: to Cia, which staff disclose, and to Dan, which they keep."""
    shop.sql(PARCELS)
    shop.load(WITH_PARCELS)
    return shop


def named(plan, collection, column):
    """{value of a column: the group's key} of the contested groups."""
    at = plan["columns"][collection].index(column)
    return {raw[at]: group_key(plan, collection, raw) for raw, _, _, reasons in plan["groups"][collection] if reasons}


def package(plan, answers, collection):
    sink = io.BytesIO()
    outcome = actions.write_package(
        sink, person=ANNA, plans={"shop": plan}, language="en", options={"contested": {"shop": answers}}
    )
    with zipfile.ZipFile(sink) as archive:
        rows = json.loads(archive.read(f"data/shop/{collection}.json"))
    return rows, outcome["shop"].report["collections"][collection]


def disclose_cia(plan):
    parcel = named(plan, "parcel", "receiver")
    return {
        parcel["cia@example.se"]: "disclose",
        parcel["dan@example.se"]: "keep",
        **dict.fromkeys(named(plan, "document", "co_owner_id").values(), "keep"),
    }


def test_what_was_given_of_cias_is_not_given_of_evas_in_a_table_without_a_key(parcels):
    plan = parcels.plan(ANNA, "access")
    parcels.sql("UPDATE parcel SET receiver = 'eva@example.se', content = 'to Eva' WHERE receiver = 'dan@example.se'")
    rows, counts = package(plan, disclose_cia(plan), "parcel")
    assert [row["content"] for row in rows] == ["to Cia"]
    assert counts["contested"] == 1


def test_an_erasure_asks_again_for_a_row_that_is_somebody_elses_now(parcels):
    plan = parcels.plan(ANNA)
    parcels.sql("UPDATE parcel SET receiver = 'eva@example.se', content = 'to Eva' WHERE receiver = 'dan@example.se'")
    outcome = parcels.erase(ANNA, plan=plan, contested=disclose_cia(plan))
    assert outcome.status == "blocked"
    assert "1 more rows of parcel are contested" in outcome.reason
    assert len(parcels.column("SELECT content FROM parcel")) == 2


def test_a_keyed_row_that_passed_to_somebody_else_is_not_the_one_that_was_judged(shop):
    plan = shop.plan(ANNA)
    shop.sql("INSERT INTO customer VALUES (4, 'eva@example.se', 'Eva'); UPDATE document SET co_owner_id = 4 WHERE id = 12")
    documents = named(plan, "document", "co_owner_id")
    answers = {documents[2]: "keep", documents[3]: "disclose"}
    outcome = shop.erase(ANNA, plan=plan, contested=answers)
    assert outcome.status == "blocked"
    assert 12 in shop.column("SELECT id FROM document")
    rows, _ = package(shop.plan(ANNA, "access") | {"groups": plan["groups"]}, answers, "document")
    assert {row["id"] for row in rows} == {10}


@pytest.mark.parametrize("answer", ["disclose", "redact", "anonymize"])
def test_an_answer_for_a_whole_collection_is_none_for_rows_that_came_since(shop, answer):
    plan = shop.plan(ANNA)
    shop.sql("INSERT INTO customer VALUES (4, 'eva@example.se', 'Eva'); INSERT INTO document VALUES (14, 1, 4, 'new', 'Eva', 9)")
    outcome = shop.erase(ANNA, plan=plan, contested={"document": answer})
    assert outcome.status == "blocked"
    assert shop.column("SELECT id FROM document ORDER BY id") == [10, 11, 12, 13, 14]


def test_a_package_withholds_what_came_since_though_its_like_was_given(shop):
    plan = shop.plan(ANNA, "access")
    shop.sql("INSERT INTO document VALUES (14, 1, 3, 'another with Cia', 'Cia', 9)")
    rows, counts = package(plan, {"document": "disclose"}, "document")
    assert {row["id"] for row in rows} == {10, 11}  # which of the two with Cia was seen, nobody can tell
    assert counts["contested"] == 2


def test_what_was_decided_holds_when_the_run_is_repeated_where_no_value_may_be_missing(parcels):
    """The erasure wrote made-up addresses, in which the rows are still known as those that were decided about."""
    parcels.sql("ALTER TABLE parcel ALTER receiver SET NOT NULL; INSERT INTO parcel VALUES (2, 'anna@example.se', 'from Bo')")
    parcels.load(WITH_PARCELS)
    plan = parcels.plan(ANNA)
    answers = {"parcel": "anonymize", "document": "keep"}
    first = parcels.erase(ANNA, plan=plan, contested=answers)
    assert first.reason == ""
    assert "anna@example.se" not in parcels.column("SELECT receiver FROM parcel")
    again = parcels.erase(ANNA, plan=plan, contested=answers)
    assert again.reason == ""
