"""`manage.py receipt verify`: whether a receipt is genuine, without database and net."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from privacy import signing
from requests_app.delivering.receipt_checks import LONGEST_CODE, LONGEST_FILE, NotGenuine, check_code, check_pdf


class Command(BaseCommand):
    help = "Checks the receipt of an erasure: a PDF file, or a code from standard input."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        verify = parser.add_subparsers(dest="action", required=True).add_parser("verify", help="say whether a receipt is genuine")
        verify.add_argument("file", help="the PDF file, or - to read the code from standard input")
        verify.add_argument(
            "--public-key",
            action="append",
            default=[],
            metavar="KEY",
            help="trust this key (base64) instead of our own; repeatable",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            keys = [signing.public_key("--public-key", text) for text in options["public_key"]]
        except ImproperlyConfigured as error:
            raise CommandError("--public-key must be 32 bytes in base64.") from error
        keys = keys or list(signing.trusted_keys().values())
        try:
            if options["file"] == "-":
                found = check_code(sys.stdin.read(LONGEST_CODE + 1), keys=keys)
            else:
                with Path(options["file"]).open("rb") as file:
                    found = check_pdf(file.read(LONGEST_FILE + 1), keys=keys)
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}.") from None
        except NotGenuine:
            raise CommandError("NOT genuine: not signed with a key that is trusted here, or changed since.") from None
        print("genuine")
        for name, value in asdict(found).items():
            print(f"{name}: {value}")
