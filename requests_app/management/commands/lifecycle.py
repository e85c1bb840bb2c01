from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from requests_app.case.lifecycle import TRANSITIONS, as_markdown


class Command(BaseCommand):
    help = "Prints the states of a case and what may follow what."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--markdown", action="store_true", help="as docs/lifecycle.md holds it, with the diagram")

    def handle(self, *args: Any, markdown: bool = False, **options: Any) -> None:
        if markdown:
            self.stdout.write(as_markdown(), ending="")
            return
        for action, rule in TRANSITIONS.items():
            self.stdout.write(f"{action:18} {', '.join(sorted(rule.sources))} -> {rule.target}: {rule.meaning}")
