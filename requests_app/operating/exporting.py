"""Export one person's package to a file: plain for the operator, or encrypted for somebody else (R15)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyrage
from django.db import transaction
from django.utils import timezone

from accounts.models import IdentityKind
from accounts.people import owner_of_mailbox
from privacy import actions, audit
from privacy.actions import Person, RunOutcome
from privacy.finding import find as find_people
from privacy.own import Own
from privacy.stores.base import StoreError
from requests_app.delivering import package_files
from requests_app.keeping import own_data
from requests_app.operating.answers import Answer, look
from requests_app.operating.asked import Asked, Refused, Say


def export(asked: Asked, person: Person, progress: Say) -> dict[str, Any]:
    answer = Answer()
    look(asked, [person], [answer], progress)
    findings = find_people([person], right="access")[person.ref]
    plans = {k: f.plan for k, f in findings.items() if f.status == "found" and f.plan and (not asked.stores or k in asked.stores)}
    if not answer.found:
        return answer.to_json()
    contested = {
        key: {name: asked.contested for name, entry in findings[key].counts.items() if entry["contested"]}
        for key in plans
        if asked.contested
    }
    assert asked.out is not None
    try:
        with written(asked.out, asked.recipient) as sink:
            outcomes = actions.write_package(
                sink, person=person, plans=plans, language="sv", options={"contested": contested}, own=_own(person)
            )
            _note(answer, outcomes, kept=asked.contested == "keep")
            # Before the file gets its name: nobody holds a package that the log does not tell of.
            with transaction.atomic():
                payload = {"stores": sorted(plans), "complete": not answer.left}
                audit.record(
                    chain=audit.SYSTEM, actor=asked.audited_as, action="operator.export", payload=payload, now=timezone.now()
                )
    except (actions.StoreUnavailable, StoreError) as error:
        raise Refused(str(error), 1) from None
    return answer.to_json()


def _own(person: Person) -> Own | None:
    """What the application holds about whoever has one of these mailboxes (R24)."""
    mailboxes = (identity.value for identity in person.identities if identity.kind == IdentityKind.EMAIL)
    customer = next(filter(None, map(owner_of_mailbox, mailboxes)), None)
    return own_data.own_of([customer])[customer.pk] if customer else None


def _note(answer: Answer, outcomes: Mapping[str, RunOutcome], *, kept: bool) -> None:
    for store, outcome in outcomes.items():
        if outcome.status != "done":
            answer.left.append(f"{store}: {outcome.reason}")
        for name, counts in outcome.report.get("collections", {}).items():
            answer.stores[store].setdefault(name, {}).update(counts)
            if counts["contested"] and not kept:
                answer.left.append(f"{store}.{name}: {counts['contested']} contested rows were withheld (--contested)")


@contextmanager
def written(out: Path, recipient: str | None) -> Iterator[BinaryIO]:
    """A file that appears under its name only when it is whole; encrypted on its way to the disk where a recipient is named."""
    # Under a name that nobody can have taken before, to read along or to lead us elsewhere.
    partial = out.with_name(f".{out.name}.{secrets.token_hex(8)}.partial")
    try:
        handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Refused(f"--out cannot be written ({error.strerror})") from None
    try:
        with os.fdopen(handle, "wb") as file:
            if recipient:
                with package_files.encrypted(file, _age_key(recipient)) as sink:
                    yield cast("BinaryIO", sink)
            else:
                yield file
        partial.replace(out)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _age_key(text: str) -> pyrage.x25519.Recipient:
    try:
        return pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        raise Refused("--recipient is no age public key (age1…)") from None
