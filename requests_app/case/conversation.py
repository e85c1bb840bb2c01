"""Messages about a request, both ways: written and read by signing in, so that no mailbox ever holds a word of them.

The clock runs on, whatever staff ask here: only asking for proof of identity makes it stand still (`intake.ask_identity`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from accounts.models import Customer, Staff
from privacy import audit
from requests_app.case import notices, representing
from requests_app.case.intake import HIGHEST_LEVEL, LEVEL_TO_LOOK, NEEDED_LEVEL, level_for
from requests_app.case.steps import CUSTOMER, locked, require_role, require_words, staff_actor
from requests_app.errors import NotAllowed
from requests_app.files import uploads
from requests_app.models import Message, Right, RightsRequest, State, Upload

LONGEST_MESSAGE = 4000
MOST_A_DAY = 20  # by one person in one request, and by who acts for them


@dataclass(frozen=True)
class Shown:
    """A message as its person sees it; `text` is None where this identity level does not show it."""

    message: Message
    text: str | None
    is_mine: bool
    files: tuple[Upload, ...] = ()


def write_to_staff(
    *,
    request: RightsRequest,
    customer: Customer,
    level: int,
    text: str,
    form: str,
    now: datetime,
    file: UploadedFile | None = None,
) -> None:
    """The person writes, or who acts for them; what staff asked and this level shows counts as answered. A form works once."""
    is_representative = representing.is_representative(request, customer)
    if request.customer_id != customer.pk and not is_representative:
        raise NotAllowed(_("This is not your request."))
    words = _require_text(text)
    by_whom = {"by": "representative"} if is_representative else {}
    with _attachment(request, file, form, now, by_whom=by_whom) as attach, locked(request) as row:
        if _was_sent(row, form):
            return
        # Each of the two by themselves: neither silences the other, nor counts how much the other wrote.
        theirs = Message.objects.filter(request=row, staff=None, by_representative=is_representative)
        today = theirs.filter(sent_at__gt=now - timedelta(days=1))
        if today.count() >= MOST_A_DAY:
            raise NotAllowed(_("You have written many messages today. Write the next one tomorrow, or call us."))
        asked = Message.objects.filter(
            request=row, is_question=True, answered_at=None, needed_level__lte=level_for(row, level=level)
        ).update(answered_at=now)
        message = Message.objects.create(
            request=row,
            by_representative=is_representative,
            text=words,
            needed_level=HIGHEST_LEVEL,
            form=form,
            sent_at=now,
        )
        payload: dict[str, Any] = {"message": message.pk, "answers": asked, "files": attach(message)}
        audit.record(chain=row.reference, actor=CUSTOMER, action="message.received", payload=payload | by_whom, now=now)


def write_to_person(
    *,
    request: RightsRequest,
    acting_user: Staff,
    text: str,
    is_question: bool,
    form: str,
    now: datetime,
    file: UploadedFile | None = None,
) -> None:
    """Staff write or ask; what the person had written counts as answered. The notice says only that there is something new."""
    require_role(acting_user, "request.write")
    words = _require_text(text)
    with _attachment(request, file, form, now, acting_user) as attach, locked(request) as row:
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
        payload = {"message": message.pk, "question": is_question, "answers": answered, "files": attach(message)}
        actor = staff_actor(acting_user)
        audit.record(chain=row.reference, actor=actor, action="message.sent", payload=payload, now=now)
        notices.tell(request=row, event="message", occasion=message.pk, now=now)


@contextmanager
def _attachment(
    request: RightsRequest,
    file: UploadedFile | None,
    form: str,
    now: datetime,
    acting_user: Staff | None = None,
    by_whom: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Callable[[Message], int]]:
    """Takes the file before the case is locked, since that takes a second; what no message took along is deleted again.

    What is given is called with the message, and answers how many files go with it.
    """
    if file is None or _was_sent(request, form):
        yield lambda message: 0
        return
    try:
        upload = uploads.receive(
            request=request, purpose=Upload.Purpose.MESSAGE, file=file, now=now, acting_user=acting_user, by_whom=by_whom
        )
    except uploads.UploadRefused as error:
        raise NotAllowed(str(error)) from None
    try:
        yield lambda message: Upload.objects.filter(pk=upload.pk).update(message=message)
    finally:
        unsent = Upload.objects.filter(pk=upload.pk, message=None)
        uploads.delete(uploads=unsent, reason="unsent", now=now)


def leave_unanswered(*, request: RightsRequest, acting_user: Staff, now: datetime) -> None:
    """What the person wrote needs no answer."""
    with locked(request) as row:
        require_role(acting_user, "request.write")
        if left := to_be_answered(row).update(answered_at=now):
            payload = {"messages": left}
            audit.record(chain=row.reference, actor=staff_actor(acting_user), action="message.noted", payload=payload, now=now)


def messages_about(request: RightsRequest) -> list[Message]:
    """The whole conversation, the oldest message first, with the files that are still there."""
    files = Prefetch("uploads", queryset=Upload.objects.filter(deleted_at=None).defer("key"))
    return list(request.messages.select_related("staff").prefetch_related(files))


def to_be_answered(request: RightsRequest) -> QuerySet[Message]:
    return Message.objects.filter(request=request, staff=None, answered_at=None)


def level_to_read(request: RightsRequest) -> int:
    """What staff write while somebody still has to prove who they are must be readable without that proof."""
    return LEVEL_TO_LOOK if request.state == State.IDENTIFYING else NEEDED_LEVEL[Right(request.right)]


def shown_to(reader: Customer, request: RightsRequest, messages: Sequence[Message], *, level: int) -> list[Shown]:
    """The conversation as its person sees it, or who acts for them, at this level in this case; the oldest message first."""
    is_representative = representing.is_representative(request, reader)
    level = level_for(request, level=level)
    found = []
    for message in messages:
        if is_representative and is_the_persons_own(message):
            continue
        is_mine = message.staff_id is None and message.by_representative == is_representative
        may_read = level >= message.needed_level
        files = tuple(message.uploads.all()) if may_read else ()
        found.append(Shown(message, message.text if may_read else None, is_mine, files))
    return found


def is_the_persons_own(message: Message) -> bool:
    """What the person wrote is kept from who acts for them: it may be that this somebody must not."""
    return message.staff_id is None and not message.by_representative


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
