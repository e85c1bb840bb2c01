"""What staff leave out of a package (Art. 15(4)), and a look at the package as the person will get it, before it is approved.

The look is made by the code that makes the package, with the first rows of each collection, in memory alone.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, BinaryIO, cast

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import Staff
from privacy import actions, audit
from privacy.engine.exceptions import WITHHELD, is_exception, key_of
from privacy.vocabulary import WITHHOLDING
from requests_app.case.intake import NEEDED_LEVEL
from requests_app.case.steps import locked, require_not_entered_by, require_role, staff_actor
from requests_app.delivering.building import what_goes_in
from requests_app.delivering.package_tables import Tables
from requests_app.errors import NotAllowed
from requests_app.models import Right, RightsRequest, RunState, State, StoreRun
from requests_app.running.runs import PACKAGED

ROWS = 25  # of each collection
SECONDS = 20.0
PER_STORE = 5.0
MOST_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Seen:
    """A package as it would be now: its tables, and the stores that speak against it."""

    tables: Tables
    blocked: Mapping[str, str]


class _Bounded(io.BytesIO):
    def write(self, content: Any) -> int:
        if self.tell() + len(content) > MOST_BYTES:
            raise NotAllowed(_("The first rows of this package are too large to be shown here."))
        return super().write(content)


@contextmanager
def package_as_it_will_be(*, request: RightsRequest, acting_user: Staff, now: datetime) -> Iterator[Seen]:
    """The package with its first rows, in the person's language; that somebody looked is written down before it is made."""
    require_role(acting_user, "request.preview")
    require_not_entered_by(request, acting_user)
    _require_decidable(request)
    if request.identity_level < NEEDED_LEVEL[Right(request.right)]:
        raise NotAllowed(_("Nobody looks at a person's data before it is proved who asks for them."))
    if StoreRun.objects.filter(request=request, state=RunState.LOCATING).exists():
        raise NotAllowed(_("Not every store has been searched yet. Look when they are."))
    with transaction.atomic():
        audit.record(chain=request.reference, actor=staff_actor(acting_user), action="package.previewed", payload={}, now=now)
    content, end = what_goes_in(request), monotonic() + SECONDS

    def hurry() -> None:
        if monotonic() > end:
            raise actions.StoreUnavailable("the time for a look is over")

    with _Bounded() as sink:
        try:
            with actions.patience(seconds=SECONDS, per_store=PER_STORE):
                outcomes = actions.write_package(cast(BinaryIO, sink), **content, limit=ROWS, heartbeat=hurry)
        except actions.StoreUnavailable:
            raise NotAllowed(_("The stores cannot be read now. Try again later.")) from None
        blocked = {store: outcome.reason for store, outcome in outcomes.items() if outcome.status != "done"}
        if blocked and any(blocked.values()):
            raise NotAllowed(" ".join(filter(None, blocked.values())))
        with zipfile.ZipFile(sink) as archive:
            yield Seen(Tables(archive, request.language), blocked)


def withhold(
    *,
    request: RightsRequest,
    store: str,
    collection: str,
    columns: Collection[str],
    rows: Collection[str],
    ground: str,
    acting_user: Staff,
    now: datetime,
) -> None:
    """Leave columns or rows of one collection out of the package; columns and rows together are those columns in those rows."""
    keys = [key_of(WITHHELD, collection, column, row) for column in (columns or [""]) for row in (rows or [""])]
    if not columns and not rows:
        raise NotAllowed(_("Choose at least one field or one row."))
    if ground not in WITHHOLDING:
        raise NotAllowed(_("Say on which ground it is left out."))
    facts = {"collection": collection, "fields": sorted(columns), "rows": len(rows), "ground": ground}
    _change(request, store, dict.fromkeys(keys, ground), acting_user, now, action="package.withheld", facts=facts)


def show_again(*, request: RightsRequest, store: str, keys: Collection[str], acting_user: Staff, now: datetime) -> None:
    """Take back that something is left out; `keys` as `left_out_of` gives them."""
    if not keys or any(not key.startswith(WITHHELD) for key in keys):
        raise NotAllowed(_("Choose at least one field or one row."))
    facts = {"exceptions": len(keys)}
    _change(request, store, dict.fromkeys(keys, ""), acting_user, now, action="package.shown_again", facts=facts)


def _change(
    request: RightsRequest,
    store: str,
    given: Mapping[str, str],
    acting_user: Staff,
    now: datetime,
    *,
    action: str,
    facts: Mapping[str, Any],
) -> None:
    with locked(request) as row:
        require_role(acting_user, "request.preview")
        require_not_entered_by(row, acting_user)
        _require_decidable(row)
        run = StoreRun.objects.select_for_update(of=("self",)).filter(request=row, store__key=store).first()
        if run is None:
            raise NotAllowed(_("This store has no part in the request."))
        kept = {key: answer for key, answer in {**run.choices, **given}.items() if answer}
        if len(kept) > MOST_EXCEPTIONS:
            raise NotAllowed(_("That is more than one case can hold. Leave out whole fields instead of single rows."))
        run.choices = kept
        run.save(update_fields=["choices"])
        payload = {"store": store, **facts}
        audit.record(chain=row.reference, actor=staff_actor(acting_user), action=action, payload=payload, now=now)


MOST_EXCEPTIONS = 2000


def left_out_of(run: StoreRun) -> dict[str, str]:
    """{key: ground} of what is left out of one store's part."""
    return {key: answer for key, answer in run.choices.items() if is_exception(key) and key.startswith(WITHHELD)}


def _require_decidable(request: RightsRequest) -> None:
    if request.right not in PACKAGED:
        raise NotAllowed(_("Only a request for a copy of the data ends in a package."))
    if request.state not in (State.TRIAGE, State.BLOCKED):
        raise NotAllowed(_("This is decided while the request is being assessed; send it back to assessment first."))
