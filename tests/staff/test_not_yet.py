"""Erasure is decided per purpose: while a contract runs the answer is "not yet", and what ends it (R30)."""

from datetime import datetime, time, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from privacy import returning
from requests_app.models import State
from tests.privacy.shared_rows import Shop
from tests.staff.conftest import fresh
from tests.staff.test_keeping_back import asked, erase

pytestmark = pytest.mark.django_db(transaction=True)
SCHEMA = """
CREATE TABLE customer (id integer PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE contract (id integer PRIMARY KEY, customer_id integer REFERENCES customer, plan text, ends_on date);
CREATE TABLE visit (id integer PRIMARY KEY, customer_id integer REFERENCES customer, page text);
INSERT INTO customer VALUES (1, 'anna@example.se');
INSERT INTO contract VALUES (10, 1, 'Web', NULL), (11, 1, 'Mail', '2020-01-01');
INSERT INTO visit VALUES (20, 1, '/start');
"""
MAP = """
dataset:
- fides_key: shop
  meta:
    privacy:
      purposes: [{key: hosting, basis: 6-1-b}, {key: statistics, basis: 6-1-f}]
      collections:
        customer: {purpose: hosting, source: provided, on_erasure: delete}
        contract:
          purpose: hosting
          source: provided
          on_erasure: delete
          keep: [{basis: a running contract, from: ends_on, for: P0D, with: [customer]}]
        visit: {purpose: statistics, source: observed, on_erasure: delete}
      fields: {contract.ends_on: {label: {sv: Avtalets slut, en: End of the contract}}}
  collections:
  - name: customer
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
  - name: contract
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: customer_id, fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}}
    - {name: plan, data_categories: [user.behavior]}
    - {name: ends_on, data_categories: [user.behavior]}
  - name: visit
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: customer_id, fides_meta: {references: [{dataset: shop, field: customer.id, direction: from}]}}
    - {name: page, data_categories: [user.behavior.browsing_history]}
"""


@pytest.fixture
def shop(make_postgres_database, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    return Shop(make_postgres_database(), MAP, SCHEMA)


def test_what_a_running_contract_needs_waits_for_its_end_and_the_rest_goes(desk, shop):
    case = asked()
    page = desk.browser("alice").get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk])).content.decode()
    assert "not yet 1 row: a running contract; it goes when “End of the contract” has come" in page
    done = erase(desk, case)
    assert done.state == State.COMPLETED
    assert shop.column("SELECT id FROM contract") == [10]
    assert shop.column("SELECT id FROM visit") == []
    assert "1 record not erased yet: a running contract. It goes when “End of the contract” has come" in done.answer

    ends = timezone.localdate() + timedelta(days=5)
    shop.sql(f"UPDATE contract SET ends_on = '{ends}'")
    for day, left in ((ends - timedelta(days=1), [10]), (ends, [])):
        returning.run(now=timezone.make_aware(datetime.combine(day, time(3))))
        assert shop.column("SELECT id FROM contract") == left
    assert shop.column("SELECT id FROM customer") == []
    assert fresh(case).state == State.COMPLETED
