"""The page that a person opens first: readable, complete about what is missing, and harmless whatever the data hold."""

import io
import json
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from privacy import collection_words, package
from privacy.datamap.loader import parse
from privacy.engine.package.export import Column, Part
from privacy.information import information
from privacy.models import Recipient, Store
from privacy.package_page import LONGEST_CELL, NOTHING, OPEN_ROWS, HtmlPage
from privacy.processing import Held

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><script>",
    "{{ 7|add:7 }}{% load x %}",
    "javascript:alert(1)",
    "&lt;b&gt;",
    "\x00\x1b[31m",
    "\udc80",
    "=HYPERLINK(1)",
]

pytestmark = pytest.mark.django_db


class Reader(HTMLParser):
    """What a browser makes of the page: its tags and attributes, and the text people see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.seen: list[str] = []
        self._hidden = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.seen.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.seen))


def told(**more: Any) -> dict[str, Any]:
    return information([], language=more.pop("language", "en"), now=NOW, reference="K7MW-3QXD-9TBF", requested_at=NOW, **more)


def make(*parts: Part, language: str = "en", **more: Any) -> dict[str, bytes]:
    sink = io.BytesIO()
    package.write(sink, parts=parts, information=told(language=language, **more), language=language, now=NOW)
    with zipfile.ZipFile(sink) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def page(*parts: Part, **more: Any) -> Reader:
    return Reader(make(*parts, **more)["index.html"].decode())


def part(rows: list[tuple], *columns: Column, **more: Any) -> Part:
    columns = columns or (Column("id"), Column("name", {"sv": "Namn", "en": "Name"}, ("user.name",), {"en": "Your name."}))
    return Part(**({"store": "crm", "collection": "customer", "columns": columns, "batches": lambda: iter([rows])} | more))


# --- harmless ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("count", [1, 3])
def test_no_value_becomes_markup(value: str, count: int) -> None:
    found = page(part([(1, value)] * count))
    assert not {"script", "img", "iframe", "form", "object", "link", "base"} & {tag for tag, _ in found.tags}
    assert not [name for _tag, attributes in found.tags for name in attributes if name.startswith("on")]
    if "\udc80" not in value and "\x00" not in value:
        assert value in found.text


def test_no_label_becomes_markup() -> None:
    evil = '"><script>alert(1)</script>'
    column = Column(evil, {"en": evil}, ("user.name",), {"en": evil})
    found = page(
        part([("a",), ("b",)], column, store=evil, store_name=evil, collection=evil, label={"en": evil}, purpose=evil, withheld=1)
    )
    assert "script" not in {tag for tag, _ in found.tags}
    assert evil in found.text


@given(st.text(max_size=40))
def test_any_text_stays_text(text: str) -> None:
    with override("en"):
        html = HtmlPage(language="en")
        shown = html.cell(text)
    assert len(shown) <= LONGEST_CELL + 2


def test_the_page_asks_nothing_of_the_net_and_runs_nothing() -> None:
    found = page(part([(1, "Anna")]))
    policies = [
        attributes["content"] for tag, attributes in found.tags if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]
    assert not [attributes for _tag, attributes in found.tags if "src" in attributes or "style" in attributes]
    links = [str(attributes["href"]) for tag, attributes in found.tags if tag == "a"]
    assert {link.split(":")[0] for link in links if ":" in link} <= {"mailto", "https"}


def test_every_link_leads_somewhere() -> None:
    files = make(part([(1, "Anna")]), part([(1, "x")], collection="order"))
    found = Reader(files["index.html"].decode())
    ids = {attributes.get("id") for _tag, attributes in found.tags}
    for tag, attributes in found.tags:
        link = str(attributes.get("href", ""))
        if tag == "a" and link.startswith("#"):
            assert link[1:] in ids
        elif tag == "a" and not link.startswith(("mailto:", "https:")):
            assert link in files


# --- readable ---------------------------------------------------------------------------------------------------------


def test_one_row_is_a_list_of_facts_and_several_are_a_table() -> None:
    one, many = page(part([(1, "Anna")])), page(part([(1, "Anna"), (2, "Bo")]))
    assert "NameAnna" in one.text
    assert len([tag for tag, _ in many.tags if tag == "table"]) == len([tag for tag, _ in one.tags if tag == "table"]) + 1


def test_more_rows_open_on_demand_and_the_rest_is_in_the_files() -> None:
    found = page(part([(number, "x") for number in range(1234)]))
    rows = [tag for tag, _ in found.tags if tag == "tr"]
    assert len(rows) >= 1000
    assert f"Show {1000 - OPEN_ROWS} more rows" in found.text
    assert "234 more rows are in the files below" in found.text
    assert "1,234 rows" in found.text


def test_what_is_about_the_person_stands_before_what_only_systems_need() -> None:
    found = page(part([(17, "Anna"), (18, "Bo")]))
    assert found.text.index("Anna") < found.text.index("17")


@pytest.mark.parametrize(
    ("value", "swedish", "english"),
    [
        (None, NOTHING, NOTHING),
        ("", NOTHING, NOTHING),
        (True, "Ja", "Yes"),
        (Decimal("1249.50"), "1249,50", "1249.50"),
        (datetime(2026, 1, 3, 12, 4, tzinfo=UTC), "2026-01-03 13:04", "2026-01-03 13:04"),
        (datetime(2026, 1, 3, 12, 4, 5), "2026-01-03 12:04:05", "2026-01-03 12:04:05"),
        (datetime(1, 1, 1, tzinfo=UTC), "1-01-01 01:12:12", "1-01-01 01:12:12"),
        (datetime(9999, 12, 31, 23, 59, tzinfo=UTC), "9999-12-31 23:59", "9999-12-31 23:59"),
        (date(2026, 1, 3), "2026-01-03", "2026-01-03"),
        ({"a": [1, "å"]}, '{"a": [1, "å"]}', '{"a": [1, "å"]}'),
        (b"12345", "5 byte", "5 bytes"),
        ("x" * 600, "x" * LONGEST_CELL + " …", "x" * LONGEST_CELL + " …"),
    ],
)
def test_values_read_as_people_write_them(value: Any, swedish: str, english: str, settings: Any) -> None:
    for language, expected in (("en", english), ("sv", swedish)):
        shown = HtmlPage(language=language).cell(value)
        if language == "sv" and isinstance(value, (bool, bytes)):
            continue  # hangs on the compiled translations, which are looked at elsewhere
        assert shown == expected or shown.startswith(expected + " ") or shown.lstrip("0") == expected


def test_rows_that_are_withheld_are_counted_with_the_reason() -> None:
    found = page(
        part([(1, "Anna")], withheld=2, others=1, kept=({"rows": 7, "basis": "bokföringslagen", "until": "2034-01-01"},))
    )
    assert "2 rows are not shown, because they are also about somebody else" in found.text
    assert "1 record of another person" in found.text
    assert (
        "We must keep 7 rows even if you ask us to erase them: bokföringslagen. They can be erased from 2034-01-01." in found.text
    )
    assert "we say where" in found.text
    assert "This is all we hold about you" in page(part([(1, "Anna")])).text


def test_records_of_other_people_alone_are_a_note_and_no_empty_table() -> None:
    found = page(part([(1, "Anna")]), part([], collection="employee", others=3))
    assert "3 records of other people" in found.text
    assert "This is all we hold about you" in found.text
    assert not [attributes for _tag, attributes in found.tags if "employee.csv" in str(attributes.get("href"))]


def test_nothing_found_is_said() -> None:
    assert "We found nothing about you" in page().text


def test_every_field_has_a_label_and_an_explanation() -> None:
    found = page(part([(1, "Anna")]))
    assert "NameYour name. name" in found.text


def test_the_page_speaks_the_persons_language() -> None:
    found = Reader(make(part([(1, "Anna")]), language="sv")["index.html"].decode())
    assert dict(found.tags)["html"] == {"lang": "sv"}
    assert "Namn" in found.text


def test_portability_is_the_files_and_a_short_page() -> None:
    files = make(part([(1, "Anna")]), right="portability")
    assert set(files) == {"data/crm/customer.json", "data/crm/customer.csv", "information.json", "index.html", "contents.json"}
    text = Reader(files["index.html"].decode()).text
    assert "Your data to take along" in text
    assert "What you can ask of us" not in text
    assert json.loads(files["information.json"])["right"] == "portability"


# --- with a real map --------------------------------------------------------------------------------------------------

SHOP = """
dataset:
- fides_key: shop
  name: Shop
  meta:
    privacy:
      purposes:
      - {key: selling, basis: 6-1-b, label: {sv: Försäljning, en: Selling}, recipients: [carrier, unknown_one]}
      - {key: news, basis: 6-1-a, label: {en: News}, automated_decision: true}
      collections:
        customer:
          purpose: selling
          source: provided
          keep: [{basis: "bokföringslagen 7 kap. 2 §", from: since, for: P7Y, align: fiscal_year}]
          retention: {from: since, for: P1Y6M, then: anonymize}
      fields:
        customer.email: {label: {sv: E-post, en: E-mail}, purpose: news}
  collections:
  - name: customer
    fields:
    - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
    - {name: since, data_categories: [user.account]}
    - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
    - {name: home_phone, data_categories: [user.contact.phone_number]}
    - {name: work_phone, data_categories: [user.contact.phone_number]}
  - name: visit
    fields:
    - {name: at, data_categories: [user.behavior.browsing_history]}
"""


@pytest.fixture
def held() -> Held:
    Recipient.objects.create(key="carrier", name="Bud & Co", country="US", safeguard="standard contractual clauses")
    (dataset,) = parse(SHOP, file="shop.yml")
    return Held(Store(key="shop", name="The shop", country="SE"), dataset)


def test_article_15_is_answered_point_by_point(held: Held) -> None:
    told = information([held], language="en", now=NOW, reference="K7MW-3QXD-9TBF", requested_at=NOW - timedelta(days=3))
    selling, news, unstated = told["purposes"]
    assert (selling["name"], selling["legal_basis"]["article"]) == ("Selling", "GDPR art. 6(1)(b)")
    (data,) = selling["data"]
    assert data["categories"] == [
        {"key": "identification", "name": "Identification", "fields": ["Account"]},
        {"key": "contact", "name": "Contact", "fields": ["Phone number"]},
    ]
    carrier, unknown = selling["recipients"]
    assert (carrier["name"], carrier["country_name"]) == ("Bud & Co", "the United States")
    assert carrier["transfer"]["text"] == "Outside the EEA. Protected by: standard contractual clauses"
    assert unknown["name"] == "Unknown one"
    assert data["storage_period"] == "1 year and 6 months, counted from “Since”; then it is made anonymous."
    assert data["kept_by_law"][0]["basis"] == "bokföringslagen 7 kap. 2 §"
    assert "7 years after the end of the calendar year in which the fiscal year" in data["kept_by_law"][0]["text"]
    assert data["source"] == "You gave it to us."
    assert news["automated_decision"]["used"] is True
    assert news["data"][0]["categories"] == [{"key": "contact", "name": "Contact", "fields": ["E-mail"]}]
    assert "not recorded the purpose" in unstated["legal_basis"]["text"]
    assert {right["name"] for right in told["rights"]} >= {"Correction", "Erasure", "Withdrawal of consent", "Data portability"}
    assert told["complaint"]["email"] == "imy@imy.se"
    assert (told["controller"]["name"], told["reference"]) == ("Nordhem Webbhotell AB", "K7MW-3QXD-9TBF")
    json.dumps(told)


def test_only_collections_with_rows_are_told_about(held: Held) -> None:
    told = information([Held(held.store, held.dataset, frozenset({"visit"}))], language="en", now=NOW)
    assert [data["collection"] for purpose in told["purposes"] for data in purpose["data"]] == ["visit"]


def test_it_is_told_in_the_persons_language(held: Held) -> None:
    told = information([held], language="sv", now=NOW)
    assert told["purposes"][0]["name"] == "Försäljning"


def test_every_column_has_words_in_both_languages(held: Held) -> None:
    columns = {column.name: column for column in collection_words.columns(held.dataset.collections["customer"])}
    assert columns["email"].label == {"sv": "E-post", "en": "E-mail"}
    assert columns["home_phone"].label["en"] == "Phone number (home_phone)"
    assert columns["id"].label["en"] == "Id"
    assert all(set(column.explanation) == {"sv", "en"} and all(column.explanation.values()) for column in columns.values())


def test_portability_takes_what_was_given_or_arose_on_consent_or_contract(held: Held) -> None:
    dataset, customer = held.dataset, held.dataset.collections["customer"]
    assert collection_words.portable(dataset, customer, customer.fields["email"])
    law = SHOP.replace("basis: 6-1-b", "basis: 6-1-c")
    (by_law,) = parse(law, file="shop.yml")
    assert not collection_words.portable(by_law, by_law.collections["customer"], by_law.collections["customer"].fields["since"])
    (derived,) = parse(SHOP.replace("source: provided", "source: derived"), file="shop.yml")
    assert not collection_words.portable(
        derived, derived.collections["customer"], derived.collections["customer"].fields["since"]
    )


@pytest.mark.parametrize(
    ("country", "safeguard", "blocked"),
    [("SE", "", 0), ("NO", "", 0), ("", "", 0), ("US", "", 1), ("us", " ", 1), ("US", "SCC", 0)],
)
def test_a_store_abroad_without_a_safeguard_blocks_the_export(held: Held, country: str, safeguard: str, blocked: int) -> None:
    from privacy.information import transfer_problems

    store = Store(key="shop", country=country, safeguard=safeguard)
    problems = transfer_problems(Held(store, held.dataset))
    assert len(problems) == blocked
    assert all("shop" in problem for problem in problems)


def test_a_recipient_abroad_without_a_safeguard_blocks_it_too(held: Held) -> None:
    from privacy.information import transfer_problems

    Recipient.objects.update(safeguard="")
    (problem,) = transfer_problems(held)
    assert "carrier" in problem


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1100])
def test_in_a_browser_it_fits_the_screen_and_runs_no_script(chromium_path: str, tmp_path: Path, held: Held, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    columns = collection_words.columns(held.dataset.collections["customer"])
    rows = [(n, NOW, "anna@example.com", "<script>document.title='x'</script>", "0701234567 " * 20) for n in range(30)]
    files = make(part(rows, *columns, label={"en": "Customers"}), part([(NOW,)], Column("at"), collection="visit"))
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": width, "height": 900}, bypass_csp=False)
        complaints: list[str] = []
        tab.on("console", lambda message: complaints.append(message.text))
        tab.goto((tmp_path / "index.html").as_uri())
        assert tab.title() == "Your personal data"
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.get_by_text("anna@example.com").first.is_visible()
        assert complaints == []
        tab.close()
        # axe is a script, so it needs a page whose policy is switched off.
        checked = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=True).new_page()
        checked.goto((tmp_path / "index.html").as_uri())
        found = Axe().run(checked)
        assert found.violations_count == 0, found.generate_report()
        browser.close()
