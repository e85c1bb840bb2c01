"""Looking for 1,000 people in every text of a store, against one sequential scan of the same tables that looks for one of them.

The texts are made up: letters of customers with a signature in every third, and lines of a web server's log. The plain
alternative is what an operator would type for a single address (`ILIKE`); reading every character once and no more (`strpos`) and
counting the rows are given beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import psycopg

from bench.measured import Row, against, timed
from config import embedded
from privacy.datamap.graph import Graph
from privacy.datamap.joining import build
from privacy.datamap.loader import parse
from privacy.engine.residue.scan import scan
from privacy.stores.base import Store
from privacy.stores.registry import Policy, open_store

PEOPLE = 1_000
MAP = """
dataset: [{fides_key: letters, name: Letters, collections: [{name: letter, fields: [
  {name: id, fides_meta: {primary_key: true}}, {name: body}]}]}]
"""
WORDS = "hej jag undrar hur det går med min beställning av domänen som jag köpte i förra veckan eftersom servern inte svarar när"
TABLES = {
    "letter": (
        "body",
        """SELECT i, (SELECT string_agg(words[1 + (i * 7919 + k * 104729 + k * k * 31) % cardinality(words)], ' ')
                      FROM generate_series(1, 90) k)
             || CASE WHEN i % 3 = 0 THEN E'\\nmvh Kund, kund' || i || '@example.com' ELSE '' END
             || CASE WHEN i % 5 = 0 THEN ', tel 070-' || lpad((i * 7717 % 10000000)::text, 7, '0') ELSE '' END
           FROM (SELECT string_to_array(%(words)s, ' ') AS words) w, generate_series(1, %(rows)s) i""",
    ),
    "log": (
        "line",
        """SELECT i, '2026-01-02T03:04:05.' || i || ' INFO 192.168.' || i % 256 || '.7 GET /kund/' || i % 10000 || '/sida 200 '
             || i * 31 % 100000 || CASE WHEN i % 10 = 0 THEN ' user=kund' || i % 50000 || '@example.com' ELSE '' END
           FROM generate_series(1, 2 * %(rows)s) i""",
    ),
}


def measure(megabytes: int, repeats: int) -> Iterator[Row]:
    url = _fill(rows=megabytes * 1_200)
    (dataset,) = parse(MAP, file="letters.yml")
    store = open_store("letters", url, policy=Policy())
    graph = build({"letters": dataset}, {"letters": store.schema()}, check=False)
    kinds = {
        "e-mail": lambda i: [("email", f"kund{i * 41}@example.com")],
        "e-mail, telephone": lambda i: [("email", f"kund{i * 41}@example.com"), ("phone_number", f"070{i * 7717:07}")],
        "e-mail, telephone, number": lambda i: [
            ("email", f"kund{i * 41}@example.com"),
            ("phone_number", f"070{i * 7717:07}"),
            ("customer_number", f"K-{10_000 + i * 7}"),
        ],
    }
    with psycopg.connect(url) as connection:
        size = sum(connection.execute(f"SELECT sum(octet_length({c})) FROM {t}").fetchone()[0] for t, (c, _) in TABLES.items())
    for name, identities in kinds.items():
        people = [identities(number) for number in range(1, PEOPLE + 1)]
        works = {
            "ours": partial(_ours, graph, store, people),
            "one": partial(_plain, url, "{} ILIKE '%%kund41@example.com%%'"),
            "every": partial(_plain, url, "strpos({}, '@') > 0"),
            "count": partial(_plain, url, "true"),
        }
        ours, one, every, count = _medians(list(works.values()), repeats)
        yield against(
            f"residue {PEOPLE}, {name}",
            ours,
            one,
            3,
            megabytes=round(size / 1e6),
            megabytes_per_second=round(size / 1e6 / ours),
            ratio_to_reading_every_character=round(ours / every, 2),
            ratio_to_counting_rows=round(ours / count, 2),
        )


def _fill(rows: int) -> str:
    embedded.drop_database("letters")
    url = embedded.create_database("letters")
    with psycopg.connect(url, autocommit=True) as connection:
        for table, (column, made) in TABLES.items():
            connection.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, {column} text)")
            connection.execute(f"INSERT INTO {table} {made}".replace("% ", "%% "), {"words": WORDS, "rows": rows})
        connection.execute("VACUUM ANALYZE")
    return url


def _ours(graph: Graph, store: Store, people: list[list[tuple[str, str]]]) -> None:
    with store.read() as session:
        found = scan(graph, session, "letters", people)
    if not any(found):
        raise AssertionError("nobody was found, and many stand there")


def _plain(url: str, condition: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET max_parallel_workers_per_gather = 0")  # what runs beside a worker's work, as ours does
        for table, (column, _) in TABLES.items():
            connection.execute(f"SELECT count(*) FROM {table} WHERE {condition.format(column)}", {}).fetchone()


def _medians(works: Sequence[Callable[[], None]], repeats: int) -> list[float]:
    """Each in turn, so that what else the machine does meets all of them."""
    for work in works:
        work()  # warm
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for times, work in zip(taken, works, strict=True):
            times.append(timed(work))
    return [statistics.median(times) for times in taken]
