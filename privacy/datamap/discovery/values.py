"""What sampled values look like. Values are counted and forgotten: nothing here returns, logs or raises one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import phonenumbers
from stdnum import iban, luhn
from stdnum.se import personnummer

ENOUGH = 200  # distinct values looked at per column

_EMAIL = re.compile(r"[^@\s<>()\[\],;:\"]+@[^@\s<>()\[\],;:\"]+\.[^@\s<>()\[\],;:\".\d]{2,}")
_INSIDE = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*[a-z]{2,}|\b\d{6}(?:\d{2})?[-+]\d{4}\b", re.IGNORECASE)
_STREET = re.compile(
    r"\D*(gatan|vägen|gränd|torget|stigen|allén|backen|street|st\.?|road|rd\.?|avenue|ave\.?|lane|drive|way|stra(ß|ss)e|rue .+)"
    r",? \d+ ?[a-z]?(,.*)?|\d+ .*(street|st\.?|road|rd\.?|avenue|ave\.?|lane|drive|boulevard|blvd\.?|way)(,? .*)?",
    re.IGNORECASE,
)
# Frequent given names of people of all ages in Sweden and the English-speaking world: enough of them in a column of short
# capitalised words means that it holds people's names.
_GIVEN = frozenset(
    re.findall(
        r"\w+",
        "adam agneta albin alexander alexandra alice amanda amelia anders andreas andrew anette anita ann anna anne anneli "
        "annika anthony anton arvid astrid axel barbara beatrice bengt benjamin bertil bill birgitta björn bo britt brian "
        "camilla carina carl carol caroline cecilia charles charlotte chris christer christian christina christopher clara "
        "daniel david dennis diana dan donald dorothy ebba edward elin elias elizabeth ella ellen elsa emelie emil emily emma "
        "eric erik eva eve fatima filip frank fredrik frida george gerd gun gunilla gunnar gustav göran hanna hans harry hassan "
        "helen helena henrik henry hugo håkan ida inga inger ingrid isabella jack jacob jakob james jan jane janet jennifer "
        "jenny jens jessica jim joakim joe johan johanna john jonas jonathan jörgen josefin joseph joshua julia julie karen "
        "karin karl kate kevin kenneth kerstin kim klara kristina lars laura leif lena lennart leo liam lina linda linnea lisa "
        "lotta louise lucas ludvig lukas madeleine magnus maja malin marcus margaret margareta maria marie mark markus martin "
        "mary matilda matthew mats mattias max michael mikael miriam moa mohamed mohammed monica nancy niklas nils nina oliver "
        "olivia olof oskar oscar ove patricia patrik paul per peter petra pia pontus rebecka richard rickard robert robin roger "
        "rolf ronald ryan samuel sandra sara sarah saga sebastian simon siv sofia sophie stefan steve steven stig stina susan "
        "susanne sven svante thomas therese tobias tomas tommy tove ulf ulla ulrika viktor victoria vera vilma wilhelm william "
        "wilma yvonne åke åsa ",
    )
)


@dataclass(frozen=True)
class Evidence:
    """`share` of `count` distinct values have the look of `category`."""

    category: str
    what: str
    share: float
    count: int
    identity: str | None = None
    sure: bool = True  # whether the look alone is enough, whatever the column's name


def texts(values: Iterable[Any]) -> list[str]:
    """Up to `ENOUGH` distinct values as trimmed text, without empty ones."""
    found: dict[str, None] = {}
    for value in values:
        if value is not None and (text := str(value).strip()):
            found[text] = None
            if len(found) >= ENOUGH:
                break
    return list(found)


def looks(values: list[str]) -> Evidence | None:
    """What most of these values are, if that can be told from their look."""
    if len(values) < 2:
        return _single(values)
    best: Evidence | None = None
    for category, what, identity, test, least, sure in _TESTS:
        share = sum(map(test, values)) / len(values)
        if share >= least and (best is None or share > best.share):
            best = Evidence(category, what, share, len(values), identity, sure)
    return best or _inside(values)


def _single(values: list[str]) -> Evidence | None:
    if values and _is_email(values[0]):
        return Evidence("user.contact.email", "e-mail addresses", 1.0, 1, "email")
    return None


def fits(category: str, values: list[str]) -> float | None:
    """The share of values that a column of this category could hold; None where a look cannot tell."""
    test = _CHECKS.get(category)
    return sum(map(test, values)) / len(values) if test and values else None


def prose(values: list[str]) -> bool:
    """Whether people write sentences here."""
    return bool(values) and sum(len(value) > 25 and value.count(" ") >= 4 for value in values) / len(values) >= 0.4


def _inside(values: list[str]) -> Evidence | None:
    found: set[str] = set()
    holding = 0
    for value in values:
        inside = {part for part in _INSIDE.findall(value) if "@" in part or personnummer.is_valid(part)}
        holding += bool(inside)
        found |= inside
    share = holding / len(values)
    if len(found) >= 2 and share >= 0.05:
        return Evidence("user.content.private", "texts with addresses or personal numbers in them", share, len(values))
    return None


def _is_email(value: str) -> bool:
    return _EMAIL.fullmatch(value) is not None


def _is_phone(value: str) -> bool:
    if not re.fullmatch(r"(\+|00?[1-9]|\()[\d\s()./-]{6,22}", value):
        return False
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(value, "SE"))
    except phonenumbers.NumberParseException:
        return False


def _could_be_phone(value: str) -> bool:
    return 5 <= sum(ch.isdigit() for ch in value) <= 17 and not re.search(r"[^\W\d_]{4,}", value)


def _is_personnummer(value: str) -> bool:
    return re.fullmatch(r"(\d{2})?\d{6}[-+]?\d{4}", value) is not None and personnummer.is_valid(value)


def _is_ip(value: str) -> bool:
    if "." not in value and ":" not in value:
        return False
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return True


def _is_card(value: str) -> bool:
    digits = value.replace(" ", "").replace("-", "")
    return re.fullmatch(r"[3-6]\d{12,18}", digits) is not None and luhn.is_valid(digits)


def _is_iban(value: str) -> bool:
    return re.match(r"[A-Z]{2}\d\d", value) is not None and iban.is_valid(value)


def _is_name(value: str) -> bool:
    parts = re.fullmatch(r"([^\W\d_]+(?:-[^\W\d_]+)?)(?: [^\W\d_.]+\.?(?:-[^\W\d_]+)?){0,3}", value)
    return parts is not None and value[:1].isupper() and parts[1].split("-")[0].casefold() in _GIVEN


def _is_agent(value: str) -> bool:
    return re.match(r"(Mozilla|Opera|curl|Wget)/\d", value) is not None


Test = Callable[[str], bool]
# category, what, identity, test, least share, sure by itself
_TESTS: tuple[tuple[str, str, str | None, Test, float, bool], ...] = (
    ("user.contact.email", "e-mail addresses", "email", _is_email, 0.6, True),
    ("user.government_id.national_identification_number", "personal identity numbers", None, _is_personnummer, 0.8, True),
    ("user.financial.bank_account", "bank account numbers", None, _is_iban, 0.7, True),
    ("user.financial.credit_card", "card numbers", None, _is_card, 0.8, True),
    ("user.device.ip_address", "IP addresses", None, _is_ip, 0.8, True),
    ("user.contact.phone_number", "telephone numbers", "phone_number", _is_phone, 0.8, True),
    ("user.device", "descriptions of browsers", None, _is_agent, 0.5, True),
    ("user.contact.address.street", "street addresses", None, lambda v: _STREET.fullmatch(v) is not None, 0.5, False),
    (
        "user.contact.address.postal_code",
        "Swedish postcodes",
        None,
        lambda v: re.fullmatch(r"(SE?-)?\d{3} \d\d", v) is not None,
        0.8,
        False,
    ),
    ("user.name", "people's names", None, _is_name, 0.45, False),
)
_CHECKS: dict[str, Test] = {
    "user.contact.email": lambda value: "@" in value,
    "user.contact.phone_number": _could_be_phone,
    "user.device.ip_address": _is_ip,
    "user.government_id.national_identification_number": lambda value: sum(ch.isdigit() for ch in value) >= 6,
    "user.name": lambda value: any(ch.isalpha() for ch in value),
}
