"""Contested rows decided one group at a time: what is named how, what is done, what stays when nobody said (R11, R29)."""

import io
import json
import zipfile

import pytest

from privacy import actions
from privacy.engine.contested.answers import group_key
from tests.privacy.shared_rows import ANNA, MAP

ANONYMIZED = "document: {purpose: contract, source: provided, on_erasure: anonymize}"

pytestmark = pytest.mark.django_db(transaction=True)


def groups(plan):
    """{id of the co-owner: the group's key} of Anna's shared documents."""
    columns = plan["columns"]["document"]
    at = columns.index("co_owner_id")
    return {raw[at]: group_key(plan, "document", raw) for raw, _count, _role, reasons in plan["groups"]["document"] if reasons}


def package(plan, answers):
    sink = io.BytesIO()
    outcome = actions.write_package(
        sink, person=ANNA, plans={"shop": plan}, language="en", options={"contested": {"shop": answers}}
    )
    with zipfile.ZipFile(sink) as archive:
        rows = json.loads(archive.read("data/shop/document.json"))
    return {row["id"]: row for row in rows}, outcome["shop"].report["collections"]["document"]


def test_a_group_is_named_by_nothing_that_can_be_read_or_guessed(shop):
    plan = shop.plan(ANNA)
    assert groups(plan) == groups(shop.plan(ANNA))  # the same when looked for again
    assert groups(plan) != groups({**plan, "salt": ""})
    assert all(len(key) == len("document#") + 20 for key in groups(plan).values())


def test_each_group_goes_its_own_way_in_an_erasure(shop):
    plan = shop.plan(ANNA)
    named = groups(plan)
    outcome = shop.erase(ANNA, plan=plan, contested={named[2]: "keep", named[3]: "disclose"})
    assert outcome.status == "done"
    assert shop.column("SELECT id FROM document ORDER BY id") == [11, 13]
    document = outcome.report["collections"]["document"]
    assert (document["deleted"], document["remaining"]) == (2, 1)


def test_the_part_of_one_is_taken_out_and_the_other_row_left(shop):
    plan = shop.plan(ANNA)
    named = groups(plan)
    outcome = shop.erase(ANNA, plan=plan, contested={named[2]: "anonymize", named[3]: "keep"})
    assert outcome.status == "done"
    assert shop.sql("SELECT id, owner_id, co_owner_id FROM document ORDER BY id") == [(11, None, 2), (12, 1, 3), (13, 2, None)]


def test_a_group_goes_before_its_collection(shop):
    plan = shop.plan(ANNA)
    outcome = shop.erase(ANNA, plan=plan, contested={"document": "disclose", groups(plan)[2]: "keep"})
    assert outcome.status == "done"
    assert shop.column("SELECT id FROM document ORDER BY id") == [11, 13]


def test_a_group_that_nobody_decided_stops_the_run(shop):
    plan = shop.plan(ANNA)
    outcome = shop.erase(ANNA, plan=plan, contested={groups(plan)[2]: "keep"})
    assert outcome.status == "blocked"
    assert outcome.report["collections"]["document"]["undecided_contested"] == 1


def test_answers_that_were_carried_out_hold_when_the_run_is_repeated(shop):
    """The first run changes what names the group: its anonymized e-mail address."""
    shop.sql("ALTER TABLE document ADD by_mail text; UPDATE document SET by_mail = 'cia@example.se' WHERE id = 12")
    shop.sql("ALTER TABLE customer ALTER email DROP NOT NULL")
    anonymized = MAP.replace("document: {purpose: contract, source: provided, on_erasure: delete}", ANONYMIZED)
    shop.load(anonymized + "    - {name: by_mail, data_categories: [user.contact.email], fides_meta: {identity: email}}\n")
    plan = shop.plan(ANNA)
    named = groups(plan)
    answers = {named[2]: "keep", named[3]: "disclose"}
    first = shop.erase(ANNA, plan=plan, contested=answers)
    again = shop.erase(ANNA, plan=plan, contested=answers)
    assert (first.reason, again.reason) == ("", "")
    assert shop.sql("SELECT title, by_mail FROM document WHERE id IN (11, 12) ORDER BY id") == [("with Bo", None), (None, None)]
    assert again.report["collections"]["document"]["remaining"] == 1


def test_a_package_shows_shortens_and_withholds_as_decided(shop):
    plan = shop.plan(ANNA, "access")
    named = groups(plan)
    rows, counts = package(plan, {named[2]: "redact", named[3]: "keep"})
    assert set(rows) == {10, 11}
    assert rows[11] == {"id": 11, "owner_id": 1, "co_owner_id": None, "title": "with Bo", "signed_by": None, "pages": 2}
    assert rows[10]["signed_by"] == "Anna"
    assert (counts["contested"], counts["redacted"], counts["exported"]) == (1, 1, 2)
    rows, counts = package(plan, {named[2]: "keep", named[3]: "disclose"})
    assert rows[12]["signed_by"] == "Cia"
    rows, counts = package(plan, {})
    assert (set(rows), counts["contested"]) == ({10}, 2)


ATTACHMENT = """
CREATE TABLE page (
    id integer PRIMARY KEY, document_id integer REFERENCES document, writer_id integer REFERENCES customer, text text
);
INSERT INTO page VALUES (20, 12, NULL, 'of what Anna and Cia wrote'), (21, 12, 2, 'added by Bo');
"""
PAGE = """  - name: page
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: document_id
      data_categories: [system.operations]
      fides_meta: {references: [{dataset: shop, field: document.id, direction: from}]}
    - name: writer_id
      data_categories: [system.operations]
      fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}
    - {name: text, data_categories: [user.content]}
"""


def test_what_is_contested_below_a_disclosed_row_is_listed_by_the_next_look(shop):
    document = "document: {purpose: contract, source: provided, on_erasure: delete}"
    shop.sql(ATTACHMENT)
    shop.load(MAP.replace(document, f"{document}\n        {document.replace('document', 'page')}") + PAGE)
    first = shop.plan(ANNA)
    answers = {groups(first)[2]: "keep", groups(first)[3]: "disclose"}
    assert first["groups"].get("page", []) == []
    found = actions.find([ANNA], right="erasure", given={ANNA.ref: {"shop": (first, answers)}})[ANNA.ref]["shop"]
    assert groups(found.plan) == groups(first)  # what was given stays in sight, to be answered otherwise
    pages = {bool(reasons): group_key(found.plan, "page", raw) for raw, _, _, reasons in found.plan["groups"]["page"]}
    assert found.counts["page"]["contested"] == 1
    erase = found.counts["document"]["erase"]  # as long as nobody answered for the page, it holds the document
    assert (erase["delete"], erase["pinned"], erase["contested"]) == (1, 1, 1)
    outcome = shop.erase(ANNA, plan=found.plan, contested=answers)
    assert outcome.status == "blocked"
    outcome = shop.erase(ANNA, plan=found.plan, contested=answers | {pages[True]: "disclose"})
    assert outcome.reason == ""
    assert (shop.column("SELECT id FROM document ORDER BY id"), shop.column("SELECT id FROM page")) == ([11, 13], [])
