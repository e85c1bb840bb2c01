"""Load, check and unload data maps (DESIGN §7)."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from privacy import maps
from privacy.datamap.graph import build
from privacy.datamap.model import DataMapError
from privacy.models import Store
from privacy.stores.base import StoreError


class Command(BaseCommand):
    help = "Load dataset files against live stores, check what is loaded, take a store out of use."
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
        for sub in (load, check):
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
        loaded = maps.open_maps()
        problems = list(loaded.down.values())
        try:
            build(loaded.graph.datasets, loaded.graph.schemas)
        except DataMapError as error:
            problems += error.problems
        undecided = {key: list(d.undecided) for key, d in loaded.graph.datasets.items() if d.undecided}
        if options["json"]:
            self.stdout.write(json.dumps({"problems": problems, "undecided": undecided}))
        else:
            for problem in problems:
                self.stderr.write(problem)
            for key, names in undecided.items():
                self.stderr.write(f"{key}: undecided about erasure: {', '.join(names)} (say on_erasure)")
            if not problems:
                self.stdout.write(f"{len(loaded.graph.datasets)} data maps fit their stores")
        if problems:
            sys.exit(1)

    def _unload(self, options: dict[str, Any]) -> None:
        try:
            maps.unload(store_key=options["store"], actor=f"operator:{options['actor']}", now=timezone.now())
        except Store.DoesNotExist:
            raise CommandError(f"no store has the key {options['store']}") from None
        self.stdout.write(f"{options['store']}: out of use")

    def _fail(self, options: dict[str, Any], problems: list[str]) -> None:
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
