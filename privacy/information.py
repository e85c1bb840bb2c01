"""What a person must be told about the processing (Art. 15(1) and (2)), built from the loaded data maps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override

from privacy import processing, vocabulary
from privacy.processing import Held
from privacy.rights import rights_under


def information(
    held: Sequence[Held],
    *,
    language: str,
    now: datetime,
    reference: str = "",
    requested_at: datetime | None = None,
    right: str = "access",
) -> dict[str, Any]:
    """The whole of `information.json`: plain values in the person's language."""
    with override(language):
        recipients = processing.recipients_of(held)
        purposes = [processing.described(activity, recipients, language) for activity in processing.activities(held)]
        return {
            "language": language,
            "right": right,
            "reference": reference,
            "requested_at": requested_at.isoformat() if requested_at else None,
            "made_at": now.isoformat(),
            "controller": processing.controller(),
            "purposes": purposes,
            "stores": [processing.described_store(item.store) for item in held],
            "rights": _rights(
                {purpose["legal_basis"]["key"] for purpose in purposes},
                marketing=any(collection.objection for item in held for collection in item.shown()),
            ),
            "complaint": _complaint(),
        }


# --- what keeps a package from being made (Art. 15(2)) ----------------------------------------------------------------


def transfer_problems(held: Held) -> list[str]:
    """Why this store's data cannot be exported yet: data abroad without a named safeguard. Each text says what to change."""
    problems = []
    if vocabulary.outside_eea(held.store.country) and not held.store.safeguard.strip():
        problems.append(
            _("The store %(store)s lies outside the EEA (%(country)s) and names no safeguard: write one in its data map.")
            % {"store": held.store.key, "country": vocabulary.country_name(held.store.country)}
        )
    abroad = _(
        "The recipient %(recipient)s lies outside the EEA (%(country)s) and names no safeguard: enter one on the recipient."
    )
    problems += [
        abroad % {"recipient": recipient.key, "country": vocabulary.country_name(recipient.country)}
        for recipient in processing.recipients_of([held]).values()
        if vocabulary.outside_eea(recipient.country) and not recipient.safeguard.strip()
    ]
    return problems


# --- rights -----------------------------------------------------------------------------------------------------------


def _rights(bases: set[str], *, marketing: bool) -> list[dict[str, str]]:
    """The rights a person has beside this one, as far as the legal bases in use give them; to marketing anybody may object."""
    given = rights_under(bases)
    everything = [
        ("16", _("Correction"), _("If something is wrong or missing, we correct it."), True),
        ("17", _("Erasure"), _("We erase what we no longer need or have no right to keep."), "erasure" in given),
        (
            "18",
            _("Restriction"),
            _("While something is examined, we may store your data but do nothing else with it."),
            True,
        ),
        (
            "20",
            _("Data portability"),
            _("You get what you gave us in a form that others can read."),
            "portability" in given,
        ),
        ("21", _("Objection"), _("You may object; direct marketing stops at once."), "objection" in given or marketing),
        ("7(3)", _("Withdrawal of consent"), _("What you consented to, you can take back at any time."), "withdrawal" in given),
        ("22", _("A human decision"), _("You need not accept a decision made by machine alone."), True),
    ]
    return [
        {"article": f"GDPR art. {article}", "name": name, "text": text} for article, name, text, applies in everything if applies
    ]


def _complaint() -> dict[str, str]:
    """Art. 15(1)(f). The right is unconditional: asking us first is advice."""
    return {
        "authority": _("The Swedish Authority for Privacy Protection (IMY)"),
        "address": "Box 8114, 104 20 Stockholm",
        "phone": "08-657 61 00",
        "email": "imy@imy.se",
        "web": "https://www.imy.se/",
        "text": _("You can complain to the authority at any time. You are welcome to ask us first, but you need not."),
    }
