"""Say what is past its retention, and purge it (DESIGN §7)."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from privacy import retention, returning


class Command(BaseCommand):
    help = "Plan or run the purges that the data maps' retention rules ask for."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["plan", "run"])
        parser.add_argument("--now", metavar="ISO", help="as if it were this instant")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        now = _instant(options["now"])
        try:
            entries = self._plan(now) if options["action"] == "plan" else self._run(now)
            leaving = returning.plan(now=now) if options["action"] == "plan" else returning.run(now=now)
        except retention.NoGuard as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps({"rules": entries, "kept": [asdict(item) for item in leaving]}))
        for entry in [] if options["json"] else entries:
            what = entry["error"] or f"{entry['rows']} rows to {entry['then']}, started before {entry['before']}"
            self.stdout.write(f"{entry['store']}.{entry['collection']} ({entry['rule']}): {what}")
        for item in [] if options["json"] else leaving:
            self.stdout.write(_in_words(item, done=options["action"] == "run"))
        if any(entry["error"] for entry in entries) or any(item.error for item in leaving):
            sys.exit(1)

    @staticmethod
    def _plan(now: datetime) -> list[dict[str, Any]]:
        return [
            {
                "store": due.store,
                "collection": due.collection,
                "rule": due.rule,
                "then": due.then,
                "before": due.before.isoformat(),
                "rows": due.rows,
                "guarded": due.guarded,
                "error": due.error,
            }
            for due in retention.plan(now=now)
        ]

    @staticmethod
    def _run(now: datetime) -> list[dict[str, Any]]:
        return [
            {
                "store": purge.store.key,
                "collection": purge.collection,
                "rule": purge.rule,
                "then": "removed",
                "before": purge.before_on.isoformat() if purge.before_on else None,
                "rows": purge.removed,
                "guarded": purge.guarded,
                "error": purge.note if purge.state != "done" else "",
            }
            for purge in retention.run(now=now)
        ]


def _in_words(item: returning.Leaving, *, done: bool) -> str:
    rows = ", ".join(f"{name} {count}" for name, count in item.collections.items()) or "nothing"
    if item.error:
        what = item.error
    elif item.held:
        what = "held by an open request or a restriction"
    elif done:
        what = f"gone: {rows}"
    else:
        when = f"from {item.on}" if item.on else "with their last owner" if item.shared else "when their rule has a start"
        what = f"kept rows go {when}: {rows}"
    return f"{item.store}, case {item.case}: {what}"


def _instant(text: str | None) -> datetime:
    if not text:
        return timezone.now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError("--now takes an ISO time such as 2034-01-01T00:00:00+01:00") from None
    return found if found.tzinfo else timezone.make_aware(found)
