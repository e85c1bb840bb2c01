"""Whether a name and a contact stand together in a store: by exact identity, by the words of a name, and nothing more is told."""

import pytest
from django.utils import timezone

from privacy import actions, maps
from privacy.actions import Identity
from tests.privacy.shared_rows import MAP, SCHEMA, Shop

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = """
UPDATE customer SET name = 'Anna Maria Öberg' WHERE id = 1; UPDATE customer SET name = NULL WHERE id = 3;
INSERT INTO customer VALUES (4, 'dan@example.se', 'Dan-Erik Ek'), (5, 'eva@example.se', 'Cher');
UPDATE document SET signed_by = 'Bo Ek' WHERE id = 11;
"""
SPLIT = """
dataset:
- fides_key: club
  meta: {privacy: {collections: {member: {on_erasure: delete}}}}
  collections:
  - name: member
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: first, data_categories: [user.name.first]}
    - {name: last, data_categories: [user.name.last]}
"""


@pytest.fixture
def shop(make_postgres_database):
    return Shop(make_postgres_database(), MAP, SCHEMA + NAMES)


def beside(name, *emails):
    return actions.name_beside([Identity("email", f"{email}@example.se") for email in emails], name=name)


@pytest.mark.parametrize(
    ("name", "email", "answer"),
    [
        ("Anna Maria Öberg", "anna", "yes"),
        ("Öberg, Anna", "anna", "yes"),
        ("anna OBERG", "Anna", "yes"),
        ("Erik Dan Ek", "dan", "yes"),
        ("Cher", "eva", "yes"),
        ("Öberg", "anna", "no"),  # a family name alone is a household's
        ("Anna", "anna", "no"),
        ("", "anna", "no"),
        ("Anna Öberg", "dan", "no"),
        ("Bo Ek", "anna", "no"),  # who signed one of Anna's papers is not Anna
        ("Cia Ask", "cia", "unknown"),  # a contact without a name
        ("Anna Öberg", "nobody", "unknown"),
    ],
)
def test_a_name_and_a_contact(shop, name, email, answer):
    assert beside(name, email) == answer


def test_each_of_several_contacts_must_be_theirs(shop):
    assert beside("Anna Öberg", "anna", "dan") == "no"
    assert beside("Anna Öberg", "anna", "nobody") == "unknown"
    assert actions.name_beside([], name="Anna Öberg") == "unknown"


def test_a_contact_of_two_people_says_nothing(shop):
    shop.sql("INSERT INTO customer VALUES (6, 'Anna@Example.se', 'Anna Öberg')")
    assert beside("Anna Öberg", "anna") == "unknown"


def test_a_name_in_parts_is_one_name(make_postgres_database):
    url = make_postgres_database()
    Shop(
        url,
        MAP,
        SCHEMA + "CREATE TABLE member (id integer PRIMARY KEY, email text UNIQUE, first text, last text);"
        "INSERT INTO member VALUES (1, 'fia@example.se', 'Fia', 'Gran'), (2, 'gun@example.se', 'Gun', 'Hed');",
    )
    maps.load(sources=[SPLIT], urls={"club": url}, actor="operator:test", now=timezone.now())
    assert beside("Fia Gran", "fia") == "yes"
    assert beside("Fia Hed", "fia") == "no"


def test_a_store_that_cannot_be_read_leaves_it_open(shop, make_postgres_database):
    from privacy.models import Store

    url = make_postgres_database()
    other = Shop(url, MAP, SCHEMA)
    assert other
    maps.load(
        sources=[
            SPLIT.replace("club", "far")
            .replace("member", "customer")
            .replace("first", "name")
            .replace("    - {name: last, data_categories: [user.name.last]}\n", "")
        ],
        urls={"far": url},
        actor="operator:test",
        now=timezone.now(),
    )
    Store.objects.filter(key="shop").update(url="postgresql://u:p@127.0.0.1:1/none")
    assert beside("Anna", "anna") == "yes"  # the other store says so
    assert beside("Dan Ek", "anna") == "unknown"
