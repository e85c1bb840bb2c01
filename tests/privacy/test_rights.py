"""The legal basis decides which rights there are (Art. 6, 17, 20, 21): the table, and what people are told by it."""

from datetime import UTC, datetime

import pytest

from privacy import collection_words
from privacy.datamap.extension import BASES
from privacy.datamap.loader import parse
from privacy.information import information
from privacy.models import Store
from privacy.processing import Held
from privacy.rights import BY_BASIS, gives

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
#            erasure  portability  objection  withdrawal
TABLE = {
    "6-1-a": (True, True, False, True),
    "6-1-b": (True, True, False, False),
    "6-1-c": (False, False, False, False),
    "6-1-d": (True, False, False, False),
    "6-1-e": (False, False, True, False),
    "6-1-f": (True, False, True, False),
}
RIGHTS = ("erasure", "portability", "objection", "withdrawal")


def held(basis, *, marketing=False):
    purposes = f"purposes: [{{key: p, basis: {basis}}}]," if basis else ""
    purpose = "purpose: p, " if basis else ""
    objection = "objection: {set: {news: false}}" if marketing else ""
    (dataset,) = parse(
        f"""
dataset:
- fides_key: shop
  meta: {{privacy: {{{purposes} collections: {{buyer: {{{purpose}source: provided, {objection}}}}}}}}}
  collections:
  - name: buyer
    fields:
    - {{name: id, fides_meta: {{primary_key: true}}}}
    - {{name: email, data_categories: [user.contact.email], fides_meta: {{identity: email}}}}
    - {{name: news, data_categories: [user.privacy_preferences]}}
""",
        file="shop.yml",
    )
    return Held(Store(key="shop", country="SE"), dataset)


def told(item):
    return {right["name"] for right in information([item], language="en", now=NOW)["rights"]}


def test_no_basis_is_forgotten():
    assert set(TABLE) == set(BY_BASIS) == set(BASES)


@pytest.mark.parametrize("right", RIGHTS)
@pytest.mark.parametrize("basis", TABLE)
def test_a_basis_gives_the_rights_of_the_table(basis, right):
    assert gives(basis, right) == TABLE[basis][RIGHTS.index(right)]


@pytest.mark.parametrize("right", ["access", "rectification", "restriction"])
@pytest.mark.parametrize("basis", [*TABLE, ""])
def test_these_need_no_basis(basis, right):
    assert gives(basis, right)


@pytest.mark.django_db
@pytest.mark.parametrize("basis", TABLE)
def test_people_are_told_of_the_rights_that_they_have(basis):
    names = told(held(basis))
    for name, applies in zip(("Erasure", "Data portability", "Objection", "Withdrawal of consent"), TABLE[basis], strict=True):
        assert (name in names) == applies, name
    assert {"Correction", "Restriction", "A human decision"} <= names


@pytest.mark.parametrize("basis", TABLE)
def test_a_package_to_take_along_holds_what_the_table_says(basis):
    dataset = held(basis).dataset
    buyer = dataset.collections["buyer"]
    assert collection_words.portable(dataset, buyer, buyer.fields["email"]) == TABLE[basis][1]


@pytest.mark.django_db
def test_to_direct_marketing_anybody_may_object():
    assert "Objection" in told(held("6-1-a", marketing=True))


@pytest.mark.django_db
def test_where_no_basis_is_recorded_nobody_loses_a_right():
    assert {"Erasure", "Data portability", "Objection"} <= told(held(""))
