"""Views of the queue: filters under a name. Some are there from the start, others are saved by staff, for themselves or for all.

What is stored is only what the queue's own filters take today; a view of yesterday's filters opens without what is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Staff
from accounts.roles import may
from requests_app.models import SavedView

# Never `person`: who is looked for is in no view.
PARAMETERS = ("show", "whose", "due", "state__exact", "right", "runs", "messages", "answered", "source__exact", "o")
LONGEST_VALUE = 24
LONGEST_NAME = 40
MOST = 20  # views of one member of staff

# (name, filters, action of accounts.roles.TABLE without which it would be empty)
BUILT_IN: tuple[tuple[Any, str, str], ...] = (
    (_("All open"), "", "request.see"),
    (_("Needs me"), "whose=needs-me", "request.assign"),
    (_("Assigned to me"), "whose=mine", "request.assign"),
    (_("Nobody's"), "whose=nobody", "request.see"),
    (_("To approve"), "whose=approval", "request.approve_erasure"),
    (_("Due within 7 days"), "due=soon", "request.see"),
    (_("Overdue"), "due=overdue", "request.see"),
    (_("Stopped"), "runs=stopped", "request.see"),
)


@dataclass(frozen=True)
class View:
    name: str
    query: str
    here: bool
    own: int | None = None  # the number by which its owner forgets it
    is_shared: bool = False


def clean_query(query: str) -> str:
    """Of an address, what the queue's filters take, in one order."""
    given = dict(parse_qsl(query.lstrip("?"))[:40])
    kept = {name: given[name] for name in PARAMETERS if 0 < len(given.get(name, "")) <= LONGEST_VALUE}
    return urlencode(kept)


def views_for(user: Staff, query: str) -> list[View]:
    """What stands above the queue: the built-in ones, then this person's own, then what colleagues share."""
    here = clean_query(query)
    return list(_views(user, here))


def _views(user: Staff, here: str) -> Iterator[View]:
    for name, query, action in BUILT_IN:
        if may(user, action):
            yield View(str(name), query, here == clean_query(query))
    stored = SavedView.objects.filter(Q(owner=user) | Q(is_shared=True, owner__is_active=True))
    for view in sorted(stored, key=lambda view: (view.owner_id != user.pk, view.name.casefold(), view.pk)):
        query = clean_query(view.query)
        yield View(view.name, query, here == query, view.pk if view.owner_id == user.pk else None, view.is_shared)


def save_view(*, owner: Staff, name: str, query: str, is_shared: bool) -> None:
    """Keep these filters under the name; a view of this name is replaced. Raises ValidationError with what to change."""
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise ValidationError(_("Give the view a name of up to 40 characters."))
    others = SavedView.objects.filter(owner=owner).exclude(name=name)
    if others.count() >= MOST:
        raise ValidationError(_("You have many views already. Delete one first."))
    shared = is_shared and may(owner, "request.share_view")
    SavedView.objects.update_or_create(owner=owner, name=name, defaults={"query": clean_query(query), "is_shared": shared})


def drop_view(*, owner: Staff, view: int) -> bool:
    """Forget a view; nobody forgets a colleague's. Answers whether it was there."""
    return bool(SavedView.objects.filter(owner=owner, pk=view).delete()[0])
