"""An operator's command on people's data: the same engine as the workers', with answers for a person or a program to read.

In demo mode a command acts at once, and every store's part is remembered first, so that a command killed anywhere is resumed by
the next. Elsewhere it only carries out a case that was approved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from privacy import audit
from privacy.actions import Person
from requests_app.operating.acting import carry_out_now
from requests_app.operating.answers import Answer, look
from requests_app.operating.approved import NotApproved, carry_out
from requests_app.operating.asked import Asked, Refused, Say, person_of_command, require_sensible
from requests_app.operating.exporting import export


def act(asked: Asked, *, progress: Say = lambda text: None) -> list[dict[str, Any]]:
    """One answer per person, in the form DESIGN §7 gives. Raises Refused before anything was done."""
    people = [person_of_command(number, identities) for number, identities in enumerate(asked.people)]
    require_sensible(asked)
    if not settings.DEMO and asked.action != "locate" and not asked.dry_run:
        if len(people) > 1:
            raise Refused("a case is one person's: name that person with --identity")
        return [_approved_case(asked, people[0])]
    if asked.action == "export" and not asked.dry_run:
        return [export(asked, people[0], progress)]
    answers = [Answer() for _ in people]
    if asked.action in ("locate", "export") or asked.dry_run:
        with transaction.atomic():
            payload = {"action": asked.action, "people": len(people)}
            audit.record(
                chain=audit.SYSTEM, actor=asked.audited_as, action="operator.looked", payload=payload, now=timezone.now()
            )
        look(asked, people, answers, progress)
    else:
        carry_out_now(asked, people, answers, progress)
    return [answer.to_json() for answer in answers]


def _approved_case(asked: Asked, person: Person) -> dict[str, Any]:
    try:
        return carry_out(
            reference=asked.reference,
            action=asked.action,
            person=person,
            out=asked.out,
            recipient=asked.recipient,
            actor=asked.audited_as,
            now=timezone.now(),
        )
    except NotApproved as error:
        raise Refused(str(error)) from None


def left_over(action: str, answer: Mapping[str, Any]) -> bool:
    """Whether something that was asked was not done (exit status 1)."""
    return bool(answer.get("left")) or not answer["found"]
