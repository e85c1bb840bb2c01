"""Receiving the package: what is in it, its tables, its files, and taking it back. All of it takes the second proof."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.constants import NONE
from csp.decorators import csp_replace
from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from accounts.signin import SESSION_KEY, ask_for_second_proof, customer_required, notes
from privacy import audit
from requests_app.case.steps import CUSTOMER
from requests_app.delivering import delivery, handing_out
from requests_app.delivering.package_files import Spoilt
from requests_app.delivering.package_tables import PAGE_ROWS, NothingToRead, Tables, open_tables
from requests_app.delivering.ranges import answer_with
from requests_app.errors import NotAllowed
from requests_app.models import Package, RightsRequest
from requests_app.portal.ask_forms import CATEGORIES
from requests_app.portal.chart import chart_of
from requests_app.portal.mine import acting, by_whom, level_in, my_request, package_of

NEEDED_LEVEL = 2
LONGEST_SEARCH = 100
READ_NOTE = "packages_read"
# What came from stores is shown in a page that could run nothing, were there a hole in the escaping: not even our own script.
CONTENT_POLICY = {
    "sandbox": ["allow-forms", "allow-same-origin", "allow-downloads"],
    "script-src": [NONE],
    "connect-src": [NONE],
}

View = Callable[..., HttpResponseBase]


def with_the_package(view: View) -> View:
    """For the owner at the needed level; what speaks against it stands on the page of the request."""

    @wraps(view)
    def guarded(request: HttpRequest, reference: str, **kwargs: Any) -> HttpResponseBase:
        case = my_request(request, reference)
        if level_in(request, case) < NEEDED_LEVEL:
            return ask_for_second_proof(request)
        try:
            return view(request, case, **kwargs)
        except NotAllowed as error:
            messages.warning(request, str(error))
            return redirect("portal:request", case.reference)

    return guarded


# --- reading ----------------------------------------------------------------------------------------------------------


@csp_replace(CONTENT_POLICY)
@customer_required()
@require_safe
@with_the_package
def contents(request: HttpRequest, case: RightsRequest) -> HttpResponse:
    """What is in the package, table by table."""
    context = _read(request, case, lambda tables: {"tables": tables.all, "stores": _by_store(tables)})
    context["rows"] = sum(table.rows for table in context["tables"])
    context["kinds"] = {key: option.label for key, option in CATEGORIES.items()}
    return render(request, "portal/package/contents.html", context)


@sensitive_post_parameters("q")
@csp_replace(CONTENT_POLICY)
@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
@with_the_package
def table(request: HttpRequest, case: RightsRequest, number: int) -> HttpResponse:
    """One table: a page of its rows, or the rows that a search finds. The words come by POST and stand in no address."""
    words = request.POST.get("q", "").strip()[:LONGEST_SEARCH]
    start = _number(request.POST.get("from")) if words else (_number(request.GET.get("page"), least=1) - 1) * PAGE_ROWS

    def look(tables: Tables) -> dict[str, Any]:
        if not 1 <= number <= len(tables.all):
            raise Http404
        chosen = tables.all[number - 1]
        found = tables.search(chosen, words, start=start) if words else tables.rows(chosen, start=start)
        return {"table": chosen, "found": found}

    context = _read(request, case, look)
    return render(request, "portal/package/table.html", context | _around(context["table"], context["found"], words, start))


def _around(table: Any, found: Any, words: str, start: int) -> dict[str, Any]:
    """Where this page stands among the others."""
    ends_before = found.passed < table.rows
    return {
        "lines": [(number, cells and list(zip(table.headings, cells, strict=True))) for number, cells in found.rows],
        "words": words,
        "start": start,
        "chart": None if words or start else chart_of(table.history),
        "first": found.rows[0][0] if found.rows else 0,
        "last": found.rows[-1][0] if found.rows else 0,
        "page": start // PAGE_ROWS + 1,
        "next_from": found.passed if ends_before and (len(found.rows) == PAGE_ROWS or (words and not found.complete)) else 0,
        "out_of_reach": not found.complete and found.passed < start,
        "longest": LONGEST_SEARCH,
        "meanings": table.meanings,
    }


def _read(request: HttpRequest, case: RightsRequest, look: Callable[[Tables], dict[str, Any]]) -> dict[str, Any]:
    package = delivery.ready_package(request=case, customer=case.customer, now=timezone.now())
    try:
        with open_tables(package, language=(get_language() or case.language)[:2]) as tables:
            found = look(tables)
    except NothingToRead:
        raise NotAllowed(_("This package cannot be read here. Download it instead.")) from None
    except Spoilt as error:
        raise delivery.unreadable(package, error) from None
    _write_down(request, case, package)
    return {"case": case, "package": package} | found


def _write_down(request: HttpRequest, case: RightsRequest, package: Package) -> None:
    """That the package was read, once for each sitting."""
    sitting = request.session[SESSION_KEY]["since"]
    read = notes(request).setdefault(READ_NOTE, {})
    if read.get(str(package.pk)) != sitting:
        read[str(package.pk)] = sitting
        request.session.modified = True
        with transaction.atomic():
            payload = {"sha256": package.sha256} | by_whom(request, case)
            audit.record(chain=case.reference, actor=CUSTOMER, action="package.read", payload=payload, now=timezone.now())


def _by_store(tables: Tables) -> dict[str, list[Any]]:
    stores: dict[str, list[Any]] = {}
    for item in tables.all:
        if item.rows or item.withheld or item.left_out:
            stores.setdefault(item.store, []).append(item)
    return stores


def _number(text: str | None, *, least: int = 0) -> int:
    return max(int(text), least) if text and text.isascii() and text.isdigit() and len(text) < 10 else least


# --- downloading, deleting --------------------------------------------------------------------------------------------


@customer_required()
@require_safe
@with_the_package
def download(request: HttpRequest, case: RightsRequest, form: str = "all") -> HttpResponseBase:
    """The package in one form, decrypted as it goes out; a download that broke off goes on where it was."""
    if form not in handing_out.FORMS:
        raise Http404
    now = timezone.now()
    prepared = handing_out.prepare_download(request=case, customer=case.customer, form=form, now=now)
    whose = by_whom(request, case)
    return answer_with(
        request,
        prepared,
        record=lambda start: handing_out.record_download(download=prepared, start=start, by_whom=whose, now=now),
    )


@customer_required()
@require_http_methods(["GET", "HEAD", "POST"])
@with_the_package
def delete(request: HttpRequest, case: RightsRequest) -> HttpResponse:
    """Take the package back before its time; once more changes nothing."""
    package = package_of(case)
    if package is None or package.state == Package.State.BUILDING:
        raise NotAllowed(_("There is no package to delete here."))
    if package.state != Package.State.READY:
        return redirect("portal:request", case.reference)
    if request.method == "POST":
        delivery.delete_package(request=case, customer=case.customer, by_whom=acting(request, case), now=timezone.now())
        messages.success(request, _("Your package is deleted here. What you have downloaded is still yours."))
        return redirect("portal:request", case.reference)
    return render(request, "portal/package/delete.html", {"case": case, "package": package})
