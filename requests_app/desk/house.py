"""How the house stands, for the first page: stores that answer, the last purge of each rule, whether the log was verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Value, When
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from privacy import verifying
from privacy.models import PurgeRun, Store
from requests_app.desk.due import badge
from requests_app.desk.purges import last_of_each_rule
from requests_app.desk.stores import HEALTH_TONES

MOST = 8  # lines of each; the list behind it has the rest
PURGE_TONES = {"done": "ok", "running": "info", "stopped": "bad", "failed": "bad"}


@dataclass(frozen=True)
class Line:
    record: Any
    state: SafeString


def stores() -> list[Line]:
    """Those out of reach first."""
    found = Store.objects.filter(is_active=True).defer("url", "read_url")
    worst = Case(
        When(health=Store.Health.DOWN, then=Value(0)), When(health=Store.Health.UNKNOWN, then=Value(1)), default=Value(2)
    )
    return [
        Line(store, badge(HEALTH_TONES[Store.Health(store.health)], store.get_health_display()))
        for store in found.order_by(worst, "key")[:MOST]
    ]


def purges() -> list[Line]:
    """The last purge of each rule, those that did not end well first."""
    found = PurgeRun.objects.filter(last_of_each_rule()).select_related("store").defer("store__url", "store__read_url")
    worst = Case(When(state__in=("stopped", "failed"), then=Value(0)), default=Value(1))
    return [
        Line(purge, badge(PURGE_TONES[purge.state], purge.get_state_display()))
        for purge in found.order_by(worst, "store__key", "collection")[:MOST]
    ]


def verification() -> dict[str, Any]:
    """When the whole audit log was last verified, and how it ended."""
    last = verifying.last_verification()
    if last is None:
        return {"at": None, "state": badge("warn", _("never verified")), "event": None}
    state = badge("ok", _("whole")) if last.whole else badge("bad", _("not whole"))
    return {"at": last.at, "state": state, "event": last.event}
