"""Who is mentioned in a text: identities as whole words in any case, telephone numbers however they are spelled (R21).

Every word of the text is looked up once, whoever many people are looked for.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import phonenumbers

from privacy.engine.identity import EMAIL_KINDS, PHONE_KINDS, InvalidIdentity, canonical
from privacy.stores.needles import SEPARATORS, Needles, national

SHORTEST_WORD = 4  # numbers of fewer characters are too common
_LOCAL = re.compile(r"[\w.+-]+")  # what an address may be part of a longer one by
_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"[0-9]+")
_SPELLED = re.compile(rf"[0-9](?:[{SEPARATORS}]*[0-9])*")
_RUN = re.compile(rf"[0-9{SEPARATORS}]*")  # backwards
_PLUS = re.compile(rf"[{SEPARATORS}]*[+]")  # backwards
_MORE_DOMAIN = re.compile(r"[\w-]|[.]\w")


class Mentions:
    """People, each given by their identities, made ready to be recognised in many texts."""

    def __init__(self, people: Sequence[Sequence[tuple[str, str]]]) -> None:
        emails: dict[str, set[int]] = {}
        phones: dict[str, set[int]] = {}
        words: dict[str, set[int]] = {}
        for number, identities in enumerate(people):
            for kind, value in identities:
                try:
                    text = canonical(kind, value)
                except InvalidIdentity:
                    continue
                if kind not in EMAIL_KINDS | PHONE_KINDS:
                    text = _folded(text)
                    if len(text) < SHORTEST_WORD:
                        continue
                where = emails if kind in EMAIL_KINDS else phones if kind in PHONE_KINDS else words
                where.setdefault(text, set()).add(number)
        self.needles = Needles(tuple(emails), tuple(phones), tuple(words))
        self._emails = _by_tail(emails)
        self._reach = 2 * max(map(len, emails), default=0) + 8  # characters, composed or not, and some more
        self._dialled, self._abroad = _by_digits(phones)
        self._most = max((len(digits) for digits in (*self._dialled, *self._abroad)), default=0)
        self._words, self._odd = _by_word(words)
        # What the databases hold against every text is quick here, too.
        patterns = self.needles.phone_pattern, self.needles.word_pattern
        self._phone_gate, self._word_gate = (re.compile(pattern) if pattern else None for pattern in patterns)

    def of(self, text: str, *, is_json: bool = False) -> set[int]:
        """The people, by their places in the list."""
        if is_json and "\\" in text:
            text = _unescaped(text)
        found: set[int] = set()
        if self._emails:
            for people in self._addresses(text):
                found |= people
        if self._phone_gate:
            for people in self._numbers(text, self._phone_gate):
                found |= people
        if (self._words or self._odd) and (self._word_gate is None or self._word_gate.search(text)):
            folded = _folded(text)
            for people in self._whole_words(folded):
                found |= people
            for word, people in self._odd:
                if _stands(word, folded):
                    found |= people
        return found

    def _addresses(self, text: str) -> Iterator[set[int]]:
        at = text.find("@")
        while at >= 0:
            # Only what stands around an @ is folded: that costs more than finding it.
            before = _folded(text[max(0, at - self._reach) : at])
            backwards = _LOCAL.match(before[::-1])
            tail = backwards[0][::-1] if backwards else ""
            if tail in self._emails:
                after = _folded(text[at + 1 : at + 1 + self._reach])
                for local, domain, people in self._emails[tail]:
                    begin = len(before) - len(local)
                    whole = before.endswith(local) and not (begin and _LOCAL.match(before[begin - 1]))
                    if whole and after.startswith(domain) and not _MORE_DOMAIN.match(after, len(domain)):
                        yield people
            at = text.find("@", at + 1)

    def _numbers(self, text: str, gate: re.Pattern[str]) -> Iterator[set[int]]:
        at = 0
        while hit := gate.search(text, at):
            # Only what is spelled around a hit is taken apart: looking for digits in all of a text takes longer than the gate.
            before = _RUN.match(text[at : hit.start()][::-1])
            spelled = _SPELLED.search(text, hit.start() - (len(before[0]) if before else 0))
            if spelled is None:
                return
            at = spelled.end()
            parts = _DIGITS.findall(spelled[0])
            for first in range(len(parts)):
                digits = ""
                for part in parts[first:]:
                    digits += part
                    if len(digits) > self._most:
                        break
                    if digits in self._dialled:
                        yield self._dialled[digits]
                    if (
                        not first
                        and digits in self._abroad
                        and _PLUS.match(text[max(0, spelled.start() - 9) : spelled.start()][::-1])
                    ):
                        yield self._abroad[digits]

    def _whole_words(self, text: str) -> Iterator[set[int]]:
        if self._words.keys().isdisjoint(_WORD.findall(text)):
            return
        for word in _WORD.finditer(text):
            for whole, offset, people in self._words.get(word[0], ()):
                begin = word.start() - offset
                if begin >= 0 and text.startswith(whole, begin) and _bounded(text, begin, begin + len(whole)):
                    yield people


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    return _composed(_composed(text).casefold())


def _composed(text: str) -> str:
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def _unescaped(text: str) -> str:
    """The strings of a JSON document, one per line; a document that cannot be read is looked at as it stands."""
    try:
        return "\n".join(_strings(json.loads(text)))
    except (ValueError, RecursionError):
        return text


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    elif value is not None:
        yield str(value)


def _by_tail(emails: Mapping[str, set[int]]) -> dict[str, list[tuple[str, str, set[int]]]]:
    """By what stands right before the @ (an address may hold characters that no word has: o'brien@…)."""
    out: dict[str, list[tuple[str, str, set[int]]]] = {}
    for email, people in emails.items():
        local, _, domain = email.rpartition("@")
        tail = _LOCAL.match(local[::-1])
        out.setdefault(tail[0][::-1] if tail else "", []).append((local, domain, people))
    return out


def _by_digits(phones: Mapping[str, set[int]]) -> tuple[dict[str, set[int]], dict[str, set[int]]]:
    """Digits as they are dialled from anywhere, and those that need a + before them."""
    dialled: dict[str, set[int]] = {}
    abroad: dict[str, set[int]] = {}
    for phone, people in phones.items():
        code, number = phonenumbers.parse(phone, None).country_code, national(phone)
        for digits in (number, f"0{number}", f"00{code}{number}", f"00{code}0{number}"):
            dialled.setdefault(digits, set()).update(people)
        for digits in (f"{code}{number}", f"{code}0{number}"):
            abroad.setdefault(digits, set()).update(people)
    return dialled, abroad


def _by_word(words: Mapping[str, set[int]]) -> tuple[dict[str, list[tuple[str, int, set[int]]]], list[tuple[str, set[int]]]]:
    """By the longest word in each, with its place there; and those that hold no word at all."""
    out: dict[str, list[tuple[str, int, set[int]]]] = {}
    odd = []
    for whole, people in words.items():
        longest = max(_WORD.finditer(whole), key=lambda found: len(found[0]), default=None)
        if longest is None:
            odd.append((whole, people))
        else:
            out.setdefault(longest[0], []).append((whole, longest.start(), people))
    return out, odd


def _bounded(text: str, begin: int, end: int) -> bool:
    before, after = text[begin - 1 : begin] if begin else "", text[end : end + 1]
    return not (_WORD.match(before) or _WORD.match(after))


def _stands(word: str, text: str) -> bool:
    at = text.find(word)
    while at >= 0:
        if _bounded(text, at, at + len(word)):
            return True
        at = text.find(word, at + 1)
    return False
