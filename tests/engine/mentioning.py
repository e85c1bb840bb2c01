"""Made-up people and texts about them for the residue scan, and whom a text mentions by the plainest means."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import phonenumbers
from hypothesis import strategies as st

from privacy.engine.identity import InvalidIdentity, canonical

EMAILS = [
    *("anna@example.com", "Anna@Example.com", "anna@example.co", "a@b.se", "hanna@example.com", "anna.berg+x@mail.example.com"),
    *("o'brien@example.com", "brien@example.com", "åsa@example.com", "öå@exämple.com", "x-1@10042.se"),
]
PHONES = ["070-123 45 67", "+46 8 12 34 56", "0701234568", "+1 212 555 0100", "+39 06 698 12345"]
WORDS = ["10042", "K-10042", "10043", "kund 7", "åkesson", "Anna.Berg", "abc", "100", "----", "701234567", "user_77"]
PIECES = [
    *EMAILS,
    *WORDS,
    *("0701234567", "070 123 45 67", "+46701234567", "0046 70-123 45 67", "+46 (0)70 123 45 67", "(070) 1234567", "46701234567"),
    *("08-12 34 56", "+468123456", "0812345", "+12125550100", "00390669812345", "+39 06 698 12345", "070\u2011123\u00a04567"),
    *(
        "ANNA@EXAMPLE.COM",
        "A\u030aSA@example.com",
        "ÅKESSON",
        "K\u00a010042",
        "mailto:anna@example.com?x",
        "@",
        "7",
        "0",
        "+",
        "_",
    ),
]
BETWEEN = ["", " ", ", ", ".", "-", "/", "(", ")", "\n", "é", "x", "_", "'", '"', "\\", "<", ">", ";", "1"]


def people() -> st.SearchStrategy[list[list[tuple[str, str]]]]:
    identity = st.one_of(
        st.tuples(st.just("email"), st.sampled_from(EMAILS)),
        st.tuples(st.just("phone_number"), st.sampled_from(PHONES)),
        st.tuples(st.just("customer_number"), st.sampled_from(WORDS)),
    )
    return st.lists(st.lists(identity, max_size=3), min_size=1, max_size=5)


def texts() -> st.SearchStrategy[str]:
    part = st.one_of(st.sampled_from(PIECES), st.sampled_from(BETWEEN))
    return st.lists(part, min_size=1, max_size=9).map("".join)


def mentioned(text: str, people: list[list[tuple[str, str]]]) -> set[int]:
    return {number for number, identities in enumerate(people) if any(_stands(text, kind, value) for kind, value in identities)}


def _stands(text: str, kind: str, value: str) -> bool:
    try:
        wanted: Any = canonical(kind, value)
    except InvalidIdentity:
        return False
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    if kind == "email":
        return re.search(rf"(?<![\w.+-]){re.escape(wanted)}(?![\w-]|[.]\w)", text) is not None
    if kind == "customer_number":
        return len(wanted) >= 4 and re.search(rf"(?<!\w){re.escape(wanted.casefold())}(?!\w)", text) is not None
    between = "[ \t()./\u00a0\u2010-\u2015-]*"
    number = phonenumbers.parse(wanted, None)
    code, national = (between.join(str(part)) for part in (number.country_code, number.national_number))
    abroad = f"{between}{code}{between}(?:0{between})?"
    start = rf"(?:[+]{abroad}|(?<![0-9])(?:0{between}0{abroad}|0{between})?)"
    return re.search(f"{start}{national}(?![0-9])", text) is not None
