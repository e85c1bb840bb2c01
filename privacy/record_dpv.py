"""The record of processing as JSON-LD in the terms of the W3C Data Privacy Vocabulary, version 2 (https://w3id.org/dpv)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from privacy.datamap.categories import within
from privacy.datamap.model import Collection, Field
from privacy.datamap.periods import Period
from privacy.processing import Member
from privacy.record import Entry, Record

CONTEXT = {
    "dpv": "https://w3id.org/dpv#",
    "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
    "pd": "https://w3id.org/dpv/pd#",
    "loc": "https://w3id.org/dpv/loc#",
    "dct": "http://purl.org/dc/terms/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

# Where the taxonomy of the maps has a namesake in the extension for personal data; the longest key that holds a category counts.
PERSONAL_DATA = {
    "user": "dpv:PersonalData",
    "user.account.username": "pd:Username",
    "user.authorization": "pd:Authenticating",
    "user.authorization.password": "pd:Password",
    "user.behavior": "pd:Behavioral",
    "user.behavior.browsing_history": "pd:BrowsingBehavior",
    "user.behavior.purchase_history": "pd:Purchase",
    "user.biometric": "pd:Biometric",
    "user.contact": "pd:Contact",
    "user.contact.address": "pd:PhysicalAddress",
    "user.contact.address.city": "pd:City",
    "user.contact.address.country": "pd:Country",
    "user.contact.address.postal_code": "pd:PostalCode",
    "user.contact.address.street": "pd:Street",
    "user.contact.email": "pd:EmailAddress",
    "user.contact.phone_number": "pd:TelephoneNumber",
    "user.content": "pd:Communication",
    "user.content.self_image": "pd:Picture",
    "user.criminal_history": "pd:Criminal",
    "user.demographic": "pd:Demographic",
    "user.demographic.date_of_birth": "pd:BirthDate",
    "user.demographic.gender": "pd:Gender",
    "user.demographic.language": "pd:Language",
    "user.device": "pd:DeviceBased",
    "user.device.ip_address": "pd:IPAddress",
    "user.financial": "pd:Financial",
    "user.financial.bank_account": "pd:BankAccount",
    "user.financial.credit_card": "pd:PaymentCard",
    "user.government_id": "pd:OfficialID",
    "user.government_id.passport_number": "pd:Passport",
    "user.health_and_medical": "pd:MedicalHealth",
    "user.job_title": "pd:Job",
    "user.location": "pd:Location",
    "user.name": "pd:Name",
    "user.payment": "pd:Transactional",
    "user.privacy_preferences": "pd:PrivacyPreference",
    "user.social": "pd:Social",
    "user.unique_id": "pd:UID",
    "user.workplace": "pd:Professional",
}
SUBJECTS = {"customer": "dpv:Customer", "employee": "dpv:Employee", "visitor": "dpv:Visitor"}
SOURCES = {"provided": "dpv:DataSubjectDataSource", "third_party": "dpv:ThirdPartyDataSource"}
RECIPIENTS = {"processor": "dpv:DataProcessor", "controller": "dpv:ThirdParty", "joint": "dpv:DataController"}


def as_json_ld(record: Record) -> str:
    """One document: who keeps the record, and a `dpv:Process` for each purpose, as controller and as processor."""
    processes = [
        *(_process(record, entry, "controller") for entry in record.as_controller),
        *(_process(record, entry, "processor") for entry in record.as_processor),
    ]
    graph = [
        {
            "@id": _id("record"),
            "@type": "dpv:ROPA",
            "dct:created": {"@value": record.made_at.isoformat(), "@type": "xsd:dateTime"},
            "dct:language": record.language,
            "dct:publisher": {"@id": _id("organisation")},
            "dpv:hasProcess": [{"@id": process["@id"]} for process in processes],
        },
        _organisation(record),
        *processes,
    ]
    return json.dumps({"@context": CONTEXT, "@graph": graph}, ensure_ascii=False, indent=1)


def _id(*parts: str) -> str:
    return ":".join(("urn:insyn", *parts))


def _organisation(record: Record) -> dict[str, Any]:
    about = record.controller
    roles = ["dpv:DataController", *(["dpv:DataProcessor"] if record.as_processor else [])]
    return _filled(
        {
            "@id": _id("organisation"),
            "@type": roles,
            "dpv:hasName": about["name"],
            "dpv:hasAddress": about["address"],
            "dpv:hasContact": [text for text in (about["email"], about["phone"]) if text],
            "dpv:hasDataProtectionOfficer": {"@type": "dpv:DataProtectionOfficer", "dpv:hasContact": record.officer}
            if record.officer
            else None,
        }
    )


def _process(record: Record, entry: Entry, role: str) -> dict[str, Any]:
    told, purpose = entry.told, entry.activity.purpose
    fields = [field for member in entry.activity.members for field in member.fields]
    place = _id("process", role, purpose.key or "unstated", purpose.basis or "unstated")
    return _filled(
        {
            "@id": place,
            "@type": "dpv:PersonalDataProcess",
            "dct:title": _text(record, told["name"]),
            "dpv:hasDataController" if role == "controller" else "dpv:hasDataProcessor": {"@id": _id("organisation")},
            "dpv:hasPurpose": {"@type": "dpv:Purpose", "skos:prefLabel": _text(record, told["name"])} if purpose.key else None,
            "dpv:hasLegalBasis": {"@id": f"eu-gdpr:A{purpose.basis}"} if purpose.basis else None,
            "dpv:hasDataSubject": [
                {"@type": SUBJECTS.get(key, "dpv:DataSubject"), "skos:prefLabel": _text(record, name)}
                for key, name in zip(purpose.subjects, entry.subjects, strict=True)
            ],
            "dpv:hasPersonalData": [{"@id": term} for term in _terms(fields)],
            "dpv:hasDataSource": [{"@id": term} for term in _sources(entry.activity.members)],
            "dpv:hasRecipient": [_recipient(record, item) for item in told["recipients"]],
            "dpv:hasStorageCondition": [
                _storage(record, place, member, data) for member, data in zip(entry.activity.members, told["data"], strict=True)
            ],
            "dpv:hasThirdCountry": [{"@id": f"loc:{code}"} for code in _abroad(record, entry)],
            "dpv:hasTechnicalOrganisationalMeasure": [
                {"@type": "dpv:TechnicalOrganisationalMeasure", "dct:title": store, "dct:description": _text(record, text)}
                for store, text in entry.security
            ],
            "dpv:hasAutomationLevel": {"@id": "dpv:FullAutomation"} if purpose.automated_decision else None,
            "dct:description": _text(record, "; ".join(entry.on_behalf_of)) if entry.on_behalf_of else None,
        }
    )


def _recipient(record: Record, told: dict[str, Any]) -> dict[str, Any]:
    kind = RECIPIENTS.get(told["role_key"], "dpv:Recipient")
    return _filled(
        {
            "@id": _id("recipient", told["key"]),
            "@type": ["dpv:Recipient", *([kind] if kind != "dpv:Recipient" else [])],
            "dpv:hasName": told["name"],
            "dpv:hasContact": told["contact"],
            "dpv:hasCountry": {"@id": f"loc:{told['country']}"} if told["country"] else None,
            "dpv:hasTechnicalOrganisationalMeasure": _safeguard(record, told["transfer"]),
        }
    )


def _safeguard(record: Record, transfer: dict[str, str] | None) -> dict[str, Any] | None:
    if not transfer or not transfer["safeguard"]:
        return None
    return {"@type": "dpv:SafeguardForDataTransfer", "dct:description": _text(record, transfer["safeguard"])}


def _storage(record: Record, place: str, member: Member, told: dict[str, Any]) -> dict[str, Any]:
    rule = member.collection.retention
    limit = " ".join([told["storage_period"], *(keep["text"] for keep in told["kept_by_law"])])
    return {
        "@id": f"{place}:{member.held.store.key}.{member.collection.name}",
        "@type": ["dpv:StorageCondition", "dpv:StorageDuration"],
        "dct:title": _text(record, told["label"]),
        "dct:description": _text(record, limit),
        "dpv:hasLocation": _filled(
            {
                "@type": "dpv:StorageLocation",
                "dct:title": told["store_name"],
                "dpv:hasCountry": {"@id": f"loc:{member.held.store.country}"} if member.held.store.country else None,
            }
        ),
        "dpv:hasDuration": {"@type": "dpv:TemporalDuration", "dct:extent": {"@value": iso(rule.period), "@type": "xsd:duration"}}
        if rule and rule.period != Period()
        else {"@type": "dpv:UntilEventDuration", "dct:description": _text(record, told["storage_period"])},
    }


def iso(period: Period) -> str:
    """`P7Y`, as the map writes it."""
    parts = ((period.years, "Y"), (period.months, "M"), (period.days, "D"))
    return "P" + ("".join(f"{count}{sign}" for count, sign in parts if count) or "0D")


def _terms(fields: Iterable[Field]) -> list[str]:
    found = (
        max((key for key in PERSONAL_DATA if within(category, key)), key=len)
        for field in fields
        for category in field.categories
        if within(category, "user")
    )
    return list(dict.fromkeys(PERSONAL_DATA[key] for key in found))


def _sources(members: Iterable[Member]) -> list[str]:
    def source(collection: Collection, field: Field) -> str:
        return SOURCES.get(field.source or collection.source or "", "dpv:DataControllerDataSource")

    stated = ((m.collection, field) for m in members for field in m.fields if field.source or m.collection.source)
    return list(dict.fromkeys(source(collection, field) for collection, field in stated))


def _abroad(record: Record, entry: Entry) -> list[str]:
    stores = {item["key"]: item for item in record.stores}
    places = [*entry.told["recipients"], *(stores[data["store"]] for data in entry.told["data"])]
    return list(dict.fromkeys(item["country"] for item in places if item["transfer"]))


def _text(record: Record, text: str) -> dict[str, str]:
    return {"@value": text, "@language": record.language}


def _filled(node: dict[str, Any]) -> dict[str, Any]:
    """Without what is not stated: an empty value would state something."""
    return {key: value for key, value in node.items() if value not in (None, "", [])}
