"""A database that nobody here wrote, on three kinds of server: load, locate, export, erase, with one answer (DESIGN §7)."""

from __future__ import annotations

import io
import json
import re
import zipfile
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from django.core.management import call_command

from privacy.maps import policy
from privacy.stores.registry import open_store
from tests import chinook

pytestmark = pytest.mark.django_db(transaction=True)

LUIS, JANE = "luisg@embraer.com.br", "jane@chinookcorp.com"
# Table and field names as PostgreSQL's script spells them; the others write CustomerId for customer_id.
DATASET = """
dataset:
- fides_key: chinook
  collections:
  - name: customer
    fields:
    - {name: customer_id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
    - {name: first_name, data_categories: [user.name]}
    - {name: last_name, data_categories: [user.name]}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - name: support_rep_id
      data_categories: [system.operations]
      fides_meta: {references: [{dataset: chinook, field: employee.employee_id}]}
  - name: employee
    fields:
    - {name: employee_id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
    - {name: first_name, data_categories: [user.name]}
    - {name: last_name, data_categories: [user.name]}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - name: reports_to
      data_categories: [system.operations]
      fides_meta: {references: [{dataset: chinook, field: employee.employee_id}]}
  - name: invoice
    fields:
    - {name: invoice_id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
    - name: customer_id
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: chinook, field: customer.customer_id, direction: from}]}
    - {name: billing_address, data_categories: [user.contact.address]}
    - {name: total, data_categories: [user.financial]}
  - name: invoice_line
    fields:
    - {name: invoice_line_id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - name: invoice_id
      data_categories: [system.operations]
      fides_meta: {references: [{dataset: chinook, field: invoice.invoice_id, direction: from}]}
    - {name: unit_price, data_categories: [user.financial]}
"""


class Chinook:
    def __init__(self, url: str, file: Path) -> None:
        self.url, self.file = url, file
        self.store = open_store("chinook", url, policy=policy())
        self.camel = "customer" not in self.store.schema().tables
        file.write_text(self.spelled(DATASET))

    def spelled(self, text: str) -> str:
        """The dataset with this database's names: `customer_id` is CustomerId on the others."""
        if not self.camel:
            return text
        lines = []
        for line in text.splitlines():
            line = re.sub(r"name: (\w+)", lambda m: f"name: {self.name(m[1])}", line)
            lines.append(re.sub(r"field: (\w+)\.(\w+)", lambda m: f"field: {self.name(m[1])}.{self.name(m[2])}", line))
        return "\n".join(lines)

    def name(self, snake: str) -> str:
        return "".join(part.capitalize() for part in snake.split("_")) if self.camel else snake

    def plain(self, name: str) -> str:
        return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        with self.store.engine.connect() as connection:  # type: ignore[attr-defined]
            found = connection.execute(sa.select(sa.text("*")).select_from(sa.table(self.name(table))))
            return sorted((tuple(row) for row in found), key=lambda row: tuple(str(part) for part in row))

    def command(self, *arguments: str) -> tuple[int, Any]:
        """(exit status, the JSON answer with this database's names made alike)."""
        out, status = io.StringIO(), 0
        try:
            call_command(*arguments, "--json", stdout=out, stderr=io.StringIO())
        except SystemExit as leaving:
            status = int(leaving.code or 0)
        return status, json.loads(out.getvalue())

    def collections(self, answer: dict[str, Any]) -> dict[str, Any]:
        return {self.plain(name): counts for name, counts in answer["stores"]["chinook"].items() if name != "residue"}


@pytest.fixture(params=["postgresql", "mariadb", "sqlite"])
def store(request: pytest.FixtureRequest, chinook_dir: Path, tmp_path: Path, settings: Any) -> Chinook:
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    if request.param == "postgresql":
        url = request.getfixturevalue("make_postgres_database")()
    elif request.param == "mariadb":
        url = request.getfixturevalue("mariadb_url")
    else:
        path = request.getfixturevalue("sqlite_path")
        path.touch()
        url = f"sqlite:///{path}"
    chinook.fill(url, chinook_dir)
    made = Chinook(url, tmp_path / "chinook.yml")
    status, answer = made.command("datamap", "load", str(made.file), "--url", f"chinook={url}", "--on-erasure", "delete")
    assert (status, answer["loaded"]["chinook"]["assumed"]) == (0, "delete")
    return made


def numbers(counts: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(counts[name] for name in names)


def test_a_customer_is_located_with_invoices_and_without_the_employee(store: Chinook) -> None:
    status, answer = store.command("subject", "locate", "--identity", f"email={LUIS}")

    found = store.collections(answer)
    assert (status, answer["found"]) == (0, True)
    assert {name: numbers(counts, "rows", "contested", "others") for name, counts in found.items()} == {
        "customer": (1, 0, 0),
        "invoice": (7, 0, 0),
        "invoice_line": (38, 0, 0),
        "employee": (0, 0, 1),
    }
    assert found["customer"]["keys"] == [[1]]
    assert found["invoice"]["keys"] == [[98], [121], [143], [195], [316], [327], [382]]


def test_the_export_holds_the_persons_rows_and_nobody_elses(store: Chinook, tmp_path: Path) -> None:
    out = tmp_path / "luis.zip"

    status, answer = store.command("subject", "export", "--identity", f"email={LUIS}", "--out", str(out))

    assert (status, store.collections(answer)["invoice"]["exported"]) == (0, 7)
    package = zipfile.ZipFile(out)
    customers = json.loads(package.read(f"data/chinook/{store.name('customer')}.json"))
    assert [row[store.name("email")] for row in customers] == [LUIS]
    lines = json.loads(package.read(f"data/chinook/{store.name('invoice_line')}.json"))
    assert len(lines) == 38
    totals = {
        Decimal(str(row[store.name("total")])) for row in json.loads(package.read(f"data/chinook/{store.name('invoice')}.json"))
    }
    assert totals == {Decimal(t) for t in ("3.98", "3.96", "5.94", "0.99", "1.98", "13.86", "8.91")}
    assert JANE not in package.read("index.html").decode()


def test_erasing_a_customer_touches_nobody_else_row_by_row(store: Chinook) -> None:
    tables = ("customer", "employee", "invoice", "invoice_line", "track", "playlist_track", "album")
    before = {table: store.rows(table) for table in tables}

    status, answer = store.command("subject", "erase", "--identity", f"email={LUIS}")

    assert status == 0
    done = store.collections(answer)
    assert {name: numbers(done[name], "deleted", "remaining") for name in ("customer", "invoice", "invoice_line")} == {
        "customer": (1, 0),
        "invoice": (7, 0),
        "invoice_line": (38, 0),
    }
    invoices = {98, 121, 143, 195, 316, 327, 382}
    after = {table: store.rows(table) for table in tables}
    assert after["customer"] == [row for row in before["customer"] if row[0] != 1]
    assert after["invoice"] == [row for row in before["invoice"] if row[0] not in invoices]
    assert after["invoice_line"] == [row for row in before["invoice_line"] if row[1] not in invoices]
    for untouched in ("employee", "track", "playlist_track", "album"):
        assert after[untouched] == before[untouched]


def test_erasing_again_says_that_nothing_is_found(store: Chinook) -> None:
    store.command("subject", "erase", "--identity", f"email={LUIS}")

    status, answer = store.command("subject", "erase", "--identity", f"email={LUIS}")

    assert (status, answer["found"]) == (1, False)


def test_an_employees_request_hands_out_and_destroys_no_customers(store: Chinook, tmp_path: Path) -> None:
    before = {table: store.rows(table) for table in ("customer", "invoice", "invoice_line")}
    out = tmp_path / "jane.zip"

    status, exported = store.command("subject", "export", "--identity", f"email={JANE}", "--out", str(out))
    assert status == 1  # contested rows were withheld, and it says so
    assert numbers(store.collections(exported)["customer"], "rows", "contested", "exported") == (21, 21, 0)
    assert json.loads(zipfile.ZipFile(out).read(f"data/chinook/{store.name('customer')}.json")) == []

    status, erased = store.command("subject", "erase", "--identity", f"email={JANE}")
    done = store.collections(erased)
    assert status == 1
    assert numbers(done["employee"], "deleted", "anonymized", "pinned") == (0, 1, 1)
    assert numbers(done["customer"], "deleted", "contested") == (0, 21)
    assert {table: store.rows(table) for table in before} == before
    assert len(store.rows("employee")) == 8
    assert not any(JANE in map(str, row) or "Peacock" in map(str, row) for row in store.rows("employee"))


def test_a_dry_run_changes_nothing(store: Chinook) -> None:
    before = {table: store.rows(table) for table in ("customer", "employee", "invoice", "invoice_line")}

    status, answer = store.command("subject", "erase", "--identity", f"email={LUIS}", "--dry-run")

    assert (status, store.collections(answer)["invoice"]["would"]["delete"]) == (0, 7)
    assert {table: store.rows(table) for table in before} == before


def test_a_batch_ends_as_one_by_one(store: Chinook, tmp_path: Path) -> None:
    people = tmp_path / "people.jsonl"
    emails = [LUIS, "leonekohler@surfeu.de", "ftremblay@gmail.com"]
    people.write_text("\n".join(json.dumps({"email": email}) for email in emails))

    status, answers = store.command("subject", "erase", "--people", str(people))

    assert status == 0
    assert [store.collections(answer)["customer"]["deleted"] for answer in answers] == [1, 1, 1]
    assert {row[0] for row in store.rows("customer")} == set(range(4, 60))
    assert not any(row[1] in (1, 2, 3) for row in store.rows("invoice"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("subject", "locate"),
        ("subject", "locate", "--identity", "luisg"),
        ("subject", "erase", "--identity", "email=not-an-address"),
    ],
)
def test_wrong_usage_is_told_apart_from_nothing_found(store: Chinook, arguments: tuple[str, ...]) -> None:
    from django.core.management.base import CommandError

    with suppress(CommandError):  # argparse's own kind of complaint; the command line ends it with status 1 or 2
        with pytest.raises(SystemExit) as leaving:
            call_command(*arguments, "--json", stdout=io.StringIO(), stderr=io.StringIO())
        assert leaving.value.code == 2
