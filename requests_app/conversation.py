"""Messages about a request, both ways: written and read by signing in, so that no mailbox ever holds a word of them.

The clock runs on, whatever staff ask here: only asking for proof of identity makes it stand still (`intake.ask_identity`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import Customer, Staff
from privacy import audit
from requests_app import notices
from requests_app.errors import NotAllowed
from requests_app.intake import HIGHEST_LEVEL, LEVEL_TO_LOOK, NEEDED_LEVEL, level_for
from requests_app.models import Message, Right, RightsRequest, State
from requests_app.steps import CUSTOMER, locked, require_role, require_words, staff_actor

LONGEST_MESSAGE = 4000
MOST_A_DAY = 20  # by one person in one request


@dataclass(frozen=True)
class Shown:
    """A message as its person sees it; `text` is None where this identity level does not show it."""

    message: Message
    text: str | None
    is_mine: bool


def write_to_staff(*, request: RightsRequest, customer: Customer, level: int, text: str, form: str, now: datetime) -> None:
    """The person writes, in a sitting of this level; what staff asked and it shows counts as answered. A form works once."""
    with locked(request) as row:
        if row.customer_id != customer.pk:
            raise NotAllowed(_("This is not your request."))
        words = _require_text(text)
        if _was_sent(row, form):
            return
        today = Message.objects.filter(request=row, staff=None, sent_at__gt=now - timedelta(days=1))
        if today.count() >= MOST_A_DAY:
            raise NotAllowed(_("You have written many messages today. Write the next one tomorrow, or call us."))
        asked = Message.objects.filter(
            request=row, is_question=True, answered_at=None, needed_level__lte=level_for(row, level=level)
        ).update(answered_at=now)
        message = Message.objects.create(request=row, text=words, needed_level=HIGHEST_LEVEL, form=form, sent_at=now)
        payload = {"message": message.pk, "answers": asked}
        audit.record(chain=row.reference, actor=CUSTOMER, action="message.received", payload=payload, now=now)


def write_to_person(
    *, request: RightsRequest, acting_user: Staff, text: str, is_question: bool, form: str, now: datetime
) -> None:
    """Staff write or ask; what the person had written counts as answered. The notice says only that there is something new."""
    with locked(request) as row:
        require_role(acting_user, "request.write")
        words = _require_text(text)
        if _was_sent(row, form):
            return
        answered = to_be_answered(row).update(answered_at=now)
        message = Message.objects.create(
            request=row,
            staff=acting_user,
            text=words,
            is_question=is_question,
            needed_level=level_to_read(row),
            form=form,
            sent_at=now,
        )
        payload = {"message": message.pk, "question": is_question, "answers": answered}
        actor = staff_actor(acting_user)
        audit.record(chain=row.reference, actor=actor, action="message.sent", payload=payload, now=now)
        notices.tell(request=row, event="message", occasion=message.pk, now=now)


def leave_unanswered(*, request: RightsRequest, acting_user: Staff, now: datetime) -> None:
    """What the person wrote needs no answer."""
    with locked(request) as row:
        require_role(acting_user, "request.write")
        if left := to_be_answered(row).update(answered_at=now):
            payload = {"messages": left}
            audit.record(chain=row.reference, actor=staff_actor(acting_user), action="message.noted", payload=payload, now=now)


def to_be_answered(request: RightsRequest) -> QuerySet[Message]:
    return Message.objects.filter(request=request, staff=None, answered_at=None)


def level_to_read(request: RightsRequest) -> int:
    """What staff write while somebody still has to prove who they are must be readable without that proof."""
    return LEVEL_TO_LOOK if request.state == State.IDENTIFYING else NEEDED_LEVEL[Right(request.right)]


def shown_to_person(request: RightsRequest, messages: Sequence[Message], *, level: int) -> list[Shown]:
    """The conversation as its person sees it in a sitting of this level, the oldest message first."""
    level = level_for(request, level=level)
    return [
        Shown(message, message.text if level >= message.needed_level else None, message.staff_id is None) for message in messages
    ]


def _require_text(text: str) -> str:
    words = require_words(text, _("Write a message."))
    if len(words) > LONGEST_MESSAGE:
        raise NotAllowed(_("A message has at most %(count)d characters.") % {"count": LONGEST_MESSAGE})
    return words


def _was_sent(request: RightsRequest, form: str) -> bool:
    """Whether this form was sent before; the case is locked, so no two look at once."""
    sent = Message.objects.filter(form=form).first()
    if sent is not None and sent.request_id != request.pk:
        raise NotAllowed(_("This form belongs to another request. Open the page again."))
    return sent is not None
