"""Notes between members of staff, on a case: encrypted, never sent, and seen by the colleagues who are mentioned in them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from accounts import roles
from accounts.models import Staff
from privacy import audit
from requests_app.case.steps import locked, require_role, require_words, staff_actor
from requests_app.errors import NotAllowed
from requests_app.models import OutboxItem, RightsRequest
from requests_app.models.desk import Mention, Note
from requests_app.running import outbox

LONGEST_NOTE = 4000
HANDLE = re.compile(r"(?<![\w@.])@([\w+-]+(?:\.[\w+-]+)*(?:@[\w-]+(?:\.[\w-]+)+)?)")


def write_note(*, request: RightsRequest, acting_user: Staff, text: str, form: str, now: datetime) -> None:
    """Keep the note and tell who is mentioned that there is one; a form works once. Raises NotAllowed for an unknown @name."""
    require_role(acting_user, "request.note")
    words = require_words(text, _("Write the note."))
    if len(words) > LONGEST_NOTE:
        raise NotAllowed(_("A note has %(most)d characters at most.") % {"most": LONGEST_NOTE})
    colleagues = mentioned_in(words)
    with locked(request) as row:
        note, is_new = Note.objects.get_or_create(
            form=form, defaults={"request": row, "author": acting_user, "text": words, "written_at": now}
        )
        if not is_new:
            return
        mentions = [Mention(note=note, staff=person) for person in colleagues if person != acting_user]
        Mention.objects.bulk_create(mentions)
        payload = {"note": note.pk} | ({"mentions": sorted(mention.staff_id for mention in mentions)} if mentions else {})
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action="note.written", payload=payload, now=now)
        outbox.enqueue_all([_notice(mention, row, now) for mention in mentions])


def _notice(mention: Mention, request: RightsRequest, now: datetime) -> OutboxItem:
    """It says where to read the note and nothing of it. Of no request: it is no letter to the person."""
    with override(settings.LANGUAGE_CODE):
        payload = {
            "subject": _("You are mentioned in %(reference)s") % {"reference": request.reference},
            "text": _("A colleague mentioned you in a note on request %(reference)s. Sign in to the staff desk to read it.")
            % {"reference": request.reference},
        }
    key = f"mention:{mention.note_id}:{mention.staff_id}"
    return outbox.item(kind=OutboxItem.Kind.EMAIL, key=key, to=mention.staff.email, payload=payload, now=now)


def read_mention(*, mention: Mention, acting_user: Staff, now: datetime) -> None:
    """Who was mentioned has read it; it waits for them no longer. Twice is once."""
    if mention.staff_id != acting_user.pk:
        raise NotAllowed(_("Somebody else is mentioned here."))
    Mention.objects.filter(pk=mention.pk, read_at=None).update(read_at=now)


def colleagues_by_handle() -> dict[str, Staff]:
    """Who can be mentioned: whoever sees cases, by the whole address, and by its first part where that is one person's."""
    wanted = [role.value for role in roles.TABLE["request.see"].roles]
    people = Staff.objects.filter(is_active=True, is_staff=True, groups__name__in=wanted).distinct().order_by("email")
    found: dict[str, list[Staff]] = {}
    for person in people:
        for handle in (person.email.casefold(), person.email.partition("@")[0].casefold()):
            found.setdefault(handle, []).append(person)
    return {handle: same[0] for handle, same in found.items() if len(same) == 1}


def mentioned_in(text: str) -> list[Staff]:
    """The colleagues whose @name stands in the text, each once. Raises NotAllowed for a name that is nobody's, or two's."""
    handles = [handle.casefold() for handle in HANDLE.findall(text)]
    if not handles:
        return []
    known = colleagues_by_handle()
    if unknown := [handle for handle in handles if handle not in known]:
        raise NotAllowed(
            _("Nobody who sees cases is called %(names)s. You can mention: %(known)s.")
            % {"names": _listed(unknown), "known": _listed(sorted(handle for handle in known if "@" not in handle))}
        )
    return list(dict.fromkeys(known[handle] for handle in handles))


def _listed(handles: Iterable[str]) -> str:
    return ", ".join(f"@{handle}" for handle in handles)
