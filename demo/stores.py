"""The demo's four stores: their databases, their rows, and their data maps registered like anybody's."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from django.conf import settings
from django.utils.module_loading import import_string

from demo import activity, billing, crm, hosted, showcase
from demo.load import fill_postgres, fill_sqlite
from demo.people import CUSTOMERS, SEED, populate
from privacy import maps
from privacy.models import Recipient

DATASETS = Path(__file__).parent / "datasets"
KEYS = ("crm", "billing", "activity", "hosted")

RECIPIENTS = (
    {
        "key": "bookkeeper", "name": "Siffergården Redovisning AB", "role": "processor", "country": "SE",
        "agreement": "personuppgiftsbiträdesavtal 2024-03", "contact": "dataskydd@siffergarden.example",
    },
    {
        "key": "domain_registry", "name": "Toppdomänstiftelsen .example", "role": "controller", "country": "SE",
        "agreement": "registraravtal 2021-01", "contact": "dataskydd@registry.example",
    },
    {
        "key": "payment_provider", "name": "Betalbron AB", "role": "controller", "country": "SE",
        "agreement": "inlösenavtal 2022-09", "contact": "privacy@betalbron.example",
    },
    {
        "key": "newsletter_service", "name": "Brevduvan ApS", "role": "processor", "country": "DK",
        "agreement": "databehandleraftale 2023-05", "contact": "privacy@brevduvan.example",
    },
    {
        "key": "support_tool", "name": "Helpful Tickets Inc.", "role": "processor", "country": "US",
        "agreement": "data processing agreement 2023-11", "safeguard": "EU-kommissionens standardavtalsklausuler (2021/914), modul 2",
        "contact": "privacy@helpfultickets.example",
    },
)  # fmt: skip


def addresses() -> dict[str, str]:
    """Where the stores are; the two databases are made if they are not there."""
    create_database: Callable[[str], str] = import_string(settings.DEMO_CREATE_DATABASE)
    return {
        "crm": create_database("demo_crm"),
        "billing": create_database("demo_billing"),
        "activity": f"sqlite:///{activity_file()}",
        "hosted": f"sqlite:///{hosted_file()}",
    }


def activity_file() -> Path:
    return Path(settings.INSYN_SQLITE_ROOT) / "activity.sqlite3"


def hosted_file() -> Path:
    return Path(settings.INSYN_SQLITE_ROOT) / "hosted.sqlite3"


def datasets() -> list[tuple[str, str]]:
    """(file name, text) of the data maps."""
    return [(f"demo/datasets/{key}.yml", (DATASETS / f"{key}.yml").read_text()) for key in KEYS]


def fill(*, today: date, urls: dict[str, str], customers: int = CUSTOMERS) -> None:
    """All rows of all four stores as of `today`, in place of whatever was there."""
    population = populate(today=today, named=showcase.named(today), customers=customers)
    draw = random.Random(SEED + 1)  # noqa: S311 - made-up data, not secrets
    contracts = {person.number: crm.services(person, draw) for person in population.people}
    fill_postgres(url=urls["crm"], schema="crm", tables=crm.tables(population, contracts, draw))
    fill_postgres(url=urls["billing"], schema="billing", tables=billing.tables(population, contracts, draw))
    fill_sqlite(path=activity_file(), schema="activity", tables=activity.tables(population, draw))
    fill_sqlite(path=hosted_file(), schema="hosted", tables=hosted.tables(population, draw))


def register(*, urls: dict[str, str], now: datetime) -> None:
    """Register stores, data maps and recipients; what is registered already, unchanged, stays as it is."""
    for recipient in RECIPIENTS:
        Recipient.objects.get_or_create(key=recipient["key"], defaults=recipient)
    maps.load(sources=datasets(), urls=urls, actor="operator:demo", now=now)
