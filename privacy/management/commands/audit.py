"""`manage.py audit verify|checkpoint|export`: is the log whole, a signed proof of its state outside the database, a copy."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from privacy import audit, audit_export, checkpoints
from privacy.audit import Problem
from privacy.audit_export import Wanted
from privacy.verifying import verify_log


class Command(BaseCommand):
    help = "Verify the audit log and its checkpoints, or make a checkpoint."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        verify = actions.add_parser("verify", help="check every hash chain and checkpoint; exit status 1 when something is wrong")
        verify.add_argument(
            "--chain", action="append", metavar="REFERENCE", help="only this case's chain, or `system`; repeatable"
        )
        verify.add_argument("--json", action="store_true", help="one JSON object on standard output")
        take = actions.add_parser("export", help="write the log as a file that scripts/verify_audit.py checks without a database")
        take.add_argument("--out", metavar="FILE", required=True, help="a new file, or - for standard output")
        take.add_argument("--chain", metavar="REFERENCE", default="", help="only this case's chain, or `system`")
        take.add_argument("--csv", action="store_true", help="as a table; it cannot be checked")
        take.add_argument("--actor", metavar="NAME", required=True, help="who does this; the log tells of it")
        make = actions.add_parser("checkpoint", help="verify, then sign the heads of all chains into INSYN_CHECKPOINT_DIR")
        make.add_argument("--json", action="store_true", help="one JSON object on standard output")
        make.add_argument(
            "--restart",
            action="store_true",
            help="begin anew from the log as it stands, after the database was restored on purpose; log and checkpoint say so",
        )
        make.add_argument("--actor", metavar="NAME", default="", help="who does this; wanted with --restart")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            if action == "verify":
                self._verify(options["chain"], as_json=options["json"])
            elif action == "export":
                self._export(options["out"], options["chain"], options["actor"], as_table=options["csv"])
            else:
                self._checkpoint(options["restart"], options["actor"], as_json=options["json"])
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=2) from None

    def _verify(self, chains: list[str] | None, *, as_json: bool) -> None:
        problems = audit.verify(chains) if chains else verify_log(actor="system", now=timezone.now())
        if as_json:
            self.stdout.write(json.dumps({"ok": not problems, "problems": [vars(problem) for problem in problems]}))
        else:
            self._tell(problems)
        if problems:
            raise SystemExit(1)

    def _export(self, out: str, chain: str, actor: str, *, as_table: bool) -> None:
        try:
            pieces = audit_export.export(
                wanted=Wanted(chain=chain),
                form="csv" if as_table else "jsonl",
                actor=f"operator:{actor}",
                now=timezone.now(),
            )
            if out == "-":
                for piece in pieces:
                    self.stdout.write(piece.decode(), ending="")
                return
            with open(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.writelines(pieces)
        except OSError as error:
            raise CommandError(f"{out}: {error.strerror}", returncode=2) from None
        except ValueError as error:  # an actor's name that the log does not take
            raise CommandError(str(error), returncode=2) from None

    def _tell(self, problems: list[Problem]) -> None:
        for problem in problems:
            self.stdout.write(f"{problem.chain or 'checkpoints'}: {problem.text}")
        self.stdout.write(f"{len(problems)} problems" if problems else "The audit log is whole.")

    def _checkpoint(self, restart: bool, actor: str, *, as_json: bool) -> None:
        if restart and not actor:
            raise CommandError("--restart wants --actor NAME: the log tells who began anew", returncode=2)
        try:
            path = checkpoints.checkpoint(now=timezone.now(), actor=f"operator:{actor}" if actor else "system", restart=restart)
        except checkpoints.CheckpointRefused as refused:
            raise CommandError(str(refused)) from None
        except ValueError as error:  # an actor's name that the log does not take
            raise CommandError(str(error), returncode=2) from None
        self.stdout.write(json.dumps({"file": str(path)}) if as_json else f"Wrote {path}")
