"""People of one command who are gone on with one by one stay told apart in what is remembered of them (R22, R23)."""

import json

import pytest
from django.core.management import CommandError, call_command

from privacy.engine.erasure import erase as erasing
from privacy.models import LedgerEntry, Remnant
from privacy.stores.base import StoreUnavailable
from tests.privacy.shared_rows import Shop
from tests.privacy.test_returning import MAP, SCHEMA

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_has_a_remnant_and_marks_of_their_own(make_postgres_database, settings, tmp_path, monkeypatch, capsys):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    Shop(make_postgres_database(), MAP, SCHEMA)
    people = tmp_path / "people"
    people.write_text("".join(json.dumps({"email": f"{name}@example.se"}) + "\n" for name in ("anna", "bo")))

    def away(*arguments, **options):
        raise StoreUnavailable("shop: away")

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "erase", away)
        with pytest.raises((CommandError, SystemExit)):
            call_command("subject", "erase", "--people", str(people), "--json")
    for name in ("bo", "anna"):
        call_command("subject", "erase", "--identity", f"email={name}@example.se", "--json")
    capsys.readouterr()
    assert Remnant.objects.count() == 2
    by_case = LedgerEntry.objects.filter(kind="identity").values_list("case", "lookup")
    assert len(by_case) == len({case for case, _ in by_case}) == 2
