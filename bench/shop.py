"""The store that speed is measured on: its data script and map lie beside the project, not in it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

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


def opened(url: str) -> tuple[Graph, Store]:
    """The store, and its graph with every collection to be deleted."""
    (dataset,) = parse((FOLDER / "shop.yml").read_text(), file="shop.yml")
    decided = {name: replace(collection, on_erasure="delete") for name, collection in dataset.collections.items()}
    store = open_store(KEY, url, policy=Policy())
    return build({KEY: replace(dataset, collections=decided)}, {KEY: store.schema()}), store
