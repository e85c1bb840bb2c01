"""The rows of the customer register: what each person rents, owns and once asked about."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from demo.people import Person, Population, noon

PLANS = (("Webbhotell Start", 49), ("Webbhotell Bas", 89), ("Webbhotell Plus", 149), ("Virtuell server S", 199), ("E-post 10 brevlådor", 59))  # fmt: skip
TICKETS = (
    ("Kan inte logga in", "Hej! Jag kommer inte in i kontrollpanelen. Ni når mig på {phone}. /{first}", "Vi har skickat en ny länk till {email}."),
    ("Flytt av domän", "Hej, jag vill flytta {domain} till er. Vad behöver ni av mig?", "Hej {first}! Vi behöver auktoriseringskoden från er nuvarande leverantör."),
    ("E-post studsar", "Mejl till {email} studsar sedan i går. Vad är fel?", "MX-posten pekade fel, nu är det rättat. Hör av dig om det händer igen."),
    ("Fråga om faktura", "Jag förstår inte raden om {plan} på senaste fakturan.", "Den avser nästa period, {first}. Du betalar i förskott."),
    ("Certifikat", "Webbläsaren varnar när jag öppnar {domain}.", "Certifikatet är förnyat nu, {first}. Ladda om sidan."),
    ("Ändrad adress", "Vi har flyttat till {street}, {postcode} {city}. Kan ni ändra?", "Det är ändrat, {first}. Tack för att du hörde av dig."),
)  # fmt: skip

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Table:
    columns: tuple[str, ...]
    rows: list[Row]


@dataclass(frozen=True)
class Service:
    plan: str
    price: int
    started_on: date
    ends_on: date | None
    domain: str | None


def services(person: Person, draw: random.Random) -> list[Service]:
    """One contract per domain, the first from the day the person became a customer."""
    made = []
    for place, domain in enumerate(person.domains):
        plan, price = draw.choice(PLANS)
        started = person.since if place == 0 else person.since + timedelta(days=draw.randint(0, 200))
        if person.ended_on and started > person.ended_on:
            continue
        made.append(Service(plan, price, started, person.ended_on, domain))
    return made


def tables(population: Population, contracts: dict[str, list[Service]], draw: random.Random) -> dict[str, Table]:
    """Every table of the register, parents before children."""
    ids = {person.number: place for place, person in enumerate(population.people, 1)}
    domains = list(_domains(population, ids))
    domain_ids = {row[1]: row[0] for row in domains}
    tickets, messages = _tickets(population, ids, contracts, draw)
    return {
        "support_employee": Table(
            ("id", "name", "email", "phone", "hired_on"),
            [(employee.id, employee.name, employee.email, employee.phone, employee.hired_on) for employee in population.employees],
        ),
        "customer": Table(
            (
                "id", "number", "name", "company", "email", "phone", "street", "postcode", "city", "contact_changed_at", "marketing",
                "protected_identity", "support_rep_id", "created_at",
            ),
            [
                (
                    ids[who.number], who.number, who.name, who.company, who.email, who.phone, who.street, who.postcode, who.city,
                    noon(who.contact_changed_on), who.marketing, who.protected, who.support_rep, noon(who.since),
                )
                for who in population.people
            ],
        ),
        "contact_person": Table(
            ("id", "name", "email", "phone", "title"),
            [(place, who.name, who.email, who.phone, who.title) for place, who in enumerate(population.contacts, 1)],
        ),
        "customer_contact": Table(
            ("customer_id", "contact_person_id", "role"),
            [(ids[number], place, who.title) for place, who in enumerate(population.contacts, 1) for number in who.of],
        ),
        "domain": Table(("id", "name", "registrant_number", "registered_on", "expires_on"), domains),
        "domain_owner": Table(("domain_id", "customer_id", "role"), list(_owners(population, ids, domain_ids))),
        "dns_record": Table(("domain_id", "host", "type", "value"), list(_records(domains))),
        "hosting_service": Table(
            ("customer_id", "domain_id", "plan", "price_per_month", "started_on", "ends_on"),
            [
                (ids[number], domain_ids.get(service.domain or ""), service.plan, service.price, service.started_on, service.ends_on)
                for number, rented in contracts.items()
                for service in rented
            ],
        ),
        "ticket": Table(("id", "customer_id", "assigned_to", "subject", "opened_at", "closed_at"), tickets),
        "ticket_message": Table(("ticket_id", "employee_id", "body", "sent_at"), messages),
        "legacy_import_2019": Table(
            ("line",), [(f"{who.number};{who.name};{who.email};{who.city}",) for who in population.people if who.number in population.forgotten]
        ),
    }  # fmt: skip


def _domains(population: Population, ids: dict[str, int]) -> Iterator[Row]:
    place = 0
    for who in population.people:
        for name in who.domains:
            place += 1
            end = who.ended_on or population.today
            years = max(1, (end - who.since).days // 365 + 1)
            yield place, name, who.number, who.since, who.since + timedelta(days=365 * years)


def _owners(population: Population, ids: dict[str, int], domain_ids: dict[str, int]) -> Iterator[Row]:
    for who in population.people:
        for name in who.domains:
            yield domain_ids[name], ids[who.number], "owner"
            second = population.co_owners.get(name)
            if second:
                yield domain_ids[name], ids[second], "owner"


def _records(domains: list[Row]) -> Iterator[Row]:
    for place, name, *_ in domains:
        yield place, "@", "A", f"192.0.2.{place % 254 + 1}"
        yield place, "www", "CNAME", name
        yield place, "@", "MX", "10 mail.nordhem.example"


def _tickets(
    population: Population, ids: dict[str, int], contracts: dict[str, list[Service]], draw: random.Random
) -> tuple[list[Row], list[Row]]:
    tickets: list[Row] = []
    messages: list[Row] = []
    for who in population.people:
        end = noon(who.ended_on or population.today)
        asked = draw.choice((0, 1, 1, 2, 3))
        for _ in range(asked if who.tickets is None else who.tickets):
            subject, question, answer = draw.choice(TICKETS)
            opened = _moment(noon(who.since), end, draw)
            closed = opened + timedelta(hours=draw.randint(2, 90))
            employee = draw.randint(1, len(population.employees))
            rented = contracts[who.number]
            words = {
                "first": who.name.split()[0], "email": who.email, "phone": who.phone or who.email, "street": who.street,
                "postcode": who.postcode, "city": who.city, "domain": who.domains[0], "plan": rented[0].plan if rented else "webbhotell",
            }  # fmt: skip
            place = len(tickets) + 1
            tickets.append((place, ids[who.number], employee, subject, opened, closed))
            messages.append((place, None, question.format(**words), opened))
            messages.append((place, employee, answer.format(**words), closed))
    return tickets, messages


def _moment(start: datetime, end: datetime, draw: random.Random) -> datetime:
    """Some time between the two, a little before `end` so that what follows it lies in the past."""
    seconds = max(1, int((end - start).total_seconds()) - 5 * 86400)
    return start + timedelta(seconds=draw.randrange(seconds))
