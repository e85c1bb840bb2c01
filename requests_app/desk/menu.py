"""The desk's menu: sections of pages, each shown to the roles that may open it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.roles import may

# section → (label, [(page, label, action of accounts.roles.TABLE or "" for everybody)])
SECTIONS: list[tuple[Any, list[tuple[str, Any, str]]]] = [
    (_("Start"), [("index", _("Start"), "")]),
    (
        _("Requests"),
        [
            ("requests_app_rightsrequest_changelist", _("Queue"), "request.see"),
            ("requests_app_rightsrequest_enter", _("Enter a request"), "request.enter"),
            ("requests_app_consent_changelist", _("Consents"), "request.see"),
            ("requests_app_recipientnotice_changelist", _("Recipients to be told"), "request.see"),
            ("requests_app_forwarding_changelist", _("Forwarded requests"), "request.see"),
        ],
    ),
    (
        _("Registers"),
        [
            ("requests_app_disclosure_changelist", _("Disclosures"), "disclosure.see"),
            ("requests_app_breachcase_changelist", _("Breaches"), "breach.see"),
        ],
    ),
    (
        _("Data"),
        [
            ("privacy_store_changelist", _("Data stores"), "store.see"),
            ("privacy_store_record", _("Record of processing"), "processing.see"),
            ("privacy_recipient_changelist", _("Recipients"), "store.see"),
            ("privacy_purgerun_changelist", _("Purges"), "store.see"),
            ("privacy_remnant_changelist", _("Kept rows"), "request.see"),
            ("requests_app_outboxitem_changelist", _("Deliveries"), "delivery.see"),
        ],
    ),
    (
        _("Proof"),
        [
            ("privacy_auditevent_changelist", _("Audit log"), "audit.see"),
            ("privacy_restriction_changelist", _("Restrictions"), "record.see"),
            ("privacy_suppression_changelist", _("Suppression list"), "record.see"),
            ("privacy_ledgerentry_changelist", _("Erasure ledger"), "record.see"),
            ("privacy_operatorrun_changelist", _("Operators' commands"), "record.see"),
        ],
    ),
    (
        _("Staff"),
        [("accounts_staff_changelist", _("Staff"), "staff.see"), ("accounts_staff_invite", _("Invite"), "staff.manage")],
    ),
]


def menu_for(request: HttpRequest) -> list[dict[str, Any]]:
    """The sections with their pages; `here` marks where the reader is, `exact` that this very page is open."""
    menu = []
    for label, entries in SECTIONS:
        pages = [
            {"url": reverse(f"admin:{name}"), "label": text}
            for name, text, action in entries
            if not action or may(request.user, action)
        ]
        if not pages:
            continue
        # The longest address that the path begins with: …/enter/ is not the queue.
        at = max((page["url"] for page in pages if _below(request.path, page["url"])), key=len, default=None)
        for page in pages:
            page["here"] = page["url"] == at
        menu.append(
            {
                "label": label,
                "url": pages[0]["url"],
                "pages": pages,
                "here": at is not None,
                "exact": request.path == pages[0]["url"],
            }
        )
    return menu


def _below(path: str, url: str) -> bool:
    return path == url or (url != reverse("admin:index") and path.startswith(url))
