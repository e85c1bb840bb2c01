"""What staff keep back from an erasure on a ground that the data map does not know (Art. 17(3)): field by field, until a day."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from dateutil.relativedelta import relativedelta
from django.utils.timezone import localdate
from django.utils.translation import gettext as _

from accounts.models import Staff
from privacy import audit
from privacy.engine.exceptions import KEPT, kept_among, key_of
from privacy.maps import dataset_of
from privacy.models import DatasetVersion
from privacy.vocabulary import KEEPING
from requests_app.case.steps import locked, require_not_entered_by, require_role, require_words, staff_actor
from requests_app.errors import NotAllowed
from requests_app.models import Right, RightsRequest, RunState, State, StoreRun
from requests_app.running import doorbell
from requests_app.running.runs import locate_again

MOST_YEARS = 10  # as long as the longest period of limitation


def keep_back(
    *,
    request: RightsRequest,
    kept: Collection[tuple[str, str, str]],
    dropped: Collection[tuple[str, str]],
    ground: str,
    until: date | None,
    reason: str,
    acting_user: Staff,
    now: datetime,
) -> None:
    """Keep fields of an erasure, and let go of what was kept so before. The stores are searched again: the plan is another.

    `kept`: (store, collection, column; "" for whole rows). `dropped`: (store, key) as `kept_back` gives them.
    """
    with locked(request) as row:
        require_role(acting_user, "request.keep_back")
        require_not_entered_by(row, acting_user)
        if row.right != Right.ERASURE:
            raise NotAllowed(_("Only an erasure has exceptions."))
        if row.state != State.TRIAGE:
            raise NotAllowed(_("This is decided while the request is being assessed; send it back to assessment first."))
        if not kept and not dropped:
            raise NotAllowed(_("Choose what is kept, or what is no longer kept."))
        answer = _answer(ground, until, now) if kept else ""
        words = require_words(reason, _("Say why it is needed; your colleague reads it.")) if kept else ""
        runs = {run.store.key: run for run in _runs(row)}
        for store, collection, column in kept:
            _require_known(runs, store, collection, column)
            runs[store].choices = {**runs[store].choices, key_of(KEPT, collection, column): answer}
        for store, key in dropped:
            if store not in runs or not key.startswith(KEPT):
                raise NotAllowed(_("This is not kept."))
            runs[store].choices = {name: given for name, given in runs[store].choices.items() if name != key}
        for run in runs.values():
            run.save(update_fields=["choices"])
        if words:
            told = (row.details or {}).get("kept_back", [])
            row.details = {**(row.details or {}), "kept_back": [*told, {"ground": ground, "until": str(until), "reason": words}]}
            row.save(update_fields=["details"])
        locate_again(StoreRun.objects.filter(request=row, state=RunState.READY), now=now)
        doorbell.ring(doorbell.LOCATE)
        payload: dict[str, Any] = {"fields": sorted(".".join(filter(None, place)) for place in kept), "dropped": len(dropped)}
        if kept:
            payload |= {"ground": ground, "until": str(until)}
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action="erasure.kept_back", payload=payload, now=now)


def kept_back(run: StoreRun) -> Mapping[str, tuple[str, date]]:
    """{key: (ground, the first day on which it may go)} of one store."""
    found = {}
    for key, answer in kept_among(run.choices).items():
        ground, _space, day = answer.partition(" ")
        found[key] = ground, date.fromisoformat(day)
    return found


def _runs(request: RightsRequest) -> list[StoreRun]:
    return list(
        StoreRun.objects.select_for_update(of=("self",)).filter(request=request).select_related("store").order_by("store__key")
    )


def _answer(ground: str, until: date | None, now: datetime) -> str:
    if ground not in KEEPING:
        raise NotAllowed(_("Say on which ground it is kept."))
    today = localdate(now)
    if until is None or until <= today:
        raise NotAllowed(_("Say until when it is kept: a day that is still to come."))
    if until > today + relativedelta(years=MOST_YEARS):
        raise NotAllowed(_("Keep it for %(years)d years at most.") % {"years": MOST_YEARS})
    return f"{ground} {until.isoformat()}"


def _require_known(runs: Mapping[str, StoreRun], store: str, collection: str, column: str) -> None:
    version = DatasetVersion.objects.filter(store__key=store, is_current=True).first() if store in runs else None
    item = dataset_of(version).collections.get(collection) if version else None
    if item is None or (column and column not in item.fields):
        raise NotAllowed(_("There is no such field: %(field)s.") % {"field": ".".join(filter(None, (store, collection, column)))})
