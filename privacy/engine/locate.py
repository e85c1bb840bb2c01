"""Locate: which rows are a person's (DESIGN §4).

Three steps. *Reach*: from the rows that carry a verified identity along the links, one statement per link and round for all
people of the batch, remembering groups of link values. *Facts*: whatever else the judgement needs, again one statement per link.
*Judge* (`contest.py`): in memory, drop what only contested rows lead to, until nothing changes. Of most people nothing is
contested, and the facts tell so for the whole batch at once: they are *undisputed*, and no judge looks at their rows one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.contest import judge
from privacy.engine.facts import Found, gather
from privacy.engine.holding import OWNED, REFERRED, ROOT, Holding, Keys, Member, Reason, carries_identity, identities_of
from privacy.engine.subject import Subject
from privacy.engine.uncollected import uncollected
from privacy.engine.undisputed import Undisputed
from privacy.stores.base import Session, Values


@uncollected()
def locate(
    graph: Graph,
    sessions: Mapping[str, Session],
    subjects: Sequence[Subject],
    *,
    heartbeat: Callable[[], None] = lambda: None,
) -> list[Holding]:
    """One Holding per subject, judged per person, whoever shares the batch. Stores without a session take no part."""
    search = _Search(graph, sessions, subjects, heartbeat)
    search.reach()
    facts = gather(graph, search.keys, sessions, subjects, search.found, search.fetched, heartbeat=heartbeat)
    undisputed = Undisputed(graph, search.keys, facts, set(sessions))
    return [
        undisputed.holding(found)
        if undisputed.holds(subject, found)
        else judge(graph, search.keys, subject, found, facts, set(sessions))
        for subject, found in zip(subjects, search.found, strict=True)
    ]


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


class _Search:
    def __init__(
        self, graph: Graph, sessions: Mapping[str, Session], subjects: Sequence[Subject], heartbeat: Callable[[], None]
    ) -> None:
        self.graph = graph
        self.sessions = sessions
        self.subjects = subjects
        self.heartbeat = heartbeat
        self.keys = Keys(graph)
        self.found = [Found() for _ in subjects]
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
            hits = self.sessions[walk.target[0]].find(walk.target[1], walk.columns, rows, by, walk.constants)
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
                    self._admit(node, ROOT, self.sessions[node[0]].find_identity(node[1], column, kind, wanted, by))

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
                    reasons = subject.frozen.reasons(node, values) if subject.frozen else ()
                    if reasons and not (subject.disclosed and subject.disclosed(node, values, 1)):
                        doubted[tag, node, key] = reasons
        for (node, columns), rows in roots.items():
            self.heartbeat()
            places = self.keys.places(node, columns)
            hits = list(self._again(node, columns, rows))
            for tag, values, _ in hits if doubted else ():
                reasons = doubted.get((tag, node, tuple(values[i] for i in places)), ())
                if reasons and not self._named(tag, node, values):
                    self.found[tag].parted[node, values] = reasons
            self._admit(node, ROOT, hits)

    def _again(self, node: Node, columns: tuple[str, ...], rows: list[Values]) -> Iterator[tuple[int, Values, int]]:
        """The groups of remembered rows (tag, *values of `columns`); not those that only a lenient collation holds for them."""
        hits = self.sessions[node[0]].find(node[1], columns, rows, self.graph.group_columns[node], {})
        if all(self.graph.column(node, name).exact for name in columns):
            yield from hits
            return
        wanted, places = set(rows), self.keys.places(node, columns)
        for tag, values, count in hits:
            if (tag, *(values[i] for i in places)) in wanted:
                yield tag, values, count

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
            for node, groups in subject.frozen.known.items() if subject.frozen else ():
                for values in groups.keys() - self.found[tag].members.get(node, {}).keys():
                    role, reasons = groups[values]
                    if role != REFERRED and not reasons:
                        self._lead_on(tag, node, values, downwards=True, joint=False)
                    if columns := self._handle(node, values):
                        lost.setdefault((node, columns), []).append((tag, values))
        for (node, columns), missing in lost.items():
            places = self.keys.places(node, columns)
            rows = [(number, *(values[i] for i in places)) for number, (_, values) in enumerate(missing)]
            standing = {number: n for number, _, n in self.sessions[node[0]].find(node[1], columns, rows, (), {})}
            for number, (tag, values) in enumerate(missing):
                frozen = self.subjects[tag].frozen
                role, reasons = frozen.known[node][values] if frozen else (REFERRED, ())
                if number in standing:
                    self.unreached.append((tag, node, places, values, standing[number]))
                else:
                    self._lead_on(tag, node, values, downwards=False, joint=role != REFERRED and not reasons)

    def _astray(self) -> None:
        """Planned rows that stand and were not reached are not this person's any more: they did not go."""
        reached: dict[tuple[int, Node, tuple[int, ...]], set[Values]] = {}
        for tag, node, places, values, count in self.unreached:
            known = reached.get((tag, node, places))
            if known is None:
                members = self.found[tag].members.get(node, ())
                known = reached[tag, node, places] = {tuple(group[i] for i in places) for group in members}
            if tuple(values[i] for i in places) not in known:
                astray = self.found[tag].astray
                astray[node] = astray.get(node, 0) + count

    def _changed(self) -> None:
        """A root row that no key tells from others is looked for by all that was planned of it. Where that is gone and a row with
        the same identity stands, nobody can tell whether it was erased or changed."""
        asked: dict[tuple[Node, tuple[str, ...]], list[Values]] = {}
        for tag, subject in enumerate(self.subjects):
            for node, groups in subject.frozen.roots.items() if subject.frozen else ():
                members = self.found[tag].members.get(node, {})
                for values in groups:
                    if values not in members and not self._unique(node, columns := self._handle(node, values)):
                        names = tuple(name for name in self._mine(subject, node, values) if name in columns)
                        if names:
                            key = tuple(values[i] for i in self.keys.places(node, names))
                            asked.setdefault((node, names), []).append((tag, *key))
        for (node, names), rows in asked.items():
            for tag, values, count in self._again(node, names, list(dict.fromkeys(rows))):
                found, frozen = self.found[tag], self.subjects[tag].frozen
                if values in found.members.get(node, ()) or not frozen:
                    continue
                stayed = (old for old in frozen.roots[node] if frozen.reasons(node, old))
                if any(all(now in (was, None) for was, now in zip(old, values, strict=True)) for old in stayed):
                    found.astray[node] = found.astray.get(node, 0) + count  # it let go of what went
                else:
                    found.changed.add(node)

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
        self.found[tag].inbound.setdefault((link.id, downwards), []).append(key)
        walk = self._along(link, downwards)
        if (ask := (tag, *key)) not in walk.asked:
            walk.asked.add(ask)
            walk.pending.append(ask)

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

    def _onward(self, node: Node, role: str) -> list[tuple[_Walk, tuple[int, ...], Link]]:
        """The walks on from a group in this role, and where in it the key stands."""
        out = []
        for link, downwards in self.graph.links_from.get(node, ()):
            if role == REFERRED and (downwards or (link.joint and not link.refers)):
                continue
            columns = link.parent_columns if downwards else link.child_columns
            out.append((self._along(link, downwards), self.keys.places(node, columns), link))
        return out

    def _admit(
        self, node: Node, role: str, hits: Iterable[tuple[int, Values, int]], link: str = "", *, ownerless: bool = False
    ) -> None:
        """Take in groups of a collection, and note where each that is new, or stronger than it was, leads."""
        onward = self._onward(node, role)
        strangers = role == REFERRED and any(field.identity for field in self.graph.collection(node).fields.values())
        rows = 0
        for tag, values, count in hits:
            rows += 1
            found = self.found[tag]
            members = found.members.get(node)
            if members is None:
                members = found.members[node] = {}
            before = members.get(values)
            if role == ROOT:
                found.roots.setdefault(node, set()).add(values)
            elif role == REFERRED:
                found.referred.setdefault(node, set()).add(values)
            found.disputed |= ownerless
            if before is not None and (before.role != REFERRED or role == REFERRED):
                continue
            members[values] = Member(count, role)
            # R9: a referenced row with an identity is somebody's record; were it this person's it would be a root.
            if strangers and carries_identity(self.graph, node, values):
                continue
            for walk, places, way in onward:
                if way.when and not self._meant(way, node, values):
                    continue
                ask = (tag, values[places[0]]) if len(places) == 1 else (tag, *(values[i] for i in places))
                if ask not in walk.asked and None not in ask:
                    walk.asked.add(ask)
                    walk.pending.append(ask)
        if link and not ownerless:
            self.fetched[link] = self.fetched.get(link, 0) + rows
