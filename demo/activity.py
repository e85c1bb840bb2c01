"""The rows of the logs: sign-ins, changes and requests to the customers' sites, up to the moment of seeding."""

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from demo.crm import Row, Table
from demo.people import Person, Population

AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
)
CHANGES = (
    "DNS-post ändrad för {domain}", "Ny brevlåda på {domain}", "Lösenord bytt", "Certifikat beställt för {domain}",
    "PHP-version ändrad på {domain}", "Säkerhetskopia återläst på {domain}", "Kontaktuppgifter ändrade",
)  # fmt: skip
PATHS = ("/", "/", "/om", "/kontakt", "/produkter", "/blogg", "/wp-login.php", "/robots.txt", "/bilder/logotyp.svg", "/api/varukorg")  # fmt: skip
STATUSES = (200, 200, 200, 200, 200, 304, 304, 404, 301, 500)
BLOCKS = ("192.0.2.", "198.51.100.", "203.0.113.")


def tables(population: Population, draw: random.Random) -> dict[str, Table]:
    """Every table of the logs, parents before children; a few rows are already past their time, for the purge to find."""
    logins: list[Row] = []
    changes: list[Row] = []
    requests: list[Row] = []
    users: list[Row] = []
    today = population.today
    for who in population.people:
        home = _address(draw) if draw.random() < 0.8 else f"2001:db8:{draw.randrange(65536):x}::{draw.randint(1, 99):x}"
        agent = draw.choice(AGENTS)
        # A customer who left signs in no more, but the site's address is still asked for by whoever has not noticed.
        active_until = min(today, who.ended_on or today)
        seen = sorted(_times(_back(who, today, 400), active_until, draw.randint(8, 30), draw))
        logins.extend((who.number, at, home if draw.random() < 0.8 else _address(draw), agent) for at in seen)
        changes.extend(
            (who.number, at, home, draw.choice(CHANGES).format(domain=draw.choice(who.domains)))
            for at in _times(_back(who, today, 1150), active_until, draw.randint(2, 12), draw)
        )
        requests.extend(
            (who.number, at, draw.choice(who.domains), draw.choice(PATHS), draw.choice(STATUSES), f"{draw.choice(BLOCKS)}0/24")
            for at in _times(_back(who, today, 35), today, draw.randint(20, 60) * who.busy, draw)
        )
        users.append((who.number, who.name, who.email, who.ended_on and who.ended_on.isoformat(), seen[-1] if seen else None))
    return {
        "panel_user": Table(("customer_number", "display_name", "email", "closed_on", "last_login_at"), users),
        "login": Table(("customer_number", "at", "ip", "user_agent"), logins),
        "change_log": Table(("customer_number", "at", "ip", "what"), changes),
        "web_request": Table(("customer_number", "at", "host", "path", "status", "client_network"), requests),
    }


def _address(draw: random.Random) -> str:
    return f"{draw.choice(BLOCKS)}{draw.randint(1, 254)}"


def _back(who: Person, today: date, days: int) -> date:
    return max(today - timedelta(days=days), who.since)


def _times(first: date, last: date, times: int, draw: random.Random) -> Iterator[str]:
    """`times` moments from `first` to the start of `last`; none where there is no day between them."""
    seconds = int((last - first).total_seconds())
    if seconds <= 0:
        return
    start = datetime(first.year, first.month, first.day)  # noqa: DTZ001 - UTC by the tables' own convention
    for _ in range(times):
        yield (start + timedelta(seconds=draw.randrange(seconds))).strftime("%Y-%m-%d %H:%M:%S")
