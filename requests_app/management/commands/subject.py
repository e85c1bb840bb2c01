"""Find a person and act on their data from the command line (DESIGN §7).

Identities come as `--identity email=anna@example.com`, or `email=-` read from standard input so that they stand in no process
list. In demo mode an action makes its own case; elsewhere it carries out an approved one, named by --request.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from requests_app.operating.act import act, left_over
from requests_app.operating.asked import ACTIONS, Asked, Refused


class Command(BaseCommand):
    help = "Locate, export, erase, restrict, lift or rectify a person's data in every registered store."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument(
            "--identity", action="append", default=[], metavar="KIND=VALUE", help="KIND=- reads the value from standard input"
        )
        parser.add_argument(
            "--people",
            metavar="FILE",
            help="a JSON object of identities per line; acts on all as one batch (- for standard input)",
        )
        parser.add_argument("--store", action="append", default=[], metavar="KEY", help="only these stores")
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done and change nothing")
        parser.add_argument("--out", metavar="FILE.zip", help="export: where the package goes")
        parser.add_argument("--recipient", metavar="AGE_KEY", help="export: encrypt for this age public key")
        parser.add_argument("--set", action="append", default=[], metavar="store.collection.field=value", help="rectify")
        parser.add_argument("--ground", choices=["a", "b", "c", "d"], default="a", help="restrict: ground of Art. 18(1)")
        parser.add_argument("--contested", choices=["keep", "redact", "anonymize"], help="one answer for all contested rows")
        parser.add_argument("--request", metavar="REF", help="the approved case to carry out")
        parser.add_argument("--actor", default=os.environ.get("USER", "operator"))
        parser.add_argument("--reason", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            people = self._people(options)
            asked = Asked(
                action=options["action"],
                people=people,
                stores=tuple(options["store"]),
                dry_run=options["dry_run"],
                out=Path(options["out"]) if options["out"] else None,
                recipient=options["recipient"],
                changes=_changes(options["set"]),
                ground=options["ground"],
                contested=options["contested"],
                reference=options["request"],
                actor=options["actor"],
                reason=options["reason"],
            )
            answers = act(asked, progress=self._progress)
        except Refused as error:
            if options["json"]:
                self.stdout.write(json.dumps({"error": str(error)}))
            self.stderr.write(str(error))
            sys.exit(error.status)
        if options["json"]:
            self.stdout.write(json.dumps(answers if options["people"] else answers[0], ensure_ascii=False))
        else:
            for answer in answers:
                self._show(answer)
        if any(left_over(options["action"], answer) for answer in answers):
            sys.exit(1)

    def _people(self, options: dict[str, Any]) -> list[dict[str, list[str]]]:
        if options["people"]:
            return _read_people(options["people"])
        if not options["identity"]:
            raise CommandError("say who: --identity KIND=VALUE, or --people FILE")
        person: dict[str, list[str]] = {}
        for text in options["identity"]:
            kind, equals, value = text.partition("=")
            if not equals or not kind:
                raise CommandError("--identity takes KIND=VALUE, or KIND=- to read the value from standard input")
            person.setdefault(kind, []).append(self._asked(kind) if value == "-" else value)
        return [person]

    def _asked(self, kind: str) -> str:
        if sys.stdin.isatty():
            self.stderr.write(f"{kind}: ", ending="")
            self.stderr.flush()
        return sys.stdin.readline().strip()

    def _progress(self, text: str) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{text}", ending="\033[K")
            self.stderr.flush()

    def _show(self, answer: Mapping[str, Any]) -> None:
        if not answer["found"]:
            self.stdout.write("nothing found under these identities")
        for store, collections in answer["stores"].items():
            if "error" in collections:
                self.stdout.write(f"{store}: {collections['error']}")
                continue
            for name, counts in collections.items():
                if name == "residue":
                    continue
                numbers = ", ".join(f"{key} {value}" for key, value in counts.items() if isinstance(value, int) and value)
                self.stdout.write(f"{store}.{name}: {numbers or 'nothing'}")
                for kept in counts.get("kept", ()):
                    self.stdout.write(f"  kept {kept['rows']} until {kept['until'] or 'further notice'}: {kept['basis']}")
        for text in answer.get("left", ()):
            self.stdout.write(f"left: {text}")


def _changes(texts: list[str]) -> dict[str, str]:
    out = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or path.count(".") < 2:
            raise CommandError("--set takes store.collection.field=value")
        out[path] = value
    return out


def _read_people(name: str) -> list[dict[str, list[str]]]:
    try:
        lines = (sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"the file of --people cannot be read ({type(error).__name__})") from None
    people = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
            if not isinstance(raw, dict) or not raw:
                raise ValueError
        except ValueError:
            raise CommandError(f'line {number} of --people is no JSON object of identities, such as {{"email": "…"}}') from None
        people.append(
            {str(kind): [str(v) for v in (value if isinstance(value, list) else [value])] for kind, value in raw.items()}
        )
    if not people:
        raise CommandError("the file of --people names nobody")
    return people
