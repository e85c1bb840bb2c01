"""Whether the columns of a table look personal: what their names say, what their values look like, and what surrounds them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from privacy.datamap.categories import within
from privacy.datamap.discovery import names, values
from privacy.datamap.discovery.rules import ABOUT, ADDRESS, ANYWHERE, NEAR, NUMBERS, SIGNED
from privacy.stores.base import Column, Table

LIKELY = 0.5  # from here on a guess stands in the proposal, and an unmapped column is an alarm
SAMPLED = frozenset({"text", "json", "array", "other", "int", "decimal", "uuid"})  # families whose values are looked at

# What makes a table one about people, whatever it is called.
_TELLING = (
    "user.contact.email",
    "user.contact.phone_number",
    "user.name.first",
    "user.name.last",
    "user.demographic.date_of_birth",
    "user.government_id.national_identification_number",
    "user.account.username",
    "user.unique_id",
)


@dataclass(frozen=True)
class Guess:
    """What a column seems to hold, how sure that is (0 to 1) and why. The reason speaks of names and counts, never of values."""

    categories: tuple[str, ...]
    confidence: float
    why: str
    identity: str | None = None

    @property
    def likely(self) -> bool:
        return self.confidence >= LIKELY


def classify(
    table: Table, samples: Mapping[str, Sequence[Any]], *, near: bool = False, links: Collection[str] = ()
) -> dict[str, Guess]:
    """{column: Guess} of the columns that may be personal.

    `near`: the table hangs below a person's row. `links`: columns that point at other rows; they tell nothing by themselves.
    """
    texts = {name: values.texts(samples.get(name, ())) for name in table.columns}
    first = {
        name: g for name, column in table.columns.items() if (g := _guess(table, column, texts[name], frozenset({ANYWHERE})))
    }
    about = _is_about_people(table, first)
    believed = {ANYWHERE} | ({NEAR, ADDRESS} if near or about else set()) | ({ABOUT} if about else set())
    if about or (not names.organisation(table.name) and any(g.identity == "email" for g in first.values())):
        believed.add(SIGNED)
    if not about and not _has_address(table):
        believed.discard(ADDRESS)
    found = {}
    for name, column in table.columns.items():
        guess = _guess(table, column, texts[name], frozenset(believed))
        if guess and name in links:
            guess = replace(guess, identity=None) if guess.identity and guess.categories[0] != "user.unique_id" else None
        if guess:
            found[name] = guess
    return found


def _is_about_people(table: Table, guesses: Mapping[str, Guess]) -> bool:
    if names.about_a_person(table.name):
        return True
    telling = {c for g in guesses.values() if g.confidence >= 0.7 for c in g.categories if c in _TELLING}
    return not names.organisation(table.name) and len(telling) >= 2


def _has_address(table: Table) -> bool:
    """Whether the names of two columns or more are parts of an address; `state` alone is how far an order has come."""
    return (
        sum(any(rule.category.startswith("user.contact.address") for rule, _ in names.rules_for(name)) for name in table.columns)
        >= 2
    )


def _guess(table: Table, column: Column, texts: list[str], believed: frozenset[str]) -> Guess | None:
    if column.name in table.primary_key and column.family in ("int", "uuid"):
        return None
    named = _by_name(table, column, texts, believed)
    seen = values.looks(texts) if column.family in SAMPLED and not column.choices else None
    if seen and seen.category == "user.content.private" and named and named.confidence >= 0.7:
        seen = None  # what the name says is more exact than that there are addresses inside
    if seen is None:
        if named is None and NEAR in believed and _free(column) and values.prose(texts):
            return Guess(("user.content.private",), 0.65, "people write sentences here")
        return named
    counted = f"{round(seen.share * 100)} % of {seen.count} values sampled look like {seen.what}"
    if seen.category == "user.content.private":
        counted = f"{round(seen.share * 100)} % of {seen.count} values sampled are {seen.what}"
    if named and any(_agree(category, seen.category) for category in named.categories):
        return replace(named, confidence=0.98, why=f"{named.why}; {counted}")
    strength = 0.9 if seen.sure else 0.7 if NEAR in believed else 0.4
    if named and not seen.sure:
        return named
    own = (*named.categories, seen.category) if named and named.confidence >= 0.7 else (seen.category,)
    return Guess(own, strength, counted, seen.identity)


def _agree(named: str, seen: str) -> bool:
    """Whether values of the look `seen` bear out the name; a fax number looks like any telephone number."""
    return within(named, seen) or within(seen, named) or (named, seen) == ("user.contact.fax_number", "user.contact.phone_number")


def _by_name(table: Table, column: Column, texts: list[str], believed: frozenset[str]) -> Guess | None:
    if names.number_of_its_own(table.name, column.name) and column.family in NUMBERS:
        return Guess(("user.unique_id",), 0.85, "the number a person is known by", "customer_number")
    if names.card_number(table.name, column.name) and column.family in NUMBERS:
        return Guess(("user.financial.credit_card",), 0.75, "a card's number")
    for rule, whole in names.rules_for(column.name):
        if rule.where not in believed or _family(column) not in rule.families:
            continue
        if rule.category == "user.content.private" and not _free(column):
            continue
        if rule.category.endswith(".state") and not _has_address(table):
            continue
        confidence = (0.9 if whole else 0.6) if rule.where == ANYWHERE else 0.75
        share = values.fits(rule.category, texts)
        if share is not None and share < 0.5 and len(texts) >= 3:
            continue  # called so, but nothing in it is one
        why = "its name says so" + ("" if rule.where == ANYWHERE else " in a table about people")
        return Guess((rule.category,), confidence, why, rule.identity)
    return None


def _family(column: Column) -> str:
    """SQLite has no type for dates: what was declared as one counts as one."""
    return "datetime" if column.family == "text" and re.match(r"DATE|TIME", column.type_name) else column.family


def _free(column: Column) -> bool:
    """Whether somebody can write what they like in it."""
    return column.family in ("text", "json") and not column.choices and (column.length is None or column.length > 30)
