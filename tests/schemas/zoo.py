"""Stores of an odd shape, a data map of them, and the operators' commands carried out there (DESIGN §7).

A dataset is written shortly, {collection: {field: what it is}}, and becomes a dataset file:

    key                     the primary key           email, phone_number, …     an identity of that kind
    personal                personal data             from person.id             person → this (owned); also `to`, `both`
    plain                   anything else             from crm:person.id         the same over to another store
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml
from django.core.management import call_command

from privacy.models import DatasetVersion
from tests.stores.sites import SqlSite

ANNA = "anna@example.com"
Fields = Mapping[str, Mapping[str, str]]
Rows = dict[str, list[dict[str, Any]]]
IDENTITIES = ("email", "phone_number", "customer_number")

PERSON = "CREATE TABLE person (id int PRIMARY KEY, email varchar(200), name varchar(100), frozen int)"
PEOPLE = f"INSERT INTO person VALUES (1, '{ANNA}', 'Anna', 0), (2, 'bo@example.com', 'Bo', 0), (3, 'cia@example.com', 'Cia', 1)"
FROZEN = {"collections": {"person": {"restriction": {"set": {"frozen": 1}}}}}
PERSON_FIELDS = {"id": "key", "email": "email", "name": "personal", "frozen": "plain"}


class Zoo:
    def __init__(self, sites: Mapping[str, SqlSite], folder: Path) -> None:
        self.sites, self.folder = dict(sites), folder
        self.site = next(iter(self.sites.values()))
        self.packages = 0
        self.packaged: Rows = {}  # what the last package held

    def run(self, *statements: str, store: str | None = None) -> None:
        (self.sites[store] if store else self.site).run(*statements)

    # -- the map ------------------------------------------------------------------------------------------------------

    def load(self, fields: Fields | None = None, privacy: Mapping[str, Any] | None = None, **stores: Any) -> None:
        """Load the data map of one store, or of several: store=(fields, privacy)."""
        status, answer = self.try_load(fields, privacy, **stores)
        assert status == 0, answer

    def try_load(
        self, fields: Fields | None = None, privacy: Mapping[str, Any] | None = None, **stores: Any
    ) -> tuple[int, dict[str, Any]]:
        wanted = stores or {next(iter(self.sites)): (fields, privacy or {})}
        file = self.folder / "zoo.yml"
        sets = [_dataset(key, self.sites[key].schema, *given) for key, given in wanted.items()]
        file.write_text(yaml.safe_dump({"dataset": sets}, allow_unicode=True, sort_keys=False))
        urls = [part for key in wanted for part in ("--url", f"{key}={self.sites[key].url}")]
        return command("datamap", "load", str(file), *urls, "--on-erasure", "delete")

    def warnings(self, fields: Fields, privacy: Mapping[str, Any] | None = None) -> list[str]:
        """Load, and answer what the operator is warned of."""
        self.load(fields, privacy)
        return list(DatasetVersion.objects.get(store__key=next(iter(self.sites)), is_current=True).warnings)

    # -- the commands -------------------------------------------------------------------------------------------------

    def act(self, action: str, *more: str, who: str = f"email={ANNA}") -> tuple[int, dict[str, Any]]:
        return command("subject", action, "--identity", who, *more)

    def located(self, **more: Any) -> dict[str, dict[str, int]]:
        """{collection: {rows, contested, others}} without what is nought; those of a second store as `store.collection`."""
        _, answer = self.act("locate", **more)
        return {
            name: {key: counts[key] for key in ("rows", "contested", "others") if counts[key]}
            for name, counts in self.collections(answer).items()
        }

    def collections(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        out = {}
        for store, collections in answer["stores"].items():
            assert "error" not in collections, answer
            for name, counts in collections.items():
                if name != "residue":
                    out[name if len(self.sites) == 1 else f"{store}.{name}"] = counts
        return out

    def exported(self, **more: Any) -> dict[str, list[dict[str, Any]]]:
        """{name of its file: rows} as the package's JSON files hold them."""
        self.packages += 1
        out = self.folder / f"package{self.packages}.zip"
        _, answer = self.act("export", "--out", str(out), **more)
        rows = {}
        with zipfile.ZipFile(out) as package:
            assert package.testzip() is None
            for name in package.namelist():
                if name.startswith("data/") and name.endswith(".json"):
                    _, store, stem = name.removesuffix(".json").split("/")
                    rows[stem if len(self.sites) == 1 else f"{store}.{stem}"] = json.loads(package.read(name))
        assert sum(map(len, rows.values())) == sum(counts["exported"] for counts in self.collections(answer).values())
        self.packaged = rows
        return rows

    def erased(self, *more: str, **who: Any) -> dict[str, Any]:
        """Erase; nothing may be left, and no trace of the identities."""
        status, answer = self.act("erase", *more, **who)
        assert status == 0, answer
        assert not any("residue" in collections for collections in answer["stores"].values()), answer
        done = self.collections(answer)
        assert not any(counts.get("remaining") for counts in done.values()), answer
        return done

    # -- the rows -----------------------------------------------------------------------------------------------------

    def content(self) -> Rows:
        """{table: its rows}, as another program sees them; of several stores `store.table`."""
        out: Rows = {}
        for key, site in self.sites.items():
            for name, table in site.open().schema().tables.items():
                if table.kind == "table":
                    out[name if len(self.sites) == 1 else f"{key}.{name}"] = rows_of(site, name)
        return out


def rows_of(site: SqlSite, table: str) -> list[dict[str, Any]]:
    # PostgreSQL has values that its driver cannot read by itself: infinity, years without end.
    reader = closing(site.open().engine.raw_connection()) if site.schema else site.connection()
    name = f"{site.schema}.{site.q(table)}" if site.schema else site.q(table)
    with reader as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"SELECT * FROM {name}")
        names = [column[0] for column in cursor.description]
        return sorted((dict(zip(names, row, strict=True)) for row in cursor.fetchall()), key=repr)


def only(rows: Rows, mine: Mapping[str, Sequence[Any]]) -> Rows:
    """The rows of `mine`, told by the value of their first column."""
    return {name: [row for row in rows[name] if _first(row) in values] for name, values in mine.items()}


def without(rows: Rows, mine: Mapping[str, Sequence[Any]]) -> Rows:
    return {name: [row for row in found if _first(row) not in mine.get(name, ())] for name, found in rows.items()}


def _first(row: Mapping[str, Any]) -> Any:
    return next(iter(row.values()))


def counted(rows: Rows) -> dict[str, Counter[str]]:
    return {name: Counter(map(repr, found)) for name, found in rows.items()}


def command(*arguments: str) -> tuple[int, Any]:
    """(exit status, the JSON answer)."""
    out, status = io.StringIO(), 0
    try:
        call_command(*arguments, "--json", stdout=out, stderr=io.StringIO())
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    return status, json.loads(out.getvalue())


# -- the whole walk ------------------------------------------------------------------------------------------------------


def walk(zoo: Zoo, mine: Mapping[str, Sequence[Any]], *, files: bool = True) -> None:
    """Locate, hand out, restrict, lift, correct, erase: `mine` (by first column) and nothing else, and again nothing."""
    before = zoo.content()
    counts = {name: len(rows) for name, rows in only(before, mine).items()}
    assert {n: c["rows"] for n, c in zoo.located().items()} == counts
    package = {name: len(rows) for name, rows in zoo.exported().items()}
    assert package == counts if files else sorted(package.values()) == sorted(counts.values())
    assert counted(zoo.content()) == counted(before)

    assert zoo.act("restrict")[0] == 0
    assert counted(without(zoo.content(), mine)) == counted(without(before, mine))
    assert zoo.act("lift")[0] == 0
    assert counted(zoo.content()) == counted(before)

    done = zoo.erased()
    assert {name: entry["deleted"] for name, entry in done.items() if entry["deleted"]} == counts
    assert counted(zoo.content()) == counted(without(before, mine))
    assert zoo.act("erase")[1]["found"] is False
    assert counted(zoo.content()) == counted(without(before, mine))


# -- dataset files ------------------------------------------------------------------------------------------------------


def _dataset(key: str, schema: str | None, fields: Fields, privacy: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"fides_key": key, "meta": {"privacy": dict(privacy)}}
    if schema:
        out["fides_meta"] = {"namespace": {"schema": schema}}
    out["collections"] = [
        {"name": name, "fields": [_field(key, column, what) for column, what in columns.items()]}
        for name, columns in fields.items()
    ]
    return out


def _field(store: str, name: str, text: str) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    categories = ["system.operations"]
    for what in text.split(", "):
        way, _, target = what.partition(" ")
        if what == "key":
            meta["primary_key"] = True
        elif what in IDENTITIES:
            meta["identity"] = what
            categories = {"email": ["user.contact.email"], "phone_number": ["user.contact.phone_number"]}.get(
                what, ["user.unique_id"]
            )
        elif what == "personal":
            categories = ["user.name"]
        elif way in ("from", "to", "both"):
            other, colon, place = target.partition(":")
            reference = {"dataset": other if colon else store, "field": place if colon else target}
            meta.setdefault("references", []).append(reference if way == "both" else {**reference, "direction": way})
        else:
            assert what == "plain", what
    return {"name": name, "data_categories": categories, **({"fides_meta": meta} if meta else {})}
