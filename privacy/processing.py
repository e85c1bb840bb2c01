"""What is processed, why, for whom and how long: the one source of the record (Art. 30) and of what people are told (Art. 15)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

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


# --- purposes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Member:
    """The personal fields of one collection that are held for one purpose."""

    held: Held
    collection: Collection
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Activity:
    """One purpose with all that is held for it. The same purpose in several stores is one, and has the recipients of all."""

    purpose: Purpose
    members: tuple[Member, ...]


def activities(held: Iterable[Held]) -> list[Activity]:
    """Every purpose for which something is held, in the order of the maps; what has no purpose comes last."""
    held = list(held)
    found: dict[Any, list[tuple[Purpose, Member]]] = {
        (purpose.key, purpose.basis): [] for item in held for purpose in (*item.dataset.purposes.values(), UNSTATED)
    }
    for item in held:
        for collection in item.shown():
            personal: dict[str | None, list[Field]] = {}
            for field in collection.fields.values():
                if field.personal:
                    personal.setdefault(field.purpose or collection.purpose, []).append(field)
            for key, fields in personal.items():
                purpose = item.dataset.purposes.get(key or "", UNSTATED)
                found[purpose.key, purpose.basis].append((purpose, Member(item, collection, tuple(fields))))
    together = [
        Activity(_as_one([purpose for purpose, _member in pairs]), tuple(member for _purpose, member in pairs))
        for pairs in found.values()
        if pairs
    ]
    return sorted(together, key=lambda activity: not activity.purpose.key)


def _as_one(purposes: Sequence[Purpose]) -> Purpose:
    return replace(
        purposes[0],
        recipients=tuple(dict.fromkeys(key for purpose in purposes for key in purpose.recipients)),
        subjects=tuple(dict.fromkeys(key for purpose in purposes for key in purpose.subjects)),
        automated_decision=any(purpose.automated_decision for purpose in purposes),
    )


def described(activity: Activity, recipients: Mapping[str, Recipient], language: str) -> dict[str, Any]:
    """An activity in plain words of the language that is switched on; `recipients` as `recipients_of` gives them."""
    purpose = activity.purpose
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
        "data": [_data(member, language) for member in activity.members],
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


def _data(member: Member, language: str) -> dict[str, Any]:
    held, collection, fields = member.held, member.collection, member.fields
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


# --- recipients, stores, controller -----------------------------------------------------------------------------------


def recipients_of(held: Iterable[Held]) -> dict[str, Recipient]:
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
        return {
            "key": key,
            "name": vocabulary.readable(key),
            "role": "",
            "role_key": "",
            "contact": "",
            "transfer": None,
            **place(""),
        }
    return {
        "key": key,
        "name": recipient.name,
        "role": str(vocabulary.RECIPIENT_ROLES.get(recipient.role, "")),
        "role_key": recipient.role,
        "contact": recipient.contact,
        "transfer": transfer(recipient.country, recipient.safeguard),
        **place(recipient.country),
    }


def described_store(store: Store) -> dict[str, Any]:
    role = _("We hold this on behalf of somebody else, who decides over it.") if store.role == "processor" else ""
    return {
        "key": store.key,
        "name": store.name or store.key,
        "role": role,
        "transfer": transfer(store.country, store.safeguard),
        **place(store.country),
    }


def place(country: str) -> dict[str, str]:
    return {"country": country.upper(), "country_name": vocabulary.country_name(country)}


def transfer(country: str, safeguard: str) -> dict[str, str] | None:
    """What is told about data outside the EEA; None within it."""
    if not vocabulary.outside_eea(country):
        return None
    return {"safeguard": safeguard, "text": _("Outside the EEA. Protected by: %(safeguard)s") % {"safeguard": safeguard or "–"}}


def controller() -> dict[str, str]:
    return {
        "name": settings.INSYN_COMPANY_NAME,
        "address": settings.INSYN_POSTAL_ADDRESS,
        "email": settings.INSYN_SUPPORT_EMAIL,
        "phone": settings.INSYN_SUPPORT_PHONE,
    }
