"""The three stores hold together: keys within a store are the database's to check, those between stores are checked here."""

import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from demo import stores

TODAY = date(2026, 11, 22)


@pytest.fixture
def urls(make_postgres_database: Callable[[], str], tmp_path: Path, settings: Any) -> dict[str, str]:
    settings.INSYN_SQLITE_ROOT = tmp_path
    urls = {
        "crm": make_postgres_database(),
        "billing": make_postgres_database(),
        "activity": f"sqlite:///{stores.activity_file()}",
        "hosted": f"sqlite:///{stores.hosted_file()}",
    }
    stores.fill(today=TODAY, urls=urls, customers=120)
    return urls


def column(url: str, statement: str) -> set[Any]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute(statement.encode())}


def activity(statement: str) -> list[Any]:
    connection = sqlite3.connect(stores.activity_file())
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_the_three_stores_know_the_same_customers(urls: dict[str, str]) -> None:
    numbers = column(urls["crm"], "SELECT number FROM customer")
    assert len(numbers) == 120
    assert column(urls["billing"], "SELECT customer_number FROM account") == numbers
    assert {row[0] for row in activity("SELECT customer_number FROM panel_user")} == numbers


def test_no_row_of_the_logs_hangs_in_the_air(urls: dict[str, str]) -> None:
    assert activity("PRAGMA foreign_key_check") == []


def test_invoices_add_up_and_some_are_older_than_the_law_needs(urls: dict[str, str]) -> None:
    with psycopg.connect(urls["billing"]) as connection:
        wrong = connection.execute(
            "SELECT count(*) FROM invoice i WHERE net <> "
            "(SELECT sum(quantity * unit_price) FROM invoice_line WHERE invoice_id = i.id)"
        ).fetchone()
        years = connection.execute("SELECT min(issued_on), max(issued_on) FROM invoice").fetchone()
    assert wrong == (0,)
    assert years is not None
    assert years[0].year <= 2017
    assert years[1] <= TODAY


def test_a_new_row_gets_a_number_of_its_own(urls: dict[str, str]) -> None:
    with psycopg.connect(urls["crm"]) as connection:
        number = connection.execute(
            "INSERT INTO ticket (customer_id, subject, opened_at) VALUES (1, 'x', now()) RETURNING id"
        ).fetchone()
        largest = connection.execute("SELECT max(id) FROM ticket").fetchone()
    assert number == largest


def test_the_shared_domain_belongs_to_both(urls: dict[str, str]) -> None:
    owners = column(
        urls["crm"],
        "SELECT c.name FROM domain_owner o JOIN domain d ON d.id = o.domain_id JOIN customer c ON c.id = o.customer_id"
        " WHERE d.name = 'dahl-form.example'",
    )
    assert owners == {"David Dahl", "Disa Dahl"}


def test_the_forgotten_table_holds_what_no_map_names(urls: dict[str, str]) -> None:
    lines = column(urls["crm"], "SELECT line FROM legacy_import_2019")
    assert any("klara.kvist@example.com" in line for line in lines)
    assert all("legacy_import_2019" not in text for _name, text in stores.datasets())


def test_filling_again_puts_everything_back(urls: dict[str, str]) -> None:
    before = column(urls["crm"], "SELECT customer::text FROM customer")
    with psycopg.connect(urls["crm"]) as connection:
        connection.execute("UPDATE customer SET name = 'x', suspended = true")
    stores.fill(today=TODAY, urls=urls, customers=120)
    assert column(urls["crm"], "SELECT customer::text FROM customer") == before


def test_what_visitors_left_belongs_to_customers_and_some_of_them_are_customers_themselves(urls: dict[str, str]) -> None:
    with sqlite3.connect(stores.hosted_file()) as connection:
        sites = {row[0] for row in connection.execute("SELECT customer_number FROM site")}
        visitors = {row[0] for row in connection.execute("SELECT email FROM guestbook_entry")}
        astray = connection.execute("PRAGMA foreign_key_check").fetchall()
    connection.close()
    assert sites <= column(urls["crm"], "SELECT number FROM customer")
    known = visitors & column(urls["crm"], "SELECT email FROM customer")
    assert known
    assert visitors - known
    assert astray == []
