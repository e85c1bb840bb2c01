"""Propose, load, check, watch and unload data maps (DESIGN §7)."""

from __future__ import annotations

import json
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from privacy import map_watch, maps
from privacy.datamap import discovery
from privacy.datamap.coverage import Annotation
from privacy.datamap.model import DataMapError
from privacy.models import Store
from privacy.stores.base import StoreError
from privacy.stores.registry import open_store, resolve


class Command(BaseCommand):
    help = "Propose dataset files, load them against live stores, check what is loaded, name drift, take a store out of use."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        load = actions.add_parser("load", help="validate dataset files and make them current")
        load.add_argument("files", nargs="+", metavar="FILE")
        load.add_argument(
            "--url", action="append", default=[], metavar="KEY=URL", help="where a dataset's store is; env:NAME reads a variable"
        )
        load.add_argument(
            "--on-erasure", choices=["delete", "anonymize"], help="assumed where a file is silent about personal data"
        )
        load.add_argument("--strict", action="store_true", help="unknown keys and categories are errors")
        load.add_argument("--actor", default="operator", help="who loads, for the record")
        check = actions.add_parser("check", help="compare every loaded map with its live store")
        drift = actions.add_parser(
            "drift", help="compare live schemas with those the maps were loaded on; alarm about unmapped personal columns"
        )
        discover = actions.add_parser(
            "discover", help="read a live schema and propose a dataset file; sampled values are never kept or shown"
        )
        discover.add_argument(
            "url", metavar="URL", help="where the store is; env:NAME reads a variable, so that no password is seen"
        )
        discover.add_argument("--key", help="fides_key of the dataset (default: the database's name)")
        discover.add_argument("--schema", help="database schema (PostgreSQL), where it is not the user's own")
        discover.add_argument("--out", metavar="FILE", help="write the dataset file here; a file that is there stays")
        discover.add_argument(
            "--rows", type=_rows, default=discovery.SAMPLE_ROWS, help="rows looked at per table, at most (0: names only)"
        )
        for sub in (load, check, drift, discover):
            sub.add_argument("--json", action="store_true")
        unload = actions.add_parser("unload", help="take a store out of use")
        unload.add_argument("store", metavar="KEY")
        unload.add_argument("--actor", default="operator")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['action']}")(options)

    def _load(self, options: dict[str, Any]) -> None:
        sources = []
        for name in options["files"]:
            try:
                sources.append((Path(name).name, Path(name).read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError) as error:
                self._fail(options, [f"{name}: cannot be read ({type(error).__name__})"])
        try:
            versions = maps.load(
                sources=sources,
                urls=dict(_url(text) for text in options["url"]),
                on_erasure=options["on_erasure"],
                strict=options["strict"],
                actor=f"operator:{options['actor']}",
                now=timezone.now(),
            )
        except DataMapError as error:
            self._fail(options, error.problems)
        except StoreError as error:
            self._fail(options, [str(error)])
        for version in versions:
            for warning in version.warnings:
                self.stderr.write(f"warning: {warning}")
        answer = {
            v.store.key: {"version": v.version, "digest": v.digest, "warnings": len(v.warnings), "assumed": v.assumed}
            for v in versions
        }
        if options["json"]:
            self.stdout.write(json.dumps({"loaded": answer}))
            return
        for key, entry in answer.items():
            assumed = f", on_erasure {entry['assumed']} assumed where the file is silent" if entry["assumed"] else ""
            self.stdout.write(f"{key}: version {entry['version']}{assumed}")

    def _check(self, options: dict[str, Any]) -> None:
        found = map_watch.check()
        if options["json"]:
            annotations = [_annotation(item) for item in found.annotations]
            undecided = {key: list(names) for key, names in found.undecided.items()}
            self.stdout.write(json.dumps({"problems": list(found.problems), "undecided": undecided, "annotations": annotations}))
        else:
            for problem in found.problems:
                self.stderr.write(problem)
            for item in found.annotations:
                self.stderr.write(f"{item}; {item.advice}")
            for key, names in found.undecided.items():
                self.stderr.write(f"{key}: undecided about erasure: {', '.join(names)} (say on_erasure)")
            if not found.problems:
                self.stdout.write(f"{found.stores} data maps fit their stores")
        if found.problems or found.annotations:
            sys.exit(1)

    def _drift(self, options: dict[str, Any]) -> None:
        found = map_watch.drift()
        if options["json"]:
            self.stdout.write(json.dumps({"drift": any(d.any for d in found), "stores": {d.store: _drift(d) for d in found}}))
        else:
            for line in (str(line) for d in found for line in (*([d.error] if d.error else ()), *d.problems, *d.changes)):
                self.stderr.write(line)
            for alarm in (alarm for d in found for alarm in d.alarms):
                self.stderr.write(f"ALARM {alarm}; {alarm.advice}")
            same = [d.store for d in found if not d.any]
            self.stdout.write(f"{len(same)} of {len(found)} stores are as they were when their maps were loaded")
        if any(d.any for d in found):
            sys.exit(1)

    def _discover(self, options: dict[str, Any]) -> None:
        out = Path(options["out"]) if options["out"] else None
        if out and out.exists():
            self._fail(options, [f"{out}: is there already; what you wrote in it would be lost. Name another file"])
        if not options["url"].startswith("env:") and re.search(r"//[^/@]*:[^/@]+@", options["url"]):
            self.stderr.write(
                "warning: other users of this machine can read the URL's password in the process list; use env:NAME"
            )
        try:
            key = options["key"] or _key(resolve(options["url"]))
            store = open_store(key, options["url"], policy=maps.policy(), schema=options["schema"])
            found = discovery.discover(store, key=key, schema=options["schema"], limit=options["rows"], progress=self._progress)
        except StoreError as error:
            self._fail(options, [str(error)])
        text = discovery.to_yaml(found)
        if out:
            out.write_text(text, encoding="utf-8")
        if options["json"]:
            self.stdout.write(json.dumps(discovery.to_json(found)))
        elif not out:
            self.stdout.write(text)
        for problem in found.problems:
            self.stderr.write(f"to be settled before it loads: {problem}")
        if out:
            people = [table.name for table in found.tables if table.part == "person"]
            self.stderr.write(
                f"{out}: {len(found.tables)} tables; people stand in {', '.join(people) or 'none'}. Read it, decide, then:"
            )
            self.stderr.write(f"manage.py datamap load {out} --url {key}={_shown(options['url'])}")

    def _progress(self, table: str) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r\033[Klooking at {table}", ending="")

    def _unload(self, options: dict[str, Any]) -> None:
        try:
            maps.unload(store_key=options["store"], actor=f"operator:{options['actor']}", now=timezone.now())
        except Store.DoesNotExist:
            raise CommandError(f"no store has the key {options['store']}") from None
        self.stdout.write(f"{options['store']}: out of use")

    def _fail(self, options: dict[str, Any], problems: list[str]) -> NoReturn:
        if options.get("json"):
            self.stdout.write(json.dumps({"error": problems}))
        for problem in problems:
            self.stderr.write(problem)
        sys.exit(1)


def _url(text: str) -> tuple[str, str]:
    key, equals, url = text.partition("=")
    if not equals or not key or not url:
        raise CommandError("--url takes KEY=URL or KEY=env:NAME")
    return key, url


def _key(url: str) -> str:
    """The database's name as a key: `…/Shop-2?…` → shop_2."""
    path = re.split(r"[?#]", url, maxsplit=1)[0].rstrip("/").rpartition("/")[2]
    name = re.sub(r"\.(db|sqlite3?|sqlite)$", "", path)
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "store"


def _shown(url: str) -> str:
    return url if url.startswith("env:") else "URL"


def _rows(text: str) -> int:
    if not text.isdigit() or int(text) > 10_000:
        raise ArgumentTypeError("a number of rows from 0 to 10000")
    return int(text)


def _annotation(item: Annotation) -> dict[str, Any]:
    return {
        "store": item.store,
        "collection": item.collection,
        "column": item.column,
        "kind": "unannotated" if item.mapped else "unmapped",
        "categories": list(item.categories),
        "confidence": round(item.confidence, 2),
        "why": item.why,
        "advice": item.advice,
    }


def _drift(found: map_watch.Drift) -> dict[str, Any]:
    if found.error and not found.changes:
        return {"version": found.version, "error": found.error}
    changes = [
        {"kind": c.kind, "collection": c.collection, "column": c.column, "mapped": c.mapped, "text": c.text, "advice": c.advice}
        for c in found.changes
    ]
    answer: dict[str, Any] = {"version": found.version, "changes": changes, "alarms": [_annotation(a) for a in found.alarms]}
    answer["problems"] = list(found.problems)
    return answer | ({"error": found.error} if found.error else {})
