"""Erase again, after a restored backup, what was erased since it was taken (DESIGN §7)."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from privacy.replay import replay
from privacy.stores.base import StoreError


class Command(BaseCommand):
    help = "Erase again in a restored store what the ledger says was erased after its backup was taken."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["replay"])
        parser.add_argument("--store", required=True, metavar="KEY")
        parser.add_argument("--backup-taken", required=True, metavar="ISO", help="the instant the backup shows the store at")
        parser.add_argument("--actor", default=os.environ.get("USER", "operator"))
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            taken = datetime.fromisoformat(options["backup_taken"])
        except ValueError:
            raise CommandError("--backup-taken takes an ISO time such as 2026-11-01T03:00:00+01:00") from None
        taken = taken if taken.tzinfo else timezone.make_aware(taken)
        try:
            done = replay(
                store_key=options["store"], backup_taken=taken, actor=f"operator:{options['actor']}", now=timezone.now()
            )
        except (StoreError, KeyError) as error:
            text = str(error.args[0]) if error.args else str(error)
            if options["json"]:
                self.stdout.write(json.dumps({"error": text}))
            self.stderr.write(text)
            sys.exit(1)
        left = [f"{r.case}: {r.skipped or r.blocked}" for r in done if r.skipped or r.blocked]
        left += [f"{r.case}: rows of {name} remain" for r in done for name, c in r.collections.items() if c.get("remaining")]
        if options["json"]:
            cases = [
                {"case": r.case, "collections": dict(r.collections), "skipped": r.skipped, "blocked": r.blocked} for r in done
            ]
            self.stdout.write(json.dumps({"store": options["store"], "cases": cases, "left": left}))
        else:
            erased = sum(c.get("deleted", 0) + c.get("anonymized", 0) for r in done for c in r.collections.values())
            self.stdout.write(f"{options['store']}: {len(done)} cases recognised, {erased} rows erased again")
            for text in left:
                self.stdout.write(f"left: {text}")
        if left:
            sys.exit(1)
