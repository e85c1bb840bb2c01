"""The store that speed is measured on: its data script and map lie beside the project, not in it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psycopg

from config import embedded
from config.embedded.postgres import installation
from privacy.datamap.graph import Graph
from privacy.datamap.joining import build
from privacy.datamap.loader import parse
from privacy.stores.base import Store
from privacy.stores.registry import Policy, open_store

FOLDER = Path(__file__).resolve().parent.parent.parent / "shared" / "bench"
KEY = "shop_dataset"


def fill(customers: int, heavy: int) -> str:
    """Make the database anew with so many customers, the last of whom has `heavy` log-ins; answers its URL."""
    if not (FOLDER / "shop.sql").is_file():
        sys.exit(f"nothing measured: {FOLDER}/shop.sql is not there")
    embedded.drop_database("shop")
    url = embedded.create_database("shop")
    command = [
        installation() / "bin" / "psql",
        "-q",
        "-v",
        f"n={customers}",
        "-v",
        f"heavy={heavy}",
        "-f",
        FOLDER / "shop.sql",
        url,
    ]
    subprocess.run(command, check=True, env={**os.environ, "PGOPTIONS": ""})
    return url


_BACK = """
INSERT INTO address SELECT {i}, 1, 'Street', 'City', 'ST1', '00001';
INSERT INTO customer SELECT {i}, 'heavy@example.com', 'Name {i}', timestamp '2020-01-01', {i};
INSERT INTO payment_card SELECT {i}, 'Card of {i}', 4000000000000000 + {i}, 100, true, {i}, {i};
INSERT INTO orders SELECT ({i} - 1) * 10 + k, {i}, {i}, {i}, 'leave at the door of {i}' FROM generate_series(1, 10) k;
INSERT INTO order_item SELECT ({i} - 1) * 10 + k, l, (k + l) % 1000 + 1, 1 FROM generate_series(1, 10) k, generate_series(1, 3) l;
INSERT INTO login SELECT {n} * 20 + k, {i}, timestamp '2021-01-01' + k * interval '1 minute',
    '10.9.' || (k / 256) % 256 || '.' || k % 256 FROM generate_series(1, {rows}) k;
VACUUM ANALYZE login;
CHECKPOINT
"""


def put_back_heavy(url: str, customers: int, rows: int) -> None:
    """The customer with very many rows again, after an erasure."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _BACK.format(i=customers + 1, n=customers, rows=rows).split(";"):
            connection.execute(statement)


def opened(url: str) -> tuple[Graph, Store]:
    """The store, and its graph with every collection to be deleted."""
    (dataset,) = parse((FOLDER / "shop.yml").read_text(), file="shop.yml")
    decided = {name: replace(collection, on_erasure="delete") for name, collection in dataset.collections.items()}
    store = open_store(KEY, url, policy=Policy())
    return build({KEY: replace(dataset, collections=decided)}, {KEY: store.schema()}), store
