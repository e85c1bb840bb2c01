"""Whose sitting it is and whose request: what every view of a person's own request asks first."""

from __future__ import annotations

import re

from django.http import Http404, HttpRequest

from accounts.signin import SignedIn
from requests_app import cases
from requests_app.case import representing
from requests_app.case.intake import HIGHEST_LEVEL
from requests_app.models import REFERENCE_ALPHABET, Package, RightsRequest

REFERENCE = re.compile(rf"[{REFERENCE_ALPHABET}]{{4}}(-[{REFERENCE_ALPHABET}]{{4}}){{2}}")


def signed_in(request: HttpRequest) -> SignedIn:
    found: SignedIn = request.signed_in  # type: ignore[attr-defined]
    return found


def my_request(request: HttpRequest, reference: str) -> RightsRequest:
    """The signed-in person's request, own or brought for another; others' and one that never was are told apart by nobody."""
    if not REFERENCE.fullmatch(reference.upper()):
        raise Http404  # not worth asking the database, which would choke on some of it
    found = (
        representing.with_proof_sent(representing.visible_to(signed_in(request).customer))
        .filter(reference=reference.upper())
        .select_related("customer", "package", "representation")
        .first()
    )
    if found is None:
        raise Http404
    return found


def level_in(request: HttpRequest, case: RightsRequest) -> int:
    """The identity level at which this sitting reads the answer to this request."""
    sitting = signed_in(request)
    if representing.is_representative(case, sitting.customer):
        return cases.level_of_representative(case, level=sitting.level)
    return cases.level_for(case, level=sitting.level)


def acting(request: HttpRequest, case: RightsRequest) -> dict[str, str]:
    """For the log, which the person reads: that it is who acts for them."""
    return {"by": "representative"} if representing.is_representative(case, signed_in(request).customer) else {}


def by_whom(request: HttpRequest, case: RightsRequest) -> dict[str, str]:
    """The same, and whether staff accepted the proof that this sitting did not give."""
    represents = acting(request, case)
    return represents | ({"level": "staff"} if represents or signed_in(request).level < HIGHEST_LEVEL else {})


def package_of(case: RightsRequest) -> Package | None:
    try:
        return case.package
    except Package.DoesNotExist:
        return None
