"""What changed in a live store since its map was loaded: named, with what to do, until the file is loaded again."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from privacy.datamap.drift import compare
from privacy.datamap.loader import parse
from privacy.models import DatasetVersion
from privacy.stores.base import Column, ForeignKey, Schema, Table
from tests.datamap.conftest import datamap, datamap_json, run

SHOP = """
dataset:
- fides_key: shop
  name: shop
  collections:
    - name: customer
      fields:
        - {name: id, fides_meta: {primary_key: true}}
        - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
        - {name: city, data_categories: [user.contact.address.city]}
    - name: purchase
      fields:
        - {name: id, fides_meta: {primary_key: true}}
        - {name: customer_id, fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}}
"""
STATEMENTS = """
CREATE TABLE customer (id integer PRIMARY KEY, email text NOT NULL, city text, hidden integer);
CREATE TABLE purchase (id integer PRIMARY KEY, customer_id integer REFERENCES customer);
CREATE TABLE parcel (id integer PRIMARY KEY, purchase_id integer REFERENCES purchase);
"""


@pytest.fixture
def shop(make_store: Callable[..., str], tmp_path: Path) -> str:
    return register(make_store(STATEMENTS), tmp_path)


def register(url: str, folder: Path, text: str = SHOP) -> str:
    file = folder / "shop.yml"
    file.write_text(text)
    status, _, err = datamap("load", str(file), "--url", f"shop={url}", "--on-erasure", "delete")
    assert status == 0, err
    return url


def drifted() -> dict[str, tuple[str, bool]]:
    """{"collection.column kind": (text, mapped)} of the one store."""
    status, answer = datamap_json("drift")
    changes = answer["stores"]["shop"]["changes"]
    assert status == int(answer["drift"]) == int(bool(changes) or bool(answer["stores"]["shop"]["alarms"]))
    assert all(change["advice"] for change in changes)
    return {f"{c['collection']}{'.' + c['column'] if c['column'] else ''} {c['kind']}": (c["text"], c["mapped"]) for c in changes}


@pytest.mark.django_db
def test_nothing_drifts_by_itself(shop: str) -> None:
    status, out, err = datamap("drift")
    assert (status, err) == (0, "")
    assert "1 of 1 stores are as they were" in out


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("CREATE TABLE extra (n integer)", {"extra table_added": ("is a new table", False)}),
        ("DROP TABLE parcel", {"parcel table_removed": ("the table is gone", False)}),
        ("ALTER TABLE customer ADD COLUMN points integer", {"customer.points column_added": ("is a new column", False)}),
        ("ALTER TABLE customer DROP COLUMN hidden", {"customer.hidden column_removed": ("the column is gone", False)}),
        ("ALTER TABLE customer DROP COLUMN city", {"customer.city column_removed": ("the column is gone", True)}),
        (
            "ALTER TABLE customer ALTER COLUMN city TYPE varchar(40)",
            {"customer.city type_changed": ("was text, is character varying(40)", True)},
        ),
        (
            "ALTER TABLE customer ALTER COLUMN city SET NOT NULL",
            {"customer.city nullability_changed": ("may no longer be empty", True)},
        ),
        (
            "ALTER TABLE customer ALTER COLUMN email DROP NOT NULL",
            {"customer.email nullability_changed": ("may be empty now", True)},
        ),
        (
            "ALTER TABLE customer ADD CHECK (city <> '')",
            {"customer.city check_changed": ("other values are allowed than before", True)},
        ),
        ("ALTER TABLE customer ADD UNIQUE (email)", {"customer unique_changed": ("(email) is now unique", True)}),
        (
            "ALTER TABLE customer ADD COLUMN referrer integer REFERENCES purchase ON DELETE CASCADE",
            {
                "customer.referrer column_added": ("is a new column", False),
                "customer.referrer foreign_key_added": ("points at purchase (id) by a new foreign key, on delete cascade", True),
            },
        ),
        (
            "ALTER TABLE parcel DROP CONSTRAINT parcel_purchase_id_fkey",
            {"parcel.purchase_id foreign_key_removed": ("no longer points at purchase (id) by a foreign key", True)},
        ),
        (
            """ALTER TABLE parcel DROP CONSTRAINT parcel_purchase_id_fkey;
            ALTER TABLE parcel ADD CONSTRAINT p FOREIGN KEY (purchase_id) REFERENCES purchase ON DELETE CASCADE""",
            {"parcel.purchase_id cascade_changed": ("on delete of purchase (id) was no action, is cascade", True)},
        ),
        (
            """CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE TRIGGER t BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION f()""",
            {"customer trigger_added": ("has a new or changed trigger", True)},
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_every_kind_of_change_is_named(
    make_postgres_database: Callable[[], str], tmp_path: Path, statements: str, expected: dict[str, Any]
) -> None:
    url = make_postgres_database()
    with psycopg.connect(url) as other:
        other.execute(STATEMENTS)
    register(url, tmp_path)
    with psycopg.connect(url) as other:
        other.execute(statements.encode())
    assert drifted() == expected


@pytest.mark.django_db
def test_loading_the_file_again_accepts_what_changed(shop: str, tmp_path: Path) -> None:
    run(shop, "CREATE TABLE stock (id INTEGER PRIMARY KEY, n INTEGER)")
    assert set(drifted()) == {"stock table_added"}
    register(shop, tmp_path)
    assert drifted() == {}
    assert DatasetVersion.objects.filter(is_current=True).get().version == 2
    register(shop, tmp_path)
    assert DatasetVersion.objects.count() == 2, "loading the same again changes nothing"


@pytest.mark.django_db
def test_an_unmapped_column_that_looks_personal_is_an_alarm(shop: str, tmp_path: Path) -> None:
    run(shop, "CREATE TABLE newsletter (id INTEGER PRIMARY KEY, f1 TEXT); ALTER TABLE customer ADD COLUMN phone TEXT")
    run(shop, "INSERT INTO newsletter VALUES (1, 'hemlig@example.se'), (2, 'dold@example.se')")
    status, answer = datamap_json("drift")
    assert status == 1
    assert {(a["collection"], a["column"], a["kind"]) for a in answer["stores"]["shop"]["alarms"]} == {
        ("newsletter", "f1", "unmapped"),
        ("customer", "phone", "unmapped"),
    }
    _, _, err = datamap("drift")
    assert "ALARM shop: newsletter.f1: looks like user.contact.email" in err
    assert "hemlig" not in err + str(answer)
    register(shop, tmp_path)
    assert [a["column"] for a in datamap_json("drift")[1]["stores"]["shop"]["alarms"]] == ["phone", "f1"], (
        "loading alone does not silence it"
    )


@pytest.mark.django_db
def test_a_link_that_broke_is_named(shop: str) -> None:
    run(shop, "DROP TABLE customer; CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT NOT NULL, hidden INTEGER)")
    status, answer = datamap_json("drift")
    assert status == 1
    assert answer["stores"]["shop"]["problems"] == ["shop: customer.city: the table has no such column"]


@pytest.mark.django_db
def test_a_store_that_cannot_be_reached_is_named_and_the_others_go_on(
    shop: str, make_store: Callable[..., str], tmp_path: Path
) -> None:
    other = make_store(STATEMENTS)
    file = tmp_path / "other.yml"
    file.write_text(SHOP.replace("shop", "other"))
    assert datamap("load", str(file), "--url", f"other={other}", "--on-erasure", "delete")[0] == 0
    Path(other.removeprefix("sqlite:///")).unlink()
    run(shop, "CREATE TABLE stock (n INTEGER)")
    status, answer = datamap_json("drift")
    assert status == 1
    assert answer["stores"]["other"] == {"version": 1, "error": "other: there is no SQLite file at the path of the URL"}
    assert [c["kind"] for c in answer["stores"]["shop"]["changes"]] == ["table_added"]
    assert "other: there is no SQLite file" in datamap("drift")[2]


def test_a_changed_order_of_keys_or_triggers_is_no_drift() -> None:
    (dataset,) = parse(SHOP, file="x")
    column = Column("id", "int", "integer")
    table = Table("customer", {"id": column}, ("id",), (("id",), ("a", "b")), triggers=("t1", "t2"))
    keys = (ForeignKey("customer", ("a",), "customer", ("id",)), ForeignKey("customer", ("b",), "customer", ("id",)))
    turned = replace(table, uniques=table.uniques[::-1], triggers=table.triggers[::-1])
    assert compare("shop", dataset, Schema({"customer": table}, keys), Schema({"customer": turned}, keys[::-1])) == []


def test_a_lost_trigger_and_another_primary_key_are_named() -> None:
    (dataset,) = parse(SHOP, file="x")
    table = Table("customer", {"id": Column("id", "int", "integer", generated=True, exact=False)}, ("id",), triggers=("t1",))
    after = Table("customer", {"id": Column("id", "int", "integer")}, (), kind="view")
    kinds = {change.kind for change in compare("shop", dataset, Schema({"customer": table}), Schema({"customer": after}))}
    assert kinds == {"trigger_removed", "primary_key_changed", "kind_changed", "generated_changed", "collation_changed"}
