from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import override

from privacy import audit
from requests_app import policy
from requests_app.errors import NotAllowed


class Command(BaseCommand):
    help = (
        "The privacy policy in versions. `policy list` shows those that are or were in force; `policy enforce VERSION` puts one "
        "in force and tells the customers by e-mail that it changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="what", required=True)
        actions.add_parser("list", help="versions that are or were in force")
        enforce = actions.add_parser("enforce", help="put a version in force")
        enforce.add_argument("version", metavar="VERSION", help="as its file templates/portal/notices/VERSION.html is named")
        enforce.add_argument("--actor", required=True, metavar="NAME", help="who decided so, for the audit log")

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        with override("en"):  # the terminal speaks English
            if what == "list":
                self._list()
            else:
                self._enforce(options["version"], f"operator:{options['actor']}")

    def _list(self) -> None:
        for row in policy.versions():
            since = f"{timezone.localtime(row.in_force_at):%Y-%m-%d %H:%M}" if row.in_force_at else "(as the settings say)"
            told = "" if row.told_at or not row.in_force_at else "  customers are being told"
            self.stdout.write(f"{row.version}  in force since {since}{told}")

    def _enforce(self, version: str, actor: str) -> None:
        if not audit.is_actor(actor):
            raise CommandError("--actor is a name of up to 50 characters, and no e-mail address.")
        try:
            policy.put_in_force(version=version, actor=actor, now=timezone.now())
        except NotAllowed as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Version {version} is in force. The workers tell the customers, in batches of {policy.BATCH}.")
