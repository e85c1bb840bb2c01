"""The record of processing (Art. 30): made of the maps, as what people are told (Art. 15), and what it leaves open."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.utils import translation

from privacy import maps, own
from privacy.datamap.loader import parse
from privacy.datamap.model import DataMapError
from privacy.information import information
from privacy.models import DatasetVersion, Recipient, Store
from privacy.processing import Held
from privacy.record import as_csv, headings, record_of_processing, rows
from privacy.record_dpv import CONTEXT, as_json_ld

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
DEMO = Path(__file__).resolve().parents[2] / "demo" / "datasets"
HOSTED = """
dataset:
- fides_key: mailboxes
  name: Mailboxes
  meta:
    privacy:
      role: {processor: mailbox.customer}
      location: {country: us, safeguard: Standard contractual clauses}
      security: {en: "=Encrypted disks."}
      purposes: [{key: hosting, basis: 6-1-b, subjects: [customer, employee], recipients: [archive]}]
      collections:
        mailbox: {purpose: hosting, source: third_party, retention: {from: closed_on, for: P1Y6M, align: none}}
  collections:
  - name: mailbox
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: address, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: customer, data_categories: [user.unique_id]}
    - {name: closed_on, data_categories: [user.behavior]}
"""
GAPS = """
dataset:
- fides_key: shop
  name: Shop
  meta:
    privacy:
      purposes: [{key: sales, basis: 6-1-b, recipients: [carrier]}]
      collections: {buyer: {purpose: sales}}
  collections:
  - name: buyer
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
  - name: visit
    fields:
    - {name: id, fides_meta: {primary_key: true}}
    - {name: address, data_categories: [user.device.ip_address]}
"""


def loaded(source: str, **columns: str) -> Held:
    """A store with this map, as loading would leave it; no database stands behind it."""
    (dataset,) = parse(source, file="test.yml")
    about = {"country": dataset.country, "safeguard": dataset.safeguard, "role": dataset.role, **columns}
    store = Store.objects.create(key=dataset.key, name=dataset.name, url="env:NONE", **about)
    version = DatasetVersion.objects.create(
        store=store, version=1, fides_key=dataset.key, digest="0" * 64, source=source, loaded_at=NOW, loaded_by="test"
    )
    return Held(store, maps.dataset_of(version))


@pytest.fixture
def demo():
    for key in ("bookkeeper", "payment_provider", "domain_registry", "newsletter_service"):
        Recipient.objects.create(key=key, name=key.title(), agreement="DPA 12")
    Recipient.objects.create(
        key="support_tool", name="Helpful Tickets Inc.", country="US", safeguard="Standard clauses", agreement="DPA 7"
    )
    return [loaded((DEMO / f"{name}.yml").read_text()) for name in ("activity", "billing", "crm")]


def made(language="en"):
    with translation.override(language):
        return record_of_processing(language=language, now=NOW)


def nodes(record):
    return {node["@id"]: node for node in json.loads(as_json_ld(record))["@graph"]}


@pytest.mark.parametrize("language", ["sv", "en"])
def test_what_people_are_told_and_what_the_record_says_are_the_same(demo, language):
    told = information([*demo, own.held(None)], language=language, now=NOW)
    assert [entry.told for entry in made(language).as_controller] == told["purposes"]
    assert made(language).controller == told["controller"]


def test_the_record_of_the_demo_lacks_nothing_but_time_limits(demo):
    assert all("no time limit for erasure" in gap for gap in made().gaps)


def test_each_activity_has_what_article_30_asks(demo):
    record = made()
    (care,) = (entry for entry in record.as_controller if entry.told["key"] == "customer_care")
    assert care.subjects == ["Customers"]
    assert care.security[0][0] == "Kundregister"
    assert {data["label"] for data in care.told["data"]} >= {"Customer record", "Contracts"}
    assert all(data["storage_period"] for data in care.told["data"])
    assert [recipient["name"] for recipient in care.told["recipients"]] == ["Helpful Tickets Inc."]
    (employment,) = (entry for entry in record.as_controller if entry.told["key"] == "employment")
    assert employment.subjects == ["Employees"]


def test_what_we_hold_for_others_stands_in_a_record_of_its_own(demo):
    loaded(HOSTED)
    record = made()
    (entry,) = record.as_processor
    assert entry.told["key"] == "hosting"
    assert entry.on_behalf_of == ["the customers to whom mailboxes.mailbox.customer leads"]
    assert "hosting" not in {item.told["key"] for item in record.as_controller}


def test_a_purpose_in_two_stores_has_the_recipients_of_both():
    loaded(GAPS)
    loaded(GAPS.replace("fides_key: shop", "fides_key: stall").replace("carrier", "printer"))
    (sales,) = (entry for entry in made().as_controller if entry.told["key"] == "sales")
    assert [recipient["key"] for recipient in sales.told["recipients"]] == ["carrier", "printer"]
    assert [data["store"] for data in sales.told["data"]] == ["shop", "stall"]


def test_every_gap_is_named_with_its_place(settings):
    settings.INSYN_DPO_CONTACT = ""
    Recipient.objects.create(key="archive", name="Archive Inc.", country="US")
    loaded(GAPS)
    loaded(HOSTED.replace("{processor: mailbox.customer}", "processor").replace(", safeguard: Standard contractual clauses", ""))
    Store.objects.create(key="cellar", url="env:NONE", country="SE")
    assert {gap for gap in made().gaps if not gap.startswith("insyn ")} == {
        "No data protection officer is named (INSYN_DPO_CONTACT).",
        "cellar has no data map, so nothing is known of it.",
        "shop does not say in which country it lies.",
        "shop does not say how it is protected (security).",
        "shop holds personal fields whose source is not stated: buyer, visit.",
        "shop holds personal fields without a purpose and a legal basis: visit.",
        "shop has no time limit for erasure (retention): buyer, visit.",
        "The purpose sales does not say whom it is about (subjects).",
        "The recipient carrier is not in the list of recipients.",
        "mailboxes is held for others, and nothing says for whom (role.processor).",
        "The store mailboxes lies outside the EEA (the United States) and names no safeguard: write one in its data map.",
        "The recipient archive lies outside the EEA (the United States) and names no safeguard: enter one on the recipient.",
        "The recipient archive is a processor without an agreement (Art. 28(3)).",
    }


def test_the_table_has_a_row_per_purpose_and_collection_and_no_formula(demo):
    loaded(HOSTED)
    record = made()
    table = list(csv.reader(io.StringIO(as_csv(record))))
    assert table[0] == headings()
    assert len(table) == 1 + sum(len(entry.told["data"]) for entry in (*record.as_controller, *record.as_processor))
    (hosted,) = (row for row in table if row[1] == "Hosting")
    assert hosted[0] == "processor; the customers to whom mailboxes.mailbox.customer leads"
    assert hosted[9].startswith("the United States: Standard contractual clauses")
    assert hosted[11] == "'=Encrypted disks."
    assert all(len(row) == len(headings()) for row in rows(record))


# --- JSON-LD ----------------------------------------------------------------------------------------------------------

# Terms of DPV 2.0 (its CSV files: dpv, pd/extended, legal/eu/gdpr/legal_basis), by prefix.
DPV = {
    "PersonalData", "PersonalDataProcess", "Purpose", "ROPA", "DataController", "DataProcessor", "DataProtectionOfficer",
    "DataSubject", "Customer", "Employee", "Visitor", "Recipient", "ThirdParty", "SafeguardForDataTransfer", "StorageCondition",
    "StorageDuration", "StorageLocation", "TemporalDuration", "UntilEventDuration", "FullAutomation",
    "TechnicalOrganisationalMeasure", "DataSubjectDataSource", "ThirdPartyDataSource", "DataControllerDataSource", "hasName",
    "hasAddress", "hasContact", "hasDataProtectionOfficer", "hasProcess", "hasDataController", "hasDataProcessor", "hasPurpose",
    "hasLegalBasis", "hasDataSubject", "hasPersonalData", "hasDataSource", "hasRecipient", "hasStorageCondition",
    "hasThirdCountry", "hasTechnicalOrganisationalMeasure", "hasAutomationLevel", "hasCountry", "hasLocation", "hasDuration"
}  # fmt: skip
PD = {
    "Username", "Authenticating", "Password", "Behavioral", "BrowsingBehavior", "Purchase", "Biometric", "Contact",
    "PhysicalAddress", "City", "Country", "PostalCode", "Street", "EmailAddress", "TelephoneNumber", "Communication", "Picture",
    "Criminal", "Demographic", "BirthDate", "Gender", "Language", "DeviceBased", "IPAddress", "Financial", "BankAccount",
    "PaymentCard", "OfficialID", "Passport", "MedicalHealth", "Job", "Location", "Name", "Transactional", "PrivacyPreference",
    "Social", "UID", "Professional"
}  # fmt: skip


def terms(value):
    """Every compact IRI of a document: keys, types and references."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("@id", "@type"):
                yield from [item] if isinstance(item, str) else item
            elif key not in ("@value", "@language"):
                yield key
                yield from terms(item)
    elif isinstance(value, list):
        for item in value:
            yield from terms(item)


def test_every_term_is_one_of_the_vocabulary(demo):
    loaded(HOSTED)
    used = {term for node in nodes(made()).values() for term in terms(node)}
    prefixed = {tuple(term.split(":", 1)) for term in used if not term.startswith("urn:")}
    assert {prefix for prefix, _name in prefixed} <= set(CONTEXT)
    assert {name for prefix, name in prefixed if prefix == "dpv"} <= DPV
    assert {name for prefix, name in prefixed if prefix == "pd"} <= PD
    assert all(re.fullmatch(r"A6-1-[a-f]", name) for prefix, name in prefixed if prefix == "eu-gdpr")
    assert all(re.fullmatch(r"[A-Z]{2}", name) for prefix, name in prefixed if prefix == "loc")


def test_every_reference_within_the_document_leads_somewhere(demo):
    found = nodes(made())
    assert {item["@id"] for item in found["urn:insyn:record"]["dpv:hasProcess"]} == {
        name for name in found if name.startswith("urn:insyn:process:")
    }
    for name, node in found.items():
        if name.startswith("urn:insyn:process:controller:"):
            assert node["dpv:hasDataController"]["@id"] in found


def test_a_process_says_purpose_basis_data_recipients_transfer_and_period(demo):
    loaded(HOSTED)
    Recipient.objects.create(key="archive", name="Archive Inc.", country="US", safeguard="Clauses")
    process = nodes(made())["urn:insyn:process:processor:hosting:6-1-b"]
    assert process["dpv:hasDataProcessor"] == {"@id": "urn:insyn:organisation"}
    assert process["dpv:hasLegalBasis"] == {"@id": "eu-gdpr:A6-1-b"}
    assert process["dpv:hasPurpose"]["skos:prefLabel"] == {"@value": "Hosting", "@language": "en"}
    assert [item["@type"] for item in process["dpv:hasDataSubject"]] == ["dpv:Customer", "dpv:Employee"]
    assert {item["@id"] for item in process["dpv:hasPersonalData"]} == {"pd:EmailAddress", "pd:UID", "pd:Behavioral"}
    assert process["dpv:hasDataSource"] == [{"@id": "dpv:ThirdPartyDataSource"}]
    assert process["dpv:hasThirdCountry"] == [{"@id": "loc:US"}]
    (recipient,) = process["dpv:hasRecipient"]
    assert recipient["dpv:hasTechnicalOrganisationalMeasure"]["@type"] == "dpv:SafeguardForDataTransfer"
    (storage,) = process["dpv:hasStorageCondition"]
    assert storage["dpv:hasDuration"]["dct:extent"] == {"@value": "P1Y6M", "@type": "xsd:duration"}
    organisation = nodes(made())["urn:insyn:organisation"]
    assert organisation["@type"] == ["dpv:DataController", "dpv:DataProcessor"]


def test_what_is_not_stated_is_left_out():
    loaded(GAPS)
    process = nodes(made())["urn:insyn:process:controller:unstated:unstated"]
    assert "dpv:hasLegalBasis" not in process
    assert "dpv:hasPurpose" not in process


# --- what the map may say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("location: {country: Sweden}", "two letters"),
        ("location: {city: Lund}", "unknown key `city`"),
        ("purposes: [{key: a, basis: 6-1-b, subjects: [dragons]}]", "`dragons` is none of"),
        ("security: much", "must be a mapping"),
    ],
)
def test_what_the_record_needs_is_checked_when_a_map_is_read(wrong, told):
    with pytest.raises(DataMapError, match=re.escape(told)):
        parse(f"dataset: [{{fides_key: a, name: a, collections: [], meta: {{privacy: {{{wrong}}}}}}}]", file="test.yml")


def test_norway_is_a_country_and_not_false():
    (dataset,) = parse(
        "dataset: [{fides_key: a, name: a, collections: [], meta: {privacy: {location: {country: NO}}}}]", file="test.yml"
    )
    assert dataset.country == "NO"
