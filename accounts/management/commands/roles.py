from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.models import Role
from accounts.roles import TABLE, as_markdown


class Command(BaseCommand):
    help = "Prints who may do what: the table of role and action that the admin asks."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--markdown", action="store_true", help="as docs/roles.md holds it")

    def handle(self, *args: Any, markdown: bool = False, **options: Any) -> None:
        if markdown:
            self.stdout.write(as_markdown(), ending="")
            return
        for role in Role:
            self.stdout.write(f"{role.value}")
            for key, rule in TABLE.items():
                if role in rule.roles:
                    self.stdout.write(f"  {key:30} {rule.what}")
