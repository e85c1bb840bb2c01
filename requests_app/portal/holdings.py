"""What the stores hold on a person that can be corrected: asked once per draft, kept in it encrypted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from accounts.models import Customer
from accounts.people import person_of
from privacy import actions
from requests_app.models import Right
from requests_app.portal.drafts import Draft

FRESH_FOR = timedelta(minutes=30)
SECONDS, PER_STORE = 8, 3  # how long a page waits for the stores


def look_up(draft: Draft, customer: Customer, *, now: datetime) -> None:
    """Fill `draft.holdings` with {"fields": […], "incomplete": bool, "at": …} unless it is fresh.

    A store that cannot be reached leaves a gap, which the page names; it never looks like "we have nothing".
    """
    if draft.holdings and datetime.fromisoformat(draft.holdings["at"]) > now - FRESH_FOR:
        return
    draft.holdings = {**_ask_stores(customer), "at": now.isoformat()}


def _ask_stores(customer: Customer) -> dict[str, Any]:
    person = person_of(customer)
    try:
        with actions.patience(seconds=SECONDS, per_store=PER_STORE):
            findings = actions.find([person], right=Right.RECTIFICATION).get(person.ref, {})
            plans = {key: finding.plan for key, finding in findings.items() if finding.status == "found" and finding.plan}
            incomplete = any(finding.status in ("unreachable", "unknown") for finding in findings.values())
            return {"fields": actions.preview_fields(person, plans=plans), "incomplete": incomplete}
    except actions.StoreUnavailable:
        return {"fields": [], "incomplete": True}
