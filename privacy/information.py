"""What a person must be told about the processing (Art. 15(1) and (2)), built from the loaded data maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from privacy import collection_words, vocabulary
from privacy.datamap.categories import policy_category
from privacy.datamap.model import Collection, Dataset, Field, Purpose
from privacy.models import Recipient, Store

UNSTATED = Purpose(key="", basis="")


@dataclass(frozen=True)
class Held:
    """A store, its map, and the collections in which this person has rows (None: all of them)."""

    store: Store
    dataset: Dataset
    collections: frozenset[str] | None = None

    def shown(self) -> list[Collection]:
        """The collections to tell about: those with rows, in the order of the map."""
        return [
            item
            for item in self.dataset.collections.values()
            if not item.skip and (self.collections is None or item.name in self.collections)
        ]


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
        recipients = _recipients(held)
        purposes = [_purpose(purpose, members, recipients, language) for purpose, members in _by_purpose(held)]
        return {
            "language": language,
            "right": right,
            "reference": reference,
            "requested_at": requested_at.isoformat() if requested_at else None,
            "made_at": now.isoformat(),
            "controller": _controller(),
            "purposes": purposes,
            "stores": [_store(item.store) for item in held],
            "rights": _rights({purpose["legal_basis"]["key"] for purpose in purposes}),
            "complaint": _complaint(),
        }


# --- what keeps a package from being made (Art. 15(2)) ----------------------------------------------------------------


def transfer_problems(held: Held) -> list[str]:
    """Why this store's data cannot be exported yet: data abroad without a named safeguard. Each text says what to change."""
    problems = []
    if vocabulary.outside_eea(held.store.country) and not held.store.safeguard.strip():
        problems.append(
            _("The store %(store)s lies outside the EEA (%(country)s) and names no safeguard: enter one on the store.")
            % {"store": held.store.key, "country": vocabulary.country_name(held.store.country)}
        )
    abroad = _(
        "The recipient %(recipient)s lies outside the EEA (%(country)s) and names no safeguard: enter one on the recipient."
    )
    problems += [
        abroad % {"recipient": recipient.key, "country": vocabulary.country_name(recipient.country)}
        for recipient in _recipients([held]).values()
        if vocabulary.outside_eea(recipient.country) and not recipient.safeguard.strip()
    ]
    return problems


# --- purposes ---------------------------------------------------------------------------------------------------------

Member = tuple[Held, Collection, list[Field]]


def _by_purpose(held: Iterable[Held]) -> list[tuple[Purpose, list[Member]]]:
    """Every purpose with what is held for it. The same purpose in several stores is told once."""
    held = list(held)
    found: dict[Any, tuple[Purpose, list[Member]]] = {
        (purpose.key, purpose.basis): (purpose, []) for item in held for purpose in (*item.dataset.purposes.values(), UNSTATED)
    }
    for item in held:
        for collection in item.shown():
            personal: dict[str | None, list[Field]] = {}
            for field in collection.fields.values():
                if field.personal:
                    personal.setdefault(field.purpose or collection.purpose, []).append(field)
            for key, fields in personal.items():
                purpose = item.dataset.purposes.get(key or "", UNSTATED)
                found[purpose.key, purpose.basis][1].append((item, collection, fields))
    return sorted((pair for pair in found.values() if pair[1]), key=lambda pair: pair[0] is UNSTATED)


def _purpose(purpose: Purpose, members: list[Member], recipients: Mapping[str, Recipient], language: str) -> dict[str, Any]:
    article = purpose.basis.replace("-", "(", 1).replace("-", ")(") + ")" if purpose.basis else ""
    unstated = _("We have not recorded the purpose and legal basis of this data. Ask us, and we will answer.")
    return {
        "key": purpose.key,
        "name": collection_words.purpose_name(purpose, language),
        "legal_basis": {
            "key": purpose.basis,
            "article": f"GDPR art. {article}" if article else "",
            "text": str(vocabulary.LEGAL_BASES.get(purpose.basis, unstated)),
        },
        "data": [_data(*member, language) for member in members],
        "recipients": [_recipient(key, recipients.get(key)) for key in purpose.recipients],
        "automated_decision": {
            "used": purpose.automated_decision,
            "text": _(
                "Decisions are made by machine. You can ask for a person to look at one, say what you think, and contest it."
            )
            if purpose.automated_decision
            else _("No decision about you is made by machine alone."),
        },
    }


def _data(held: Held, collection: Collection, fields: list[Field], language: str) -> dict[str, Any]:
    order = list(vocabulary.POLICY_CATEGORIES)
    categories: dict[str, list[str]] = {}
    for field in fields:
        words = vocabulary.chosen(dict(field.label), language, "") or str(vocabulary.category_words(field.categories)[0])
        names = categories.setdefault(policy_category(field.categories), [])
        if words not in names:
            names.append(words)
    sources = dict.fromkeys(field.source or collection.source for field in fields)
    return {
        "store": held.store.key,
        "store_name": held.store.name or held.store.key,
        "collection": collection.name,
        "label": vocabulary.chosen(collection_words.label(collection), language, collection.name),
        "categories": [
            {"key": key, "name": str(vocabulary.POLICY_CATEGORIES.get(key, vocabulary.readable(key))), "fields": names}
            for key, names in sorted(
                categories.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)
            )
        ],
        "source": " ".join(str(vocabulary.SOURCES[source]) for source in sources if source)
        or _("Where it comes from is not recorded. Ask us, and we will answer."),
        "storage_period": collection_words.retention_words(held.dataset, collection, language),
        "kept_by_law": [collection_words.keep_words(held.dataset, collection, keep, language) for keep in collection.keeps],
    }


# --- recipients, stores, rights ---------------------------------------------------------------------------------------


def _recipients(held: Iterable[Held]) -> dict[str, Recipient]:
    """The recipients that the purposes in use name."""
    keys = {
        recipient
        for item in held
        for collection in item.shown()
        for key in collection_words.purpose_keys(collection)
        for recipient in item.dataset.purposes.get(key, UNSTATED).recipients
    }
    return {recipient.key: recipient for recipient in Recipient.objects.filter(key__in=keys)}


def _recipient(key: str, recipient: Recipient | None) -> dict[str, Any]:
    if recipient is None:  # the map names somebody whom the register does not know: named all the same
        return {"key": key, "name": vocabulary.readable(key), "role": "", "contact": "", "transfer": None, **_place("")}
    return {
        "key": key,
        "name": recipient.name,
        "role": str(vocabulary.RECIPIENT_ROLES.get(recipient.role, "")),
        "contact": recipient.contact,
        "transfer": _transfer(recipient.country, recipient.safeguard),
        **_place(recipient.country),
    }


def _store(store: Store) -> dict[str, Any]:
    role = _("We hold this on behalf of somebody else, who decides over it.") if store.role == "processor" else ""
    return {
        "key": store.key,
        "name": store.name or store.key,
        "role": role,
        "transfer": _transfer(store.country, store.safeguard),
        **_place(store.country),
    }


def _place(country: str) -> dict[str, str]:
    return {"country": country.upper(), "country_name": vocabulary.country_name(country)}


def _transfer(country: str, safeguard: str) -> dict[str, str] | None:
    """What is told about data outside the EEA; None within it."""
    if not vocabulary.outside_eea(country):
        return None
    return {"safeguard": safeguard, "text": _("Outside the EEA. Protected by: %(safeguard)s") % {"safeguard": safeguard or "–"}}


def _rights(bases: set[str]) -> list[dict[str, str]]:
    """The rights a person has beside this one, as far as the legal bases in use give them."""
    everything = [
        ("16", _("Correction"), _("If something is wrong or missing, we correct it."), True),
        ("17", _("Erasure"), _("We erase what we no longer need or have no right to keep."), True),
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
            bool(bases & set(collection_words.PORTABLE_BASES)),
        ),
        ("21", _("Objection"), _("You may object; direct marketing stops at once."), True),
        ("7(3)", _("Withdrawal of consent"), _("What you consented to, you can take back at any time."), "6-1-a" in bases),
        ("22", _("A human decision"), _("You need not accept a decision made by machine alone."), True),
    ]
    return [
        {"article": f"GDPR art. {article}", "name": name, "text": text} for article, name, text, applies in everything if applies
    ]


def _controller() -> dict[str, str]:
    return {
        "name": settings.INSYN_COMPANY_NAME,
        "address": settings.INSYN_POSTAL_ADDRESS,
        "email": settings.INSYN_SUPPORT_EMAIL,
        "phone": settings.INSYN_SUPPORT_PHONE,
    }


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
