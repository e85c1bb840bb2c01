"""What customers' own visitors left on the sites that the demo company hosts: the customers decide over it, not the company."""

import random
from collections.abc import Iterator
from datetime import timedelta

from demo.crm import Row, Table
from demo.people import Population, noon

VISITED_SITES = 5  # every fifth site has a guestbook
STRANGERS = ("kalle", "maja", "ture", "signe", "bosse", "astrid")
WORDS = (
    "Fin sida! Hälsningar", "Tack för senast, vi ses på marknaden.", "När öppnar ni igen?", "Bästa kaffet i stan.",
    "Min beställning kom fram i dag, tack!", "Finns den i blått också?", "Grattis till tio år!",
)  # fmt: skip


def tables(population: Population, draw: random.Random) -> dict[str, Table]:
    """Sites with a guestbook and what stands there: by the company's other customers, and by people it does not know."""
    hosts = [(who, name) for who in population.people for name in who.domains][::VISITED_SITES]
    sites: list[Row] = [(place, who.number, name) for place, (who, name) in enumerate(hosts, 1)]
    return {
        "site": Table(("id", "customer_number", "host"), sites),
        "guestbook_entry": Table(("site_id", "name", "email", "message", "written_at"), list(_entries(population, sites, draw))),
    }


def _entries(population: Population, sites: list[Row], draw: random.Random) -> Iterator[Row]:
    for place, *_ in sites:
        for _entry in range(draw.randint(1, 4)):
            visitor = draw.choice(population.people)
            stranger = draw.choice(STRANGERS)
            name, email = (
                (visitor.name, visitor.email) if draw.random() < 0.6 else (stranger.capitalize(), f"{stranger}@example.org")
            )
            written = noon(population.today) - timedelta(days=draw.randint(1, 700), minutes=draw.randint(0, 600))
            yield place, name, email, draw.choice(WORDS), written.strftime("%Y-%m-%d %H:%M:%S")
