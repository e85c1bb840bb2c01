"""The receipt of an erasure: a signed PDF that its person keeps, and that anybody can check long after the account is gone.

It tells counts, grounds and dates, and names nobody: the reference is all that leads to the case. The facts come from the reports
of the runs alone, so the same case gives the same facts. How it is signed and checked: `receipt_checks`.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import qrcode
import qrcode.image.svg
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils.formats import date_format, number_format
from django.utils.timezone import localdate
from django.utils.translation import get_language, ngettext, override
from django.utils.translation import gettext as _

from accounts.models import Customer
from privacy import audit
from requests_app.case.answers import kept_words, labels_of, left_behind, standing_of
from requests_app.case.steps import CUSTOMER
from requests_app.delivering.receipt_checks import Summary, code_of, digest_of, signed_pdf
from requests_app.errors import NotAllowed
from requests_app.models import Right, RightsRequest, RunState, State, StoreRun

TEMPLATE = Path(settings.BASE_DIR) / "templates" / "receipts" / "erasure.typ"
KEPT_SECONDS = 24 * 3600  # a receipt as it was set: who fetches it again and again makes no work
COUNTED = ("erased", "anonymized", "pinned", "waiting", "left")


def has_receipt(request: RightsRequest) -> bool:
    return request.right == Right.ERASURE and request.state == State.COMPLETED and bool(request.answer)


def issue_receipt(
    *, request: RightsRequest, customer: Customer, now: datetime, by_whom: Mapping[str, str] = MappingProxyType({})
) -> bytes:
    """The receipt as a signed PDF, for its person alone, written down; NotAllowed where there is none.

    `by_whom` is what the log says of who it is and of their proof.
    """
    if request.customer_id != customer.pk or not has_receipt(request):
        raise NotAllowed(_("There is no receipt here: it comes with the answer to an erasure."))
    facts = facts_of(request)
    with override(request.language):
        pdf = _pdf(facts, code_of(_summary(facts)))
    with transaction.atomic():
        payload = {"facts": digest_of(facts)} | dict(by_whom)
        audit.record(chain=request.reference, actor=CUSTOMER, action="receipt.issued", payload=payload, now=now)
    return signed_pdf(pdf, _summary(facts))


# --- what it says -----------------------------------------------------------------------------------------------------


def facts_of(request: RightsRequest) -> dict[str, Any]:
    """Everything the receipt states, as plain values."""
    standing = standing_of([request.pk])
    with override(request.language):
        stores = [
            _store(run, labels_of(standing.maps.get(run.store_id)))
            for run in standing.runs[request.pk]
            if run.state != RunState.CANCELLED
        ]
    assert request.closed_at is not None
    return {
        "version": 1,
        "company": settings.INSYN_COMPANY_NAME,
        "reference": request.reference,
        "received_on": localdate(request.received_at).isoformat(),
        "answered_on": localdate(request.closed_at).isoformat(),
        "stores": stores,
    }


def _store(run: StoreRun, labels: Mapping[str, str]) -> dict[str, Any]:
    collections = (run.report or {}).get("collections", {})
    scan = run.scan
    return {
        "name": run.store.name or run.store.key,
        "collections": [
            {"name": labels.get(name) or name.replace("_", " ").capitalize(), **counts}
            for name, reported in collections.items()
            if any((counts := _counts(reported)).values())
        ],
        "residue": sum(item["rows"] for item in left_behind(run)),
        "scan": None
        if scan is None or scan.finished_at is None
        else {
            "on": localdate(scan.finished_at).isoformat(),
            "tables": len(scan.tables),
            "columns": scan.columns,
            "unread": len(scan.unread),
        },
    }


def _counts(reported: Mapping[str, Any]) -> dict[str, Any]:
    kept = reported.get("kept")
    rules: dict[tuple[str, str], int] = {}
    for rule in kept if isinstance(kept, list) else ():
        key = (rule["basis"], rule.get("until") or "")
        rules[key] = rules.get(key, 0) + rule.get("rows", 0)
    return {
        "erased": reported.get("deleted", 0) + reported.get("erased_earlier", 0),
        "anonymized": reported.get("anonymized", 0),
        "pinned": reported.get("pinned", 0),
        "waiting": reported.get("waiting", 0),
        "left": reported.get("undecided_contested", 0),
        "kept": [{"rows": rows, "basis": basis, "until": until or None} for (basis, until), rows in sorted(rules.items())],
    }


def _summary(facts: Mapping[str, Any]) -> Summary:
    collections = [item for store in facts["stores"] for item in store["collections"]]
    kept = [rule for item in collections for rule in item["kept"]]
    return Summary(
        reference=facts["reference"],
        received_on=facts["received_on"],
        answered_on=facts["answered_on"],
        erased=sum(item["erased"] for item in collections),
        anonymized=sum(item["anonymized"] for item in collections),
        kept=sum(rule["rows"] for rule in kept),
        kept_until=max((rule["until"] for rule in kept if rule["until"]), default=""),
        left=sum(item["left"] + item["waiting"] for item in collections) + sum(store["residue"] for store in facts["stores"]),
        facts=digest_of(facts),
    )


# --- how it looks -----------------------------------------------------------------------------------------------------


def _pdf(facts: Mapping[str, Any], code: str) -> bytes:
    """Set once for the same words, then kept for a day: it names nobody, and setting it takes a good part of a second."""
    shown = json.dumps(_words(facts, code), ensure_ascii=False)
    key = "receipt:" + hashlib.sha256(TEMPLATE.read_bytes() + shown.encode()).hexdigest()
    kept: bytes | None = cache.get(key)
    if kept is None:
        kept = _set(shown, code)
        cache.set(key, kept, KEPT_SECONDS)
    return kept


def _set(shown: str, code: str) -> bytes:
    """Set by typst, which is given the words as data, sees no file but the template's folder, and has nothing to fetch."""
    import typst  # a large library, for this one page

    inputs = {"shown": shown, "qr": _qr(code)}
    return bytes(
        typst.compile(
            str(TEMPLATE),
            root=str(TEMPLATE.parent),
            font_paths=[],
            ignore_system_fonts=True,
            format="pdf",
            sys_inputs=inputs,
            pdf_standards=["ua-1"],
        )
    )


def _qr(code: str) -> str:
    drawn = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
    drawn.add_data(code)
    svg = io.BytesIO()
    drawn.make_image(image_factory=qrcode.image.svg.SvgPathImage).save(svg)
    return svg.getvalue().decode()


def _words(facts: Mapping[str, Any], code: str) -> dict[str, Any]:
    check = f"{settings.INSYN_PUBLIC_URL.rstrip('/')}/receipt/" if settings.INSYN_PUBLIC_URL else ""
    return {
        "language": (get_language() or "en")[:2],
        "title": _("Receipt of an erasure"),
        "company": facts["company"],
        "facts": [
            [_("Reference"), facts["reference"]],
            [_("Request received"), _day(facts["received_on"])],
            [_("Answered"), _day(facts["answered_on"])],
            [_("Law"), _("Right to erasure, Art. 17 GDPR")],
        ],
        "done_title": _("What was done"),
        "stores": [_store_words(store) for store in facts["stores"]],
        "nothing": _("Nothing was held here."),
        "check_title": _("How to check this receipt"),
        "check": _(
            "This file is signed: a change of a single letter shows. Send the file, or the code below, to the page of receipts"
            " of %(company)s, or check it without the net as the page describes."
        )
        % {"company": facts["company"]},
        "check_address": check,
        "code_title": _("Code"),
        "code": [code[at : at + 64] for at in range(0, len(code), 64)],
        "qr_alt": _("The code as a QR code"),
    }


def _store_words(store: Mapping[str, Any]) -> dict[str, Any]:
    lines = [[item["name"], list(_collection_words(item))] for item in store["collections"]]
    return {"name": store["name"], "lines": lines, "notes": list(_scan_words(store))}


def _collection_words(item: Mapping[str, Any]) -> Iterator[str]:
    if count := item["erased"]:
        yield ngettext("%(count)s record erased", "%(count)s records erased", count) % _count(count)
    if count := item["anonymized"]:
        yield ngettext("%(count)s record made anonymous", "%(count)s records made anonymous", count) % _count(count)
    if count := item["pinned"]:
        yield _("%(count)s of them stay without your data, since others' records hang on them") % _count(count)
    if count := item["waiting"]:
        yield _("%(count)s are somebody else's too, and go with their last owner") % _count(count)
    if count := item["left"]:
        yield _("%(count)s left as they are, since they are about somebody else too") % _count(count)
    rules: dict[tuple[str, bool], list[Mapping[str, Any]]] = {}
    for rule in item["kept"]:
        rules.setdefault((rule["basis"], bool(rule["until"])), []).append(rule)
    for (basis, _dated), together in rules.items():
        yield kept_words(basis, together)


def _scan_words(store: Mapping[str, Any]) -> Iterator[str]:
    if scan := store["scan"]:
        yield _("Searched on %(day)s for what might be left: %(columns)s text columns in %(tables)s tables.") % {
            "day": _day(scan["on"]),
            "columns": number_format(scan["columns"]),
            "tables": number_format(scan["tables"]),
        }
        if scan["unread"]:
            yield _("%(count)s tables could not be read.") % _count(scan["unread"])
    if store["residue"]:
        yield _("Still found in %(count)s places; a person looks at it.") % _count(store["residue"])


def _count(count: int) -> dict[str, str]:
    return {"count": number_format(count, use_l10n=True, force_grouping=True)}


def _day(iso: str) -> str:
    return date_format(datetime.fromisoformat(iso), "j F Y")
