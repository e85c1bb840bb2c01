"""An erasure that was cut after the store had committed is written down by the next try, though the map changed meanwhile."""

import pytest

from privacy import returning
from privacy.models import LedgerEntry, Remnant
from tests.privacy.shared_rows import ANNA, Shop
from tests.privacy.test_returning import MAP, SCHEMA, rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(make_postgres_database, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    return Shop(make_postgres_database(), MAP, SCHEMA)


def cut(shop, plan):
    """Erase, and die between the commit and the writing down."""

    class Died(BaseException):
        pass

    def die(**_):
        raise Died

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(returning, "keep", die)
        with pytest.raises(Died):
            shop.erase(ANNA, plan=plan)
    assert not LedgerEntry.objects.exists()


def test_it_is_remembered_though_the_map_was_loaded_again(shop):
    plan = shop.plan(ANNA)
    cut(shop, plan)
    assert rows(shop) == ([1, 2], [10, 11, 12], [21])  # her invoices are kept, and the name they need
    shop.load(MAP.replace("basis: 6-1-b", "basis: 6-1-f"))
    outcome = shop.erase(ANNA, plan=plan)
    assert outcome.status == "done"
    assert outcome.report["collections"]["login"]["erased_earlier"] == 1
    assert LedgerEntry.objects.exists()
    assert Remnant.objects.count() == 1


def test_what_the_new_map_would_do_beyond_the_approval_is_not_done(shop):
    plan = shop.plan(ANNA)
    cut(shop, plan)
    before = rows(shop)
    shop.load(MAP.replace("for: P7Y", "for: P1Y"))  # two invoices could go now, which nobody approved
    outcome = shop.erase(ANNA, plan=plan)
    assert outcome.status == "blocked"
    assert "data map changed" in outcome.reason
    assert rows(shop) == before


def test_a_plan_of_which_nothing_was_done_stops_when_the_map_changed(shop):
    plan = shop.plan(ANNA)
    shop.load(MAP.replace("on_erasure: delete}", "on_erasure: anonymize}"))
    before = rows(shop)
    assert shop.erase(ANNA, plan=plan).status == "blocked"
    assert rows(shop) == before


def test_a_second_erasure_of_a_case_forgets_nothing_that_the_first_left(shop):
    shop.erase(ANNA)
    shop.sql("INSERT INTO customer VALUES (9, 'anna@example.se', 'Anna', '9')")
    shop.sql("INSERT INTO invoice VALUES (19, 9, '2025-03-01', 900, 'd')")
    shop.erase(ANNA)
    (remnant,) = Remnant.objects.all()
    assert {group[0][0] for group in remnant.plan["groups"]["customer"]} == {1, 9}
    assert remnant.due_on.isoformat() == "2029-03-01"  # of invoice 10, which the second plan did not know
