"""Answers for contested rows (R11): staff answer for a group of rows or a whole collection; else the data map's answer stands.

A group is named by a hash over its link values, salted in the plan: the name says nothing to who does not hold the plan, and it
stays the same when the person's data are looked for again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from privacy.datamap.graph import Graph, Node
from privacy.engine.holding import Member, lasting
from privacy.stores.base import Values
from privacy.stores.values import from_json

MARK = "#"
# The first that was given decides about rows which an earlier run changed and of which several were answered: none is lost by it.
CHANGING = ("redact", "anonymize", "disclose")


def group_key(plan: Mapping[str, Any], collection: str, raw: Sequence[Any]) -> str:
    """The name of a planned group, `collection#hash`; `raw`: its values as the plan holds them."""
    text = json.dumps([plan.get("salt", ""), plan["store"], collection, raw], sort_keys=True)
    return f"{collection}{MARK}{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def collection_of(key: str) -> str:
    return key.rpartition(MARK)[0] or key


@dataclass
class Answers:
    """What was answered for one person in one store. A group's own answer goes before its collection's."""

    graph: Graph
    whole: Mapping[Node, str] = field(default_factory=dict)
    groups: Mapping[Node, Mapping[Values, str]] = field(default_factory=dict)  # every planned contested group; "": not answered
    alike: Mapping[Node, Mapping[Values, set[str]]] = field(default_factory=dict)  # by what an erasure does not change

    @classmethod
    def read(cls, graph: Graph, plan: Mapping[str, Any], answers: Mapping[str, str]) -> Answers:
        """`answers`: {collection or group key: keep | redact | anonymize | disclose}."""
        store = plan["store"]
        out = cls(graph, {(store, name): answer for name, answer in answers.items() if MARK not in name})
        groups: dict[Node, dict[Values, str]] = {}
        alike: dict[Node, dict[Values, set[str]]] = {}
        for collection in {collection_of(key) for key in answers if MARK in key}:
            node = (store, collection)
            if not graph.is_node(node):
                continue
            for raw, _count, _role, reasons in plan["groups"].get(collection, ()):
                if reasons:
                    by_name = dict(zip(plan["columns"][collection], raw, strict=True))
                    values = tuple(from_json(by_name.get(name)) for name in graph.group_columns[node])
                    answer = answers.get(group_key(plan, collection, raw)) or out.whole.get(node, "")
                    groups.setdefault(node, {})[values] = answer
                    alike.setdefault(node, {}).setdefault(lasting(graph, node, values), set()).add(answer)
        out.groups, out.alike = groups, alike
        return out

    def given(self, node: Node, values: Values) -> str:
        """What staff answered for this group, empty where they did not."""
        planned = self.groups.get(node)
        if planned is None:
            return self.whole.get(node, "")
        if values in planned:
            return planned[values]
        # Not a planned group: an earlier run changed it, or somebody else did. What was answered for its like holds.
        like = self.alike[node].get(lasting(self.graph, node, values), set())
        return next((answer for answer in CHANGING if answer in like), next(iter(sorted(like)), self.whole.get(node, "")))

    def of(self, node: Node, values: Values, member: Member) -> str:
        """What holds for a contested group: keep, redact, anonymize, disclose, or ask where nobody said."""
        return self.given(node, values) or member.standing


@dataclass(frozen=True)
class Disclosed:
    """The groups that staff gave to this person, to be asked with `in`."""

    answers: Answers

    def __contains__(self, group: object) -> bool:
        return isinstance(group, tuple) and self.answers.given(*group) == "disclose"
