"""The rows of the ledger: an invoice in advance for every period of a contract, ten years back."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from demo.crm import Row, Service, Table
from demo.people import Person, Population, noon

METHODS = ("bankgiro", "bankgiro", "autogiro", "kort", "swish")


def tables(population: Population, contracts: dict[str, list[Service]], draw: random.Random) -> dict[str, Table]:
    """Every table of the ledger, parents before children. Invoice numbers follow the day of issue, as the law wants them."""
    accounts = {person.number: place for place, person in enumerate(population.people, 1)}
    due = sorted(
        (
            (period, person.number, person, contracts[person.number])
            for person in population.people
            for period in _periods(person, contracts[person.number], population.today)
        ),
        key=lambda entry: entry[:2],
    )
    invoices: list[Row] = []
    lines: list[Row] = []
    payments: list[Row] = []
    for place, (issued, _, person, rented) in enumerate(due, 1):
        running = [
            service for service in rented if service.started_on <= issued and not (service.ends_on and service.ends_on <= issued)
        ]
        net = sum((Decimal(service.price * person.months_per_invoice) for service in running), Decimal(0))
        vat = net / 4
        invoices.append(
            (
                place, f"F{issued.year}-{place:06d}", accounts[person.number], issued, issued + timedelta(days=30), net, vat, net + vat,
                person.street, person.postcode, person.city, person.name, person.email,
            )
        )  # fmt: skip
        lines.extend(
            (place, number, f"{service.plan}, {service.domain}", person.months_per_invoice, Decimal(service.price))
            for number, service in enumerate(running, 1)
        )
        paid = issued + timedelta(days=draw.randint(3, 34))
        if paid <= population.today:
            payments.append((place, paid, net + vat, draw.choice(METHODS), person.name))
    return {
        "account": Table(
            ("id", "customer_number", "name", "company", "street", "postcode", "city", "email", "closed_on", "created_at"),
            [
                (
                    accounts[who.number],
                    who.number,
                    who.name,
                    who.company,
                    who.street,
                    who.postcode,
                    who.city,
                    who.email,
                    who.ended_on,
                    noon(who.since),
                )
                for who in population.people
            ],
        ),
        "invoice": Table(
            (
                "id",
                "number",
                "account_id",
                "issued_on",
                "due_on",
                "net",
                "vat",
                "total",
                "bill_street",
                "bill_postcode",
                "bill_city",
                "your_reference",
                "sent_to",
            ),
            invoices,
        ),
        "invoice_line": Table(("invoice_id", "line_no", "description", "quantity", "unit_price"), lines),
        "payment": Table(("invoice_id", "paid_on", "amount", "method", "payer"), payments),
    }


def _periods(person: Person, rented: list[Service], today: date) -> Iterator[date]:
    """The first day of every period in which something is rented, until today."""
    if not rented:
        return
    day, months = person.since, 0
    while day <= min(today, person.ended_on - timedelta(days=1) if person.ended_on else today):
        yield day
        months += person.months_per_invoice
        month = person.since.month - 1 + months
        day = date(person.since.year + month // 12, month % 12 + 1, min(person.since.day, 28))
