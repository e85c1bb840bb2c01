"""The customers of the demo company, made up from a seed: the same day and seed give the same people everywhere.

Names are drawn from name statistics, streets and numbers at random. Addresses are on domains that RFC 2606 reserves, telephone
numbers from PTS's range for fiction (demo/phones.py), IP addresses from the blocks for documentation (RFC 5737, 3849).
"""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from faker import Faker

from demo import phones

SEED = 20260525
CUSTOMERS = 2000
YEARS = 10
TIME_ZONE = ZoneInfo("Europe/Stockholm")
FIRST_NUMBER = 100_010
MAIL_DOMAINS = ("example.com", "example.com", "example.com", "example.org", "example.org", "example.net")
# Towns with the first digits of their postcodes, the bigger the oftener.
TOWNS = (
    ("Stockholm", "11", 14), ("Göteborg", "41", 9), ("Malmö", "21", 6), ("Uppsala", "75", 5), ("Linköping", "58", 4), ("Örebro", "70", 4),
    ("Västerås", "72", 4), ("Helsingborg", "25", 3), ("Norrköping", "60", 3), ("Jönköping", "55", 3), ("Umeå", "90", 3), ("Lund", "22", 3),
    ("Borås", "50", 2), ("Sundsvall", "85", 2), ("Gävle", "80", 2), ("Eskilstuna", "63", 2), ("Karlstad", "65", 2), ("Växjö", "35", 2),
    ("Halmstad", "30", 2), ("Östersund", "83", 2), ("Luleå", "97", 2), ("Kalmar", "39", 2), ("Falun", "79", 2), ("Visby", "62", 1), ("Kiruna", "98", 1),
)  # fmt: skip
TRADES = ("Bygg", "Måleri", "El", "Redovisning", "Keramik", "Foto", "Trädgård", "Konsult", "Bageri", "Cykel", "Design", "Åkeri")


@dataclass(frozen=True)
class Person:
    number: str
    name: str
    email: str
    phone: str | None
    street: str
    postcode: str
    city: str
    since: date
    contact_changed_on: date
    company: str | None = None
    marketing: bool = False
    protected: bool = False
    support_rep: int = 1
    domains: tuple[str, ...] = ()
    ended_on: date | None = None  # the day the last contract ended; none while one runs
    months_per_invoice: int = 12
    busy: int = 1  # how much is asked of the site, as a multiple of the ordinary
    tickets: int | None = None  # none: as chance will have it


@dataclass(frozen=True)
class ContactPerson:
    name: str
    email: str
    phone: str | None
    title: str
    of: tuple[str, ...]  # customer numbers


@dataclass(frozen=True)
class Employee:
    id: int
    name: str
    email: str
    phone: str | None
    hired_on: date


@dataclass(frozen=True)
class Population:
    today: date
    people: tuple[Person, ...]
    employees: tuple[Employee, ...]
    contacts: tuple[ContactPerson, ...] = ()
    co_owners: dict[str, str] = field(default_factory=dict)  # domain -> customer number of the second owner
    forgotten: tuple[str, ...] = ()  # customer numbers in the table nobody remembers


def slug(text: str) -> str:
    """`Åsa Öberg-Lind` as `asa.oberg-lind`: how Swedes write their names in addresses."""
    folded = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return "".join(letter if letter.isalnum() or letter == "-" else "." for letter in folded).strip(".")


def noon(day: date) -> datetime:
    return datetime.combine(day, time(12), TIME_ZONE)


def populate(*, today: date, named: "Population", customers: int = CUSTOMERS, seed: int = SEED) -> Population:
    """The whole company on `today`: the named people of the showcase among people drawn at random."""
    draw, fake = random.Random(seed), Faker("sv_SE")  # noqa: S311 - made-up data, not secrets
    fake.seed_instance(seed)
    present: list[Person | ContactPerson | Employee] = [*named.people, *named.contacts, *named.employees]
    taken = {_digits(person.phone) for person in present}
    numbers = (phone for phone in _all_phones() if _digits(phone) not in taken)
    emails = {person.email.casefold() for person in present}
    used = {person.number for person in named.people}
    people = list(named.people)
    step = 8000 // customers if customers < 8000 else 1
    number = FIRST_NUMBER
    while len(people) < customers:
        number += draw.randint(1, max(1, 2 * step - 1))
        if f"K-{number}" in used:
            continue
        people.append(_person(number, number - FIRST_NUMBER, step * customers, today, draw, fake, emails, numbers))
    people.sort(key=lambda person: person.number)
    return replace(
        named,
        people=tuple(people),
        contacts=named.contacts + tuple(_shared_contacts(people, named, draw, fake, emails)),
        co_owners=named.co_owners | _shared_domains(people, named, draw),
        forgotten=named.forgotten + tuple(person.number for person in people if draw.random() < 0.015),
    )


def _all_phones() -> Iterator[str]:
    yield from phones.mobiles()
    yield from phones.fixed_lines()
    yield from phones.direct_lines()


def _digits(phone: str | None) -> str:
    """The number however it is spelled: 070-174 06 05 and +46 70 174 06 05 are one."""
    digits = "".join(filter(str.isdigit, phone or ""))
    return digits.removeprefix("46").removeprefix("0")


def _person(
    number: int, place: int, places: int, today: date, draw: random.Random, fake: Faker, emails: set[str], numbers: Iterator[str]
) -> Person:
    """Customer numbers are given out in order, so `place` among `places` says since when somebody has been a customer."""
    first, last = fake.first_name(), fake.last_name()
    days = YEARS * 365
    since = today - timedelta(days=max(20, days - days * place // places - draw.randint(0, 40)))
    gone = draw.random() < 0.22 and (today - since).days > 500
    company = f"{last}s {draw.choice(TRADES)} AB".replace("ss ", "s ") if draw.random() < 0.18 else None
    city, prefix, _ = draw.choices(TOWNS, weights=[weight for *_, weight in TOWNS])[0]
    return Person(
        number=f"K-{number}",
        name=f"{first} {last}",
        company=company,
        email=_email(slug(f"{first} {last}"), draw, emails),
        phone=None if draw.random() < 0.04 else next(numbers),
        street=fake.street_address(),
        postcode=f"{prefix}{draw.randint(1, 9)} {draw.randint(10, 99)}",
        city=city,
        since=since,
        contact_changed_on=since if draw.random() < 0.7 else since + (today - since) * draw.random(),
        marketing=draw.random() < 0.4,
        support_rep=draw.randint(1, 6),
        domains=tuple(f"{label}.example" for label in _labels(company or f"{first} {last}", number, draw)),
        ended_on=today - timedelta(days=draw.randint(60, (today - since).days - 400)) if gone else None,
        months_per_invoice=draw.choice((12, 12, 12, 3)),
    )


def _email(local: str, draw: random.Random, emails: set[str]) -> str:
    local = local.replace("..", ".")
    email = f"{local}@{draw.choice(MAIL_DOMAINS)}"
    while email in emails:
        email = f"{local}{draw.randint(2, 99)}@{draw.choice(MAIL_DOMAINS)}"
    emails.add(email)
    return email


def _labels(owner: str, number: int, draw: random.Random) -> list[str]:
    """Names of domains, made unique by the customer's number where several people are called alike."""
    base = slug(owner.removesuffix(" AB")).replace(".", "-")
    labels = [f"{base}-{number % 10000}", f"{base.split('-')[0]}-online-{number % 10000}"]
    return labels[: draw.choice((1, 1, 1, 2))]


def _shared_contacts(
    people: list[Person], named: Population, draw: random.Random, fake: Faker, emails: set[str]
) -> Iterator[ContactPerson]:
    """People who look after the site for several companies, each with an address of their own."""
    apart = {person.number for person in named.people}
    companies = [person.number for person in people if person.company and person.number not in apart]
    draw.shuffle(companies)
    while len(companies) >= 3:
        share = [companies.pop() for _ in range(draw.choice((1, 1, 2, 3)))]
        name = f"{fake.first_name()} {fake.last_name()}"
        title = draw.choice(("ekonomi", "webbansvarig", "vd"))
        yield ContactPerson(name, _email(slug(name), draw, emails), None, title, tuple(share))


def _shared_domains(people: list[Person], named: Population, draw: random.Random) -> dict[str, str]:
    """Domains with a second owner: an association's treasurer, a co-founder."""
    apart = {person.number for person in named.people}
    chosen = draw.sample([person for person in people if person.number not in apart], min(60, len(people) // 10) // 2 * 2)
    return {first.domains[0]: second.number for first, second in zip(chosen[::2], chosen[1::2], strict=True)}
