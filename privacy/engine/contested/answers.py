"""Answers for contested rows (R11): staff answer for a group of rows or a whole collection; else the data map's answer stands.

A group is named by a hash over its link values, salted in the plan: the name says nothing to who does not hold the plan, and it
stays the same when the person's data are looked for again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from privacy.datamap.graph import Graph, Node
from privacy.engine.contested.planned import Contested, values_of
from privacy.engine.exceptions import Kept, kept_among, kept_in
from privacy.engine.holding import Member
from privacy.stores.base import Values

MARK = "#"
# The first that was given decides about rows which an earlier run changed and of which several were answered: none is lost by it.
CHANGING = ("redact", "anonymize")


def group_key(plan: Mapping[str, Any], collection: str, raw: Sequence[Any]) -> str:
    """The name of a planned group, `collection#hash`; `raw`: its values as the plan holds them."""
    text = json.dumps([plan.get("salt", ""), plan["store"], collection, raw], sort_keys=True)
    return f"{collection}{MARK}{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def collection_of(key: str) -> str:
    return key.rpartition(MARK)[0] or key


@dataclass
class Answers:
    """What was answered for one person in one store. A group's own answer goes before its collection's.

    Only what was planned is answered: of rows that came to be contested since, or that somebody changed, nobody decided more
    than to keep them all.
    """

    graph: Graph
    whole: Mapping[Node, str] = field(default_factory=dict)
    groups: Mapping[Node, Mapping[Values, str]] = field(default_factory=dict)  # every planned contested group; "": not answered
    planned: Mapping[Node, Contested] = field(default_factory=dict)
    kept: Mapping[Node, Sequence[Kept]] = field(default_factory=dict)  # what staff keep beyond the map's rules (Art. 17(3))

    @classmethod
    def read(
        cls,
        graph: Graph,
        plan: Mapping[str, Any],
        answers: Mapping[str, str],
        own: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> Answers:
        """`answers`: {collection or group key: keep | redact | anonymize | disclose}; `own`: the person's identities by kind."""
        store = plan["store"]
        exceptions = {**plan.get("exceptions", {}), **kept_among(answers)}
        kept = {
            (store, item.name): found
            for item in (graph.datasets[store].collections.values() if exceptions else ())
            if (found := kept_in(exceptions, item.name, item.fields))
        }
        out = cls(graph, kept=kept, whole={(store, name): answer for name, answer in answers.items() if MARK not in name})
        groups: dict[Node, dict[Values, str]] = {}
        planned: dict[Node, Contested] = {}
        for collection in {collection_of(key) for key in answers}:
            node = (store, collection)
            if not graph.is_node(node):
                continue
            planned[node] = Contested.read(graph, plan, node, own)
            for raw, _count, _role, reasons in plan["groups"].get(collection, ()):
                if reasons:
                    answer = answers.get(group_key(plan, collection, raw)) or out.whole.get(node, "")
                    groups.setdefault(node, {})[values_of(graph, plan, node, raw)] = answer
        out.groups, out.planned = groups, planned
        return out

    def given(self, node: Node, values: Values, count: int = 1) -> str:
        """What staff answered for this group of so many rows, empty where they did not."""
        planned = self.planned.get(node)
        if planned is None:
            return ""
        if count <= planned.counts.get(values, 0):
            return self.groups[node][values]
        # An earlier run changed it, or somebody else did. What was answered for all that it may be holds.
        sources = planned.may_be(values)
        given = {self.groups[node][source] for source in sources}
        if sum(planned.counts[source] for source in sources) < count:
            given = {"keep"} & {self.whole.get(node, "")}
        if len(given) == 1:
            return given.pop()
        return "" if "disclose" in given else next((answer for answer in CHANGING if answer in given), "")

    def of(self, node: Node, values: Values, member: Member) -> str:
        """What holds for a contested group: keep, redact, anonymize, disclose, or ask where nobody said."""
        return self.given(node, values, member.count) or member.standing

    def disclosed(self, node: Node, values: Values, count: int) -> bool:
        """Whether staff gave these rows to this person."""
        return self.given(node, values, count) == "disclose"
