"""Copies that triggers make in a table without a key: those that the map keeps in part are told from those that stand (R19)."""

from __future__ import annotations

import pytest

from tests.schemas.conftest import EveryKind, MakeZoo
from tests.schemas.test_triggers import HISTORY_FIELDS, keep_history
from tests.schemas.zoo import ANNA, FROZEN, PEOPLE, PERSON, PERSON_FIELDS

pytestmark = pytest.mark.django_db


@EveryKind
def test_a_copy_beside_history_that_is_kept_keeps_no_more_than_that(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(PERSON, PEOPLE)
    keep_history(here, kind)
    here.run("UPDATE person SET frozen = 5 WHERE id = 1")
    kept = {"a_history": {"on_erasure": "delete", "keep": [{"basis": "law", "from": "seen", "for": "P700Y", "fields": ["name"]}]}}
    here.run("ALTER TABLE a_history ADD seen date DEFAULT '2020-01-01'", "UPDATE a_history SET seen = '2020-01-01'")
    here.load(
        {"a_history": HISTORY_FIELDS | {"seen": "plain"}, "person": PERSON_FIELDS},
        {"collections": {**FROZEN["collections"], **kept}},
    )
    status, answer = here.act("erase")
    rows = here.content()["a_history"]
    assert {row["name"] for row in rows} == {"Anna"}
    assert len(rows) == 2
    assert [row["email"] for row in rows if row["email"] == ANNA] == [], answer
    assert status == 0, answer
