"""Where one case stands, read once for its page and its steps: runs, what they found, what is still open before a decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import CustomerIdentity, Staff
from privacy.datamap.model import Dataset
from privacy.maps import dataset_of
from privacy.models import DatasetVersion, Restriction
from requests_app.case import conversation, representing
from requests_app.case.closing import ENDED_BY_ERASURE
from requests_app.case.deadlines import local_date, notice_due, paused_days_between
from requests_app.case.decision import GO_BEFORE_ERASURE
from requests_app.cases import NEEDED_LEVEL, plan_digest
from requests_app.models import LIFT, Excess, Message, OutboxItem, Right, RightsRequest, RunState, State, StoreRun
from requests_app.models.representation import Representation
from requests_app.running.runs import undecided_contested, undecided_erasure

SETTLED = (RunState.READY, RunState.DONE, RunState.CANCELLED)


@dataclass
class Standing:
    request: RightsRequest
    user: Staff

    @cached_property
    def runs(self) -> list[StoreRun]:
        """Without plans (encrypted link values) and without the stores' addresses: nobody reads those here."""
        return list(
            self.request.runs.select_related("store", "scan")
            .defer("plan", "store__url", "store__read_url")
            .order_by("store__key")
        )

    @cached_property
    def identities(self) -> list[CustomerIdentity]:
        return list(self.request.customer.identities.select_related("verified_by").order_by("kind", "pk"))

    @cached_property
    def messages(self) -> list[Message]:
        return conversation.messages_about(self.request)

    @cached_property
    def representation(self) -> Representation | None:
        """Who acts for the person, if somebody does."""
        return representing.of(self.request)

    @cached_property
    def name_beside(self) -> str:
        """Whether the name and the contact of the person stand together in a store: it asks the stores."""
        return representing.name_beside(self.representation) if self.representation else "unknown"

    @cached_property
    def maps(self) -> list[Dataset]:
        """The current data maps of the stores that an erasure asks: they say what ends a rule that has no day yet."""
        if self.request.right != Right.ERASURE:
            return []
        stores = [run.store_id for run in self.runs]
        current = DatasetVersion.objects.filter(store__in=stores, is_current=True).defer("shape")
        return [dataset_of(version) for version in current]

    @cached_property
    def excess(self) -> Excess | None:
        """What somebody proposed since the request is excessive, if anybody did."""
        return Excess.objects.filter(request=self.request).select_related("proposed_by").first()

    @property
    def role_is(self) -> str:
        return self.representation.state if self.representation else ""

    @property
    def can_be_identified(self) -> bool:
        """There is somebody to identify; where another acts for the person, the role is accepted first."""
        return self.role_is == Representation.State.ACCEPTED if self.representation else bool(self.identities)

    @cached_property
    def restrictions(self) -> list[Restriction]:
        return list(Restriction.objects.filter(case=self.request.reference, lifted_at=None).defer("state"))

    @cached_property
    def tasks(self) -> QuerySet[OutboxItem]:
        return OutboxItem.objects.filter(request=self.request, kind=OutboxItem.Kind.TASK, delivered_at=None).order_by("pk")

    @cached_property
    def digest(self) -> str:
        return plan_digest(self.request)

    @property
    def needed_level(self) -> int:
        return NEEDED_LEVEL[Right(self.request.right)]

    @property
    def entered_by_me(self) -> bool:
        return self.request.entered_by_id == self.user.pk

    @property
    def contested_runs(self) -> list[StoreRun]:
        """Runs with contested rows, decided or not."""
        return [run for run in self.runs if run.state != RunState.CANCELLED and contested_in(run)]

    @property
    def can_be_restarted(self) -> list[StoreRun]:
        """Runs that `resume_run` takes: stopped or failed ones, and while the case is assessed a search once more."""
        again = {RunState.BLOCKED, RunState.FAILED} | ({RunState.READY} if self.request.state == State.TRIAGE else set())
        return [run for run in self.runs if run.state in again]

    @property
    def paused_days(self) -> int:
        """Whole days the clock stood still, a pause that still lasts included."""
        request = self.request
        return request.paused_days + (paused_days_between(request.paused_at, timezone.now()) if request.paused_at else 0)

    @property
    def may_be_extended(self) -> bool:
        """Art. 12(3): once, and told before the unextended deadline has passed."""
        request = self.request
        last_day = notice_due(request.received_at, paused_days=self.paused_days, eves_roll=settings.INSYN_EVES_ROLL)
        return request.is_open and request.extended_at is None and local_date(timezone.now()) <= last_day

    @property
    def is_searching(self) -> bool:
        """Before a decision the stores are only searched."""
        return self.request.state in (State.RECEIVED, State.IDENTIFYING, State.TRIAGE, State.PROPOSED)

    @property
    def told_before_lifting(self) -> bool:
        return all(row.told_at is not None for row in self.restrictions)

    @property
    def is_lifting(self) -> bool:
        return any(run.right == LIFT for run in self.runs)

    def before_decision(self) -> Iterator[str]:
        """What must happen before this case can be approved or proposed, in words."""
        if self.request.identity_level < self.needed_level:
            yield _("The identity must be at level %(needed)d; it is at level %(level)d.") % {
                "needed": self.needed_level,
                "level": self.request.identity_level,
            }
        if waiting := [run.store.key for run in self.runs if run.state not in SETTLED]:
            yield _("Not every store has been searched yet: %(stores)s.") % {"stores": ", ".join(waiting)}
        if self.request.right == Right.ERASURE:
            yield from self._before_erasure()

    def before_erasing(self) -> Iterator[str]:
        """The same for the second pair of eyes, who also waits for what goes first (R30) and for the plan to stand."""
        yield from self.before_decision()
        yield from self._goes_before()
        if self.request.plan_digest != self.digest:
            yield _("The plan changed since it was proposed. Send it back to assessment.")

    def _goes_before(self) -> Iterator[str]:
        in_force = Restriction.objects.filter(subject=self.request.customer.public_id, lifted_at=None)
        if in_force.exclude(ground__in=ENDED_BY_ERASURE).exists():
            yield _("The person asked for a restriction in order to keep the data; they must withdraw it first.")
        before = RightsRequest.objects.filter(customer=self.request.customer, right__in=GO_BEFORE_ERASURE, closed_at=None)
        if self.request.waived_at is None:
            for reference in before.values_list("reference", flat=True):
                yield _("The person still waits for request %(reference)s; answer it before erasing.") % {"reference": reference}

    def _before_erasure(self) -> Iterator[str]:
        for run in self.runs:
            if run.state != RunState.READY:
                continue
            if names := undecided_erasure(run):
                yield _("The data map of %(store)s does not say what erasing does to %(collections)s.") % {
                    "store": run.store.key,
                    "collections": ", ".join(names),
                }
            if names := undecided_contested(run):
                yield _("Contested rows are not decided on in %(store)s: %(collections)s.") % {
                    "store": run.store.key,
                    "collections": ", ".join(names),
                }


def contested_in(run: StoreRun) -> dict[str, int]:
    """{collection: contested rows} of what was found."""
    return {name: counts["contested"] for name, counts in (run.finding or {}).items() if counts.get("contested")}


def totals(runs: list[StoreRun]) -> dict[str, int]:
    """What an erasure is planned to do, summed over all stores."""
    sums = {"rows": 0, "delete": 0, "anonymize": 0, "pinned": 0, "kept": 0, "contested": 0, "others": 0}
    for run in runs:
        if run.state == RunState.CANCELLED:
            continue
        for counts in (run.finding or {}).values():
            for key in ("rows", "contested", "others"):
                sums[key] += counts.get(key) or 0
            erase: dict[str, Any] = counts.get("erase") or {}
            for key in ("delete", "anonymize", "pinned"):
                sums[key] += erase.get(key) or 0
            sums["kept"] += sum(kept.get("rows") or 0 for kept in erase.get("kept") or [])
    return sums


def rows_in_words(count: int) -> str:
    return ngettext("%(count)d row", "%(count)d rows", count) % {"count": count}


def short_code(digest: str) -> str:
    """The plan's code as people read and type it: `3F9A-21C7`."""
    return f"{digest[:4]}-{digest[4:8]}".upper()
