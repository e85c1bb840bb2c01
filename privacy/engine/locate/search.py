"""Locate: which rows are a person's (DESIGN §4).

Three steps. *Reach*: from the rows that carry a verified identity along the links, one statement per link and round for all
people of the batch, remembering groups of link values. *Facts*: whatever else the judgement needs, again one statement per link.
*Judge* (`court.py`): in memory, drop what only contested rows lead to, until nothing changes. Of most people nothing is
contested, and the facts tell so for the whole batch at once: they are *undisputed*, and no judge looks at their rows one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.contested.court import judge
from privacy.engine.contested.undisputed import Undisputed
from privacy.engine.holding import OWNED, REFERRED, ROOT, Holding, Keys, Reason, carries_identity, identities_of
from privacy.engine.locate.facts import Facts, gather
from privacy.engine.locate.reached import Reached, Tagged
from privacy.engine.locate.subject import Subject
from privacy.engine.uncollected import uncollected
from privacy.stores.base import Session, Values


@dataclass(frozen=True)
class Located:
    """What was found for a batch. Whose rows somebody else may have a part in is judged when asked for."""

    graph: Graph
    keys: Keys
    subjects: Sequence[Subject]
    reached: Reached
    facts: Facts
    stores: frozenset[str]
    undisputed: Undisputed

    def holdings(self, tags: Collection[int]) -> list[Holding]:
        """One Holding for each of these people, judged per person, whoever shares the batch."""
        found = self.reached.found(tags)
        return [
            self.undisputed.holding(tag, found[tag])
            if tag in self.undisputed.people
            else judge(self.graph, self.keys, self.subjects[tag], found[tag], self.facts, self.stores)
            for tag in tags
        ]


@uncollected()
def locate(
    graph: Graph,
    sessions: Mapping[str, Session],
    subjects: Sequence[Subject],
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> list[Holding]:
    """One Holding per subject. Stores without a session take no part."""
    return search(graph, sessions, subjects, heartbeat=heartbeat).holdings(range(len(subjects)))


@uncollected()
def search(
    graph: Graph,
    sessions: Mapping[str, Session],
    subjects: Sequence[Subject],
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> Located:
    """The same, before anybody is judged one by one."""
    searching = _Search(graph, sessions, subjects, heartbeat)
    searching.reach()
    keys, reached = searching.keys, searching.reached
    facts = gather(graph, keys, sessions, subjects, reached, searching.fetched, heartbeat=heartbeat)
    undisputed = Undisputed.among(graph, keys, subjects, reached, facts, set(sessions))
    return Located(graph, keys, subjects, reached, facts, frozenset(sessions), undisputed)


@dataclass
class _Walk:
    """One way along links, with the keys that are still to be asked for: (tag, *key)."""

    target: Node
    columns: tuple[str, ...]
    constants: Mapping[str, Any]
    role: str  # of what is found there
    link: str = ""  # the id of the one link that it is, from parent to child
    asked: set[Values] = field(default_factory=set)
    pending: list[Values] = field(default_factory=list)

    def ask(self, keys: Iterable[Values | None]) -> None:
        """Note those that were not asked for yet."""
        new = [key for key in dict.fromkeys(keys) if key is not None and key not in self.asked]
        self.asked.update(new)
        self.pending += new


class _Search:
    def __init__(
        self, graph: Graph, sessions: Mapping[str, Session], subjects: Sequence[Subject], heartbeat: Callable[[], None]
    ) -> None:
        self.graph = graph
        self.sessions = sessions
        self.subjects = subjects
        self.heartbeat = heartbeat
        self.keys = Keys(graph)
        self.reached = Reached()
        self.walks: dict[Any, _Walk] = {}
        self.fetched: dict[str, int] = {}  # link id → groups that an owner of theirs led to
        self.links = {link.id: link for link in graph.links}
        self.unreached: list[tuple[int, Node, tuple[int, ...], Values, int]] = []  # tag, planned group, handle, rows that stand

    # -- reach --------------------------------------------------------------------------------------------------------

    def reach(self) -> None:
        self._roots()
        self._remembered_roots()
        self._remembered_keys(across_stores=True)
        self._walk()
        self._remembered_keys(across_stores=False)
        self._beyond_missing()
        self._walk(ownerless=True)
        self._astray()
        self._changed()

    def _walk(self, *, ownerless: bool = False) -> None:
        """Ask along all links until nothing new is found; what is owned first, so that what it refers to is asked for once."""
        while pending := [walk for walk in self.walks.values() if walk.pending]:
            walk = next((walk for walk in pending if walk.role == OWNED), pending[0])
            rows, walk.pending = walk.pending, []
            if walk.target[0] not in self.sessions:
                continue
            self.heartbeat()
            by = self.graph.group_columns[walk.target]
            hits = self.sessions[walk.target[0]].tagged(walk.target[1], walk.columns, rows, by, walk.constants)
            self._admit(walk.target, walk.role, hits, walk.link, ownerless=ownerless)

    def _roots(self) -> None:
        for kind, places in self.graph.identities.items():
            wanted: dict[str, list[int]] = {}
            for tag, subject in enumerate(self.subjects):
                if subject.frozen is None:
                    for value in subject.identities.get(kind, ()):
                        wanted.setdefault(value, []).append(tag)
            for node, column in places:
                if wanted and node[0] in self.sessions:
                    self.heartbeat()
                    by = self.graph.group_columns[node]
                    hits = self.sessions[node[0]].find_identity(node[1], column, kind, wanted, by)
                    self._admit(node, ROOT, {(tag, *values): count for tag, values, count in hits})

    def _remembered_roots(self) -> None:
        """A resumed run starts from remembered link values, never from identities (R19)."""
        roots: dict[tuple[Node, tuple[str, ...]], list[Values]] = {}
        doubted: dict[tuple[int, Node, Values], tuple[Reason, ...]] = {}
        for tag, subject in enumerate(self.subjects):
            for node, groups in subject.frozen.roots.items() if subject.frozen else ():
                for values in groups:
                    columns = self._handle(node, values)
                    key = tuple(values[i] for i in self.keys.places(node, columns))
                    roots.setdefault((node, columns), []).append((tag, *key))
                    reasons = subject.frozen.reasons(node, values) if subject.frozen and subject.frozen.disputed else ()
                    if reasons and not (subject.disclosed and subject.disclosed(node, values, 1)):
                        doubted[tag, node, key] = reasons
        for (node, columns), rows in roots.items():
            self.heartbeat()
            places = self.keys.places(node, columns)
            hits = self._again(node, columns, rows)
            for tag, *group in hits if doubted else ():
                values = tuple(group)
                reasons = doubted.get((tag, node, tuple(values[i] for i in places)), ())
                if reasons and not self._named(tag, node, values):
                    self.reached.parted.setdefault(tag, {})[node, values] = reasons
            self._admit(node, ROOT, hits)

    def _again(self, node: Node, columns: tuple[str, ...], rows: list[Values]) -> dict[Tagged, int]:
        """The groups of remembered rows (tag, *values of `columns`); not those that only a lenient collation holds for them."""
        hits = self.sessions[node[0]].tagged(node[1], columns, rows, self.graph.group_columns[node], {})
        if all(self.graph.column(node, name).exact for name in columns):
            return hits
        wanted = set(rows)
        found = zip(hits.items(), self.keys.tagged(node, columns, hits), strict=True)
        return {tagged: count for (tagged, count), key in found if key in wanted}

    def _named(self, tag: int, node: Node, values: Values) -> bool:
        """Whether this person's part has not been taken out of a contested row yet."""
        mine = self.subjects[tag].identities
        return any(value in mine.get(kind, ()) for kind, _, value in identities_of(self.graph, node, values))

    def _handle(self, node: Node, values: Values) -> tuple[str, ...]:
        """The columns by which a remembered root is found again: a unique key if it has one, else all that is not NULL."""
        by = self.graph.group_columns[node]
        given = [name for name, value in zip(by, values, strict=True) if value is not None]
        for unique in self.graph.table(node).uniques:
            if set(unique) <= set(given):
                return tuple(unique)
        return tuple(given)

    def _remembered_keys(self, *, across_stores: bool) -> None:
        """The keys that led in from rows which are not there to lead again: of other stores, or known from the ledger alone."""
        for tag, subject in enumerate(self.subjects):
            for (link_id, downwards), keys in subject.frozen.inbound.items() if subject.frozen else ():
                link = self.links.get(link_id)
                if link is not None and across_stores == (link.child[0] != link.parent[0]):
                    for key in keys:
                        self._lead_in(tag, link, downwards, key)

    def _beyond_missing(self) -> None:
        """What a planned row led to is looked for even when that row is gone: below it, rows may have arrived after it went;
        above it, what stayed of the plan stays in sight. On a first run everything is found and nothing is asked."""
        lost: dict[tuple[Node, tuple[str, ...]], list[tuple[int, Values]]] = {}
        for tag, subject in enumerate(self.subjects):
            for node, planned in subject.frozen.planned.items() if subject.frozen else ():
                there = self.reached.members.get(node, {})
                for values in [values for values in planned if (tag, *values) not in there]:
                    role, reasons = subject.frozen.known[node][values] if subject.frozen else (REFERRED, ())
                    if role != REFERRED and not reasons:
                        self._lead_on(tag, node, values, downwards=True, joint=False)
                    if columns := self._handle(node, values):
                        lost.setdefault((node, columns), []).append((tag, values))
        for (node, columns), missing in lost.items():
            places = self.keys.places(node, columns)
            rows = [(number, *(values[i] for i in places)) for number, (_, values) in enumerate(missing)]
            standing: dict[int, dict[Values, int]] = {}
            for number, now, count in self.sessions[node[0]].find(node[1], columns, rows, self.graph.group_columns[node], {}):
                standing.setdefault(number, {})[now] = count
            for number, (tag, values) in enumerate(missing):
                frozen = self.subjects[tag].frozen
                role, reasons = frozen.known[node][values] if frozen else (REFERRED, ())
                if number in standing:
                    self.unreached.append((tag, node, places, values, sum(standing[number].values())))
                    if reasons:
                        self.reached.let_go.setdefault(tag, {}).setdefault(node, {}).update(standing[number])
                else:
                    self._lead_on(tag, node, values, downwards=False, joint=role != REFERRED and not reasons)

    def _astray(self) -> None:
        """Planned rows that stand and were not reached are not this person's any more: they did not go."""
        reached: dict[tuple[int, Node, tuple[int, ...]], set[Values]] = {}
        for tag, node, places, values, count in self.unreached:
            known = reached.get((tag, node, places))
            if known is None:
                members = [tagged[1:] for tagged in self.reached.members.get(node, ()) if tagged[0] == tag]
                known = reached[tag, node, places] = {tuple(group[i] for i in places) for group in members}
            if tuple(values[i] for i in places) not in known:
                astray = self.reached.astray.setdefault(tag, {})
                astray[node] = astray.get(node, 0) + count

    def _changed(self) -> None:
        """A root row that no key tells from others is looked for by all that was planned of it. Where that is gone and a row with
        the same identity stands, nobody can tell whether it was erased or changed."""
        asked: dict[tuple[Node, tuple[str, ...]], list[Values]] = {}
        for tag, subject in enumerate(self.subjects):
            for node, groups in subject.frozen.roots.items() if subject.frozen else ():
                members = self.reached.members.get(node, ())
                for values in groups:
                    if (tag, *values) not in members and not self._unique(node, columns := self._handle(node, values)):
                        names = tuple(name for name in self._mine(subject, node, values) if name in columns)
                        if names:
                            key = tuple(values[i] for i in self.keys.places(node, names))
                            asked.setdefault((node, names), []).append((tag, *key))
        for (node, names), rows in asked.items():
            for tagged, count in self._again(node, names, list(dict.fromkeys(rows))).items():
                tag, values = tagged[0], tagged[1:]
                frozen = self.subjects[tag].frozen
                if tagged in self.reached.members.get(node, ()) or not frozen:
                    continue
                stayed = (old for old in frozen.roots[node] if frozen.reasons(node, old))
                if any(all(now in (was, None) for was, now in zip(old, values, strict=True)) for old in stayed):
                    astray = self.reached.astray.setdefault(tag, {})
                    astray[node] = astray.get(node, 0) + count  # it let go of what went
                else:
                    self.reached.changed.setdefault(tag, set()).add(node)

    def _unique(self, node: Node, columns: tuple[str, ...]) -> bool:
        return any(set(unique) <= set(columns) for unique in self.graph.table(node).uniques)

    def _mine(self, subject: Subject, node: Node, values: Values) -> list[str]:
        """The columns by which a planned root was this person's."""
        carried = identities_of(self.graph, node, values)
        return [name for kind, name, value in carried if value in subject.identities.get(kind, ())]

    def _lead_on(self, tag: int, node: Node, values: Values, *, downwards: bool, joint: bool) -> None:
        for link, down in self.graph.links_from.get(node, ()):
            inside = link.child[0] == link.parent[0]
            if down != downwards or not inside or (link.joint and not down and not joint) or not self._meant(link, node, values):
                continue
            columns = link.parent_columns if down else link.child_columns
            if (key := self.keys.raw(node, columns, values)) is not None:
                self._lead_in(tag, link, down, key)

    def _lead_in(self, tag: int, link: Link, downwards: bool, key: Values) -> None:
        self.reached.inbound.setdefault(tag, {}).setdefault((link.id, downwards), []).append(key)
        self._along(link, downwards).ask([(tag, *key)])

    def _along(self, link: Link, downwards: bool) -> _Walk:
        """The walk along a link. Links that refer to one key of one collection are one walk."""
        target, columns = (link.child, link.child_columns) if downwards else (link.parent, link.parent_columns)
        constants = link.when if link.when_node == target else {}
        name: Any = link.id if downwards else (target, columns, link.joint, tuple(constants.items()))
        if name not in self.walks:
            role = OWNED if downwards or link.joint else REFERRED
            self.walks[name] = _Walk(target, columns, constants, role, link.id if downwards else "")
        return self.walks[name]

    def _meant(self, link: Link, node: Node, values: Values) -> bool:
        return link.when_node != node or self.keys.holds(node, link.when, values)

    def _onward(self, node: Node, role: str) -> Iterator[tuple[_Walk, tuple[str, ...], Link]]:
        """The walks on from a group in this role, and the columns in which it has the key."""
        for link, downwards in self.graph.links_from.get(node, ()):
            if role != REFERRED or not (downwards or (link.joint and not link.refers)):
                yield self._along(link, downwards), link.parent_columns if downwards else link.child_columns, link

    def _admit(self, node: Node, role: str, hits: Mapping[Tagged, int], link: str = "", *, ownerless: bool = False) -> None:
        """Take in groups of a collection, and note where each that is new, or stronger than it was, leads."""
        new = self.reached.take(node, role, hits)
        if ownerless:
            self.reached.disputed.update(tagged[0] for tagged in hits)
        elif link:
            self.fetched[link] = self.fetched.get(link, 0) + len(hits)
        if role == REFERRED and any(item.identity for item in self.graph.collection(node).fields.values()):
            # R9: a referenced row with an identity is somebody's record; were it this person's it would be a root.
            new = [tagged for tagged in new if not carries_identity(self.graph, node, tagged[1:])]
        for walk, columns, way in self._onward(node, role):
            meant = [tagged for tagged in new if self._meant(way, node, tagged[1:])] if way.when_node == node else new
            walk.ask(self.keys.tagged(node, columns, meant))
