"""Whether a name and a contact given for somebody else stand together in a store. Neither is told, only whether they do."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from privacy.datamap.categories import within
from privacy.engine.holding import ROOT
from privacy.finding import located
from privacy.stores.base import Groups, StoreError
from privacy.stores.patience import patience
from privacy.terms import Identity, Person, StoreUnavailable

SECONDS, PER_STORE = 8, 3
MOST_ROWS = 200
YES, NO, UNKNOWN = "yes", "no", "unknown"


def name_beside(identities: Iterable[Identity], *, name: str) -> str:
    """YES where each identity stands in a row with this name, NO where one stands only with other names, else UNKNOWN.

    The name is compared by its words, as many as the shorter has, two at least: middle names come and go. It waits some seconds
    at most; a store that cannot be read makes a YES no less true, and nothing else sure.
    """
    wanted, answers = _words(name), []
    for identity in identities:
        try:
            with patience(seconds=SECONDS, per_store=PER_STORE):
                names, complete = _names(identity)
        except (StoreError, StoreUnavailable):
            names, complete = [], False
        if any(_same(wanted, words) for words in names):
            answers.append(YES)
        else:
            answers.append(NO if names and complete else UNKNOWN)
    return NO if NO in answers else UNKNOWN if UNKNOWN in answers or not answers else YES


def _names(identity: Identity) -> tuple[list[frozenset[str]], bool]:
    """The names in the uncontested rows that carry this identity, and whether every store could be read."""
    with located([Person("named", (identity,))]) as (maps, sessions, holdings, down):
        names = []
        for node, groups in holdings[0].members.items():
            columns = [
                item.name
                for item in maps.graph.collection(node).fields.values()
                if any(within(category, "user.name") for category in item.categories)
            ]
            own = tuple(values for values, member in groups.items() if member.role == ROOT and not member.contested)
            if columns and own:
                rows = sessions[node[0]].rows(Groups(node[1], maps.graph.group_columns[node], own), columns, limit=MOST_ROWS)
                names += [words for row in rows if (words := _words(" ".join(_texts(row))))]
        return names, not down


def _texts(row: Iterable[object]) -> Iterator[str]:
    return (str(value) for value in row if value is not None)


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    return one == other or (min(len(one), len(other)) >= 2 and (one <= other or other <= one))


def _words(name: str) -> frozenset[str]:
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return frozenset(re.findall(r"\w+", plain.casefold()))
