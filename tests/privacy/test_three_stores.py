"""A chain of stores of three kinds: customers in SQLite, their orders in PostgreSQL, parcels in MariaDB (R13, R19)."""

import pytest
from django.utils import timezone

from privacy import actions, maps
from privacy.actions import Identity, Person, RunItem
from privacy.models import Store
from requests_app.operating.act import act
from requests_app.operating.asked import Asked
from tests.privacy.test_returning_anywhere import Database

pytestmark = pytest.mark.django_db(transaction=True)

ANNA = Person("person-anna", (Identity("email", "anna@example.se"),))
CHAIN = ("crm", "shop", "depot")
TABLES = {"crm": "customer", "shop": "orders", "depot": "parcel"}
SCHEMAS = {
    "crm": "CREATE TABLE customer (number text PRIMARY KEY, email text UNIQUE, name text);"
    "INSERT INTO customer VALUES ('K1', 'anna@example.se', 'Anna'), ('K2', 'bo@example.se', 'Bo')",
    "shop": "CREATE TABLE orders (id integer PRIMARY KEY, number text, note text);"
    "INSERT INTO orders VALUES (10, 'K1', 'ring'), (11, 'K1', 'knock'), (12, 'K2', 'wait')",
    "depot": "CREATE TABLE parcel (id integer PRIMARY KEY, order_no varchar(20), street varchar(100));"
    "INSERT INTO parcel VALUES (1, '10', 'A'), (2, '11', 'A'), (3, '12', 'B')",
}
LINK = "data_categories: [user.unique_id], fides_meta: {references: [{dataset: %s, field: %s%s}]}"


def data_maps(direction):
    """`direction`: from the child's end; none where the link may be walked both ways."""
    way = f", direction: {direction}" if direction else ""
    fields = {
        "crm": [
            "name: number, data_categories: [user.unique_id], fides_meta: {primary_key: true}",
            "name: email, data_categories: [user.contact.email], fides_meta: {identity: email}",
            "name: name, data_categories: [user.name]",
        ],
        "shop": [
            "name: id, data_categories: [system.operations]",
            f"name: number, {LINK % ('crm', 'customer.number', way)}",
            "name: note, data_categories: [user.content]",
        ],
        "depot": [
            "name: id, data_categories: [system.operations]",
            f"name: order_no, {LINK % ('shop', 'orders.id', way)}",
            "name: street, data_categories: [user.contact.address.street]",
        ],
    }
    for store, columns in fields.items():
        listed = "".join(f"\n    - {{{column}}}" for column in columns)
        rule = f"meta: {{privacy: {{collections: {{{TABLES[store]}: {{on_erasure: delete}}}}}}}}"
        yield f"dataset:\n- fides_key: {store}\n  {rule}\n  collections:\n  - name: {TABLES[store]}\n    fields:{listed}\n"


class Chain:
    def __init__(self, urls, direction):
        self.stores = {key: Database(url, SCHEMAS[key]) for key, url in urls.items()}
        self.urls = {key: store.url for key, store in self.stores.items()}
        self.maps = list(data_maps(direction))
        self.load()

    def load(self):
        maps.load(sources=self.maps, urls=self.urls, actor="operator:test", now=timezone.now())

    def rows(self):
        return {key: self.stores[key].count(table) for key, table in TABLES.items()}


@pytest.fixture(params=["from", ""], ids=["one way", "both ways"])
def chain(request, sqlite_path, make_postgres_database, mariadb_url, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    sqlite_path.touch()
    made = Chain({"crm": f"sqlite:///{sqlite_path}", "shop": make_postgres_database(), "depot": mariadb_url}, request.param)
    yield made
    for store in made.stores.values():
        store.engine.dispose()


WHOLE, BOS = {"crm": 2, "shop": 3, "depot": 3}, {"crm": 1, "shop": 1, "depot": 1}


def erase_by_command():
    (answer,) = act(Asked(action="erase", people=[{"email": ["anna@example.se"]}]))
    return answer


def test_what_hangs_two_stores_below_is_found(chain):
    found = actions.find([ANNA], right="erasure")[ANNA.ref]
    assert {key: found[key].counts[TABLES[key]]["rows"] for key in CHAIN} == {"crm": 1, "shop": 2, "depot": 2}
    assert {finding.status for finding in found.values()} == {"found"}


def test_the_last_of_the_chain_goes_first_and_nobody_elses_rows_go(chain, monkeypatch):
    order, execute = [], actions.execute
    monkeypatch.setattr(actions, "execute", lambda **more: order.append(more["store_key"]) or execute(**more))
    answer = erase_by_command()
    assert order == ["depot", "shop", "crm"]
    assert (answer["found"], "left" in answer, chain.rows()) == (True, False, BOS)


@pytest.mark.parametrize("away", ["shop", "depot"])
def test_while_one_is_away_those_above_it_keep_their_rows_and_those_below_are_unknown(chain, away):
    Store.objects.filter(key=away).update(url=chain.urls[away].replace("/throwaway", "/nowhere"))
    found = actions.find([ANNA], right="erasure")[ANNA.ref]
    assert found[away].status == "unreachable"
    if away == "shop":
        assert found["depot"].status == "unknown"
    answer = erase_by_command()
    assert answer["left"]
    assert chain.rows() == WHOLE

    chain.load()
    erase_by_command()
    assert chain.rows() == BOS


@pytest.mark.parametrize("gone", [1, 2])
def test_a_run_that_was_cut_between_two_stores_is_ended_by_the_plans(chain, gone):
    """The plans remember all that led on: the next worker asks no store for what stood in another."""
    plans = {key: finding.plan for key, finding in actions.find([ANNA], right="erasure")[ANNA.ref].items()}

    def erase(store):
        item = RunItem("C-1", ANNA.ref, ANNA.identities, plans[store], {})
        return actions.execute(store_key=store, right="erasure", items=[item])["C-1"]

    order = ["depot", "shop", "crm"]
    for store in order[:gone]:
        assert erase(store).status == "done"
    reports = {store: erase(store) for store in order}
    assert {outcome.status for outcome in reports.values()} == {"done"}
    assert chain.rows() == BOS
    earlier = {store: reports[store].report["collections"][TABLES[store]].get("erased_earlier", 0) for store in order}
    assert earlier == {"depot": 2, "shop": 2 if gone == 2 else 0, "crm": 0}
