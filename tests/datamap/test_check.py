"""`datamap check` in the engineers' own CI: a personal column that nobody described fails their build."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from demo import stores
from tests.datamap.conftest import datamap, datamap_json, run
from tests.datamap.test_drift import SHOP, STATEMENTS, register

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(make_store: Callable[..., str], tmp_path: Path) -> str:
    return register(make_store(STATEMENTS), tmp_path)


def test_maps_that_fit_pass(shop: str) -> None:
    assert datamap("check") == (0, "1 data maps fit their stores\n", "")
    assert datamap_json("check") == (0, {"problems": [], "undecided": {}, "annotations": []})


def test_an_unmapped_personal_column_fails_with_what_to_do(shop: str) -> None:
    run(shop, "ALTER TABLE customer ADD COLUMN phone TEXT")
    status, answer = datamap_json("check")
    assert status == 1
    assert answer["problems"] == []
    (found,) = answer["annotations"]
    assert found.pop("confidence") >= 0.5
    assert found == {
        "store": "shop",
        "collection": "customer",
        "column": "phone",
        "kind": "unmapped",
        "categories": ["user.contact.phone_number"],
        "why": "its name says so",
        "advice": "give it data_categories in the dataset file ([system.operations] where it is not personal) and load it again",
    }
    status, _, err = datamap("check")
    assert status == 1
    assert "shop: customer.phone: looks like user.contact.phone_number" in err


def test_an_unmapped_table_is_judged_by_what_it_hangs_below(shop: str) -> None:
    """Notes on a customer are personal; notes on a product are not."""
    run(
        shop,
        "CREATE TABLE remark (id INTEGER PRIMARY KEY, purchase_id INTEGER REFERENCES purchase, body TEXT);"
        "CREATE TABLE product (id INTEGER PRIMARY KEY, body TEXT);",
    )
    assert [(a["collection"], a["column"]) for a in datamap_json("check")[1]["annotations"]] == [("remark", "body")]


def test_a_listed_column_without_a_category_fails_until_somebody_decides(shop: str, tmp_path: Path) -> None:
    run(shop, "ALTER TABLE customer ADD COLUMN phone TEXT")
    place = "        - {name: city, data_categories: [user.contact.address.city]}\n"
    register(shop, tmp_path, SHOP.replace(place, place + "        - {name: phone}\n"))
    assert [a["kind"] for a in datamap_json("check")[1]["annotations"]] == ["unannotated"]
    register(shop, tmp_path, SHOP.replace(place, place + "        - {name: phone, data_categories: [system.operations]}\n"))
    assert datamap_json("check")[1]["annotations"] == []


def test_a_collection_that_the_file_skips_is_passed_over(shop: str, tmp_path: Path) -> None:
    run(shop, "CREATE TABLE lead (id INTEGER PRIMARY KEY, email TEXT)")
    assert datamap("check")[0] == 1
    skipped = "    - name: lead\n      fides_meta: {skip_processing: true}\n      fields: [{name: id}, {name: email}]\n"
    register(shop, tmp_path, SHOP + skipped)
    assert datamap("check")[0] == 0


def test_what_no_longer_fits_is_a_problem(shop: str) -> None:
    run(shop, "DROP TABLE purchase")
    status, answer = datamap_json("check")
    assert status == 1
    assert answer["problems"] == ["shop: the table of collection `purchase` is gone; the data map no longer fits, load it again"]


def test_undecided_collections_are_named_and_do_not_fail(shop: str, tmp_path: Path) -> None:
    file = tmp_path / "again.yml"
    file.write_text(SHOP + "# no --on-erasure this time\n")
    assert datamap("load", str(file))[0] == 0
    assert datamap_json("check") == (0, {"problems": [], "undecided": {"shop": ["customer"]}, "annotations": []})


def test_the_demo_has_one_forgotten_table_and_check_finds_it(
    make_postgres_database: Callable[[], str], tmp_path: Path, settings: Any
) -> None:
    settings.INSYN_SQLITE_ROOT = tmp_path
    urls = {
        "crm": make_postgres_database(),
        "billing": make_postgres_database(),
        "activity": f"sqlite:///{stores.activity_file()}",
        "hosted": f"sqlite:///{stores.hosted_file()}",
    }
    stores.fill(today=date(2026, 11, 22), urls=urls, customers=60)
    stores.register(urls=urls, now=timezone.now())
    status, answer = datamap_json("check")
    assert (status, answer["problems"]) == (1, [])
    assert [(a["store"], a["collection"], a["column"]) for a in answer["annotations"]] == [("crm", "legacy_import_2019", "line")]
