from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from demo import seed


class Command(BaseCommand):
    help = "Make the demo's customers, stores, staff and first requests. Quick when they are there already."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reset", action="store_true", help="put the rows of the four stores back as they were; cases stay")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("DATABASE_URL is set, so this is no demo: nothing was changed.")
        if seed.is_in_place() and not options["reset"]:
            self.stdout.write("The demo data are in place.")
            return
        seed.put_in_place(now=timezone.now(), say=self.stdout.write, refill=options["reset"])
