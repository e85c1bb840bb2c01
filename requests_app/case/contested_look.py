"""A look at contested rows, so that somebody can decide on them: logged before anything is shown (R11)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Staff
from accounts.people import person_of
from privacy import actions, audit
from requests_app.case.steps import require_open, require_role, staff_actor
from requests_app.errors import NotAllowed
from requests_app.models import RightsRequest, StoreRun


def look_at_group(*, request: RightsRequest, group: str, acting_user: Staff, language: str, now: datetime) -> dict[str, Any]:
    """The fields of one contested group's rows. `group`: "run id:group key". LookupError: there is none."""
    require_role(acting_user, "request.see_contested")
    require_open(request)
    number, _colon, key = group.partition(":")
    if not number.isdecimal() or len(number) > 18:
        raise LookupError(group)
    run = StoreRun.objects.filter(request=request, pk=int(number)).select_related("store").first()
    found = next((item for item in actions.contested_groups((run and run.plan) or {}) if item.key == key), None)
    if run is None or run.plan is None or found is None:
        raise LookupError(group)
    with transaction.atomic():
        payload = {"store": run.store.key, "group": found.key, "rows": found.rows}
        audit.record(chain=request.reference, actor=staff_actor(acting_user), action="contested.looked", payload=payload, now=now)
    try:
        rows = actions.look(person=person_of(request.customer), plan=run.plan, key=found.key, language=language)
    except actions.StoreUnavailable:
        raise NotAllowed(_("The store cannot be read now. Try again later.")) from None
    return {
        "rows": rows,
        "more": found.rows > len(rows) > 0,
        "store": run.store.name or run.store.key,
        "collection": found.collection,
    }
