"""Judge: what of all that was reached is this person's, what is contested, what is somebody else's (R8–R12).

Everything happens in memory on groups. Contested rows stay in the set, listed, but lead to nothing they own; since the set only
shrinks and the contested only grow, the loop ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Set
from functools import cached_property

from privacy.datamap.graph import Graph, Link, Node
from privacy.engine.contested.planned import Contested
from privacy.engine.holding import OWNED, REFERRED, ROOT, Holding, Keys, Member, Reason, carries_identity, identities_of, lasting
from privacy.engine.identity import EMAIL_KINDS
from privacy.engine.locate.facts import Facts
from privacy.engine.locate.reached import Found, Group
from privacy.engine.locate.subject import Subject
from privacy.stores.base import Values


def judge(graph: Graph, keys: Keys, subject: Subject, found: Found, facts: Facts, stores: Set[str]) -> Holding:
    """What the rules say of one person's groups, one by one."""
    court = _Court(graph, keys, subject, found, facts, stores)
    contested: dict[Group, tuple[Reason, ...]] = {}
    while True:
        roles, through = court.reach(contested)
        verdict = court.verdict(roles, through, court.fellows(roles, contested), contested)
        # Monotone: once contested, a group stays so while the rest settles.
        merged = {group: tuple(dict.fromkeys((*contested.get(group, ()), *reasons))) for group, reasons in verdict.items()}
        merged |= {group: reasons for group, reasons in contested.items() if group in roles and group not in merged}
        if merged.keys() == contested.keys():
            break
        contested = merged
    # Whoever looks again sees what was given, with what is below it; a run goes by its plan.
    given = court.verdict(roles, through, court.fellows(roles, merged), merged, given=True) if court.looks_again else {}
    return court.holding(roles, merged, given)


class _Court:
    def __init__(
        self,
        graph: Graph,
        keys: Keys,
        subject: Subject,
        found: Found,
        facts: Facts,
        stores: Set[str],
    ) -> None:
        self.graph, self.keys, self.subject = graph, keys, subject
        self.found, self.roots, self.inbound = found.members, found.roots, found.inbound
        self.astray, self.let_go, self.changed = found.astray, found.let_go, found.changed
        self.facts, self.stores, self.parted = facts, stores, found.parted
        self._ends: dict[tuple[str, bool], dict[Values, list[Values]]] = {}
        self._pointing: dict[int, dict[Values, int]] = {}
        self._doubts = {} if subject.identities else _doubts(graph, subject)
        self.looks_again = subject.disclosed is not None and subject.frozen is None
        self._joint = any(link.joint and link.parent in found.members for link in graph.links)

    # -- who is in the set --------------------------------------------------------------------------------------------

    def fellows(self, roles: Mapping[Group, str], contested: Mapping[Group, object]) -> set[Group]:
        """The groups that nothing but rows which belong to several lead to: a team's other members, and what is theirs."""
        return {*roles} - self.reach(contested, joint=False)[0].keys() if self._joint else set()

    def reach(self, contested: Mapping[Group, object], *, joint: bool = True) -> tuple[dict[Group, str], set[Group]]:
        """The role of every group in the set, and those that only contested rows lead to. `joint`: whether what belongs to
        several is taken in."""
        roles: dict[Group, str] = {}
        clean: set[Group] = set()
        led: set[Group] = set()  # reached from another group
        queue: deque[tuple[Group, str, bool]] = deque()

        def admit(group: Group, role: str, is_clean: bool) -> None:
            before = roles.get(group)
            stronger = before is None or (before == REFERRED and role != REFERRED)
            cleaner = is_clean and group not in clean
            if stronger:
                roles[group] = role
            if cleaner:
                clean.add(group)
            if stronger or cleaner:
                queue.append((group, roles[group], group in clean))

        for node, groups in self.roots.items():
            for values in groups:
                admit((node, values), ROOT, True)
        led |= self._admit_inbound(admit, joint=joint)
        while queue:
            group, role, is_clean = queue.popleft()
            for target, target_role in self._steps(group, role, spoiled=group in contested, joint=joint):
                led.add(target)
                admit(target, target_role, is_clean and group not in contested)
        return roles, led - clean

    def _steps(self, group: Group, role: str, *, spoiled: bool, joint: bool) -> Iterator[tuple[Group, str]]:
        """Where a group leads, and in which role: from what is referred to or contested, to what it refers to and no further."""
        node, values = group
        if role == REFERRED and self._others(node, values):
            return
        owner = role != REFERRED and not spoiled
        for link, downwards in self.graph.links_from.get(node, ()):
            owning = downwards or link.joint
            if link.joint and not downwards and not joint:
                continue
            if owner or not owning or (link.refers and not downwards):
                for target in self._across(link, downwards, node, values):
                    yield (link.child if downwards else link.parent, target), OWNED if owning and owner else REFERRED

    def _admit_inbound(self, admit: object, *, joint: bool) -> set[Group]:
        """Take in what keys lead to whose rows are not there; answers the groups to which only contested rows led."""
        spoiled: set[Group] = set()
        links = {link.id: link for link in self.graph.links}
        for (link_id, downwards), inbound in self.inbound.items():
            link = links[link_id]
            if link.joint and not downwards and not joint:
                continue
            node = link.child if downwards else link.parent
            index = self._index(link, downwards)
            for raw in inbound:
                key = self.keys.of(raw, link.parent, link.parent_columns)
                if downwards and self._owner_stands(link, key):
                    continue  # the owner itself leads there, if it still is this person's
                for values in index.get(key, ()):
                    # A remnant names what only contested rows led to, too: it is theirs alone to lead there.
                    is_clean = not any(reason.letter == "t" for reason in self._remembered((node, values)))
                    if self.subject.identities and any(reason.letter == "t" for reason in self._planned((node, values))):
                        spoiled.add((node, values))  # what led there was contested, and has gone or let go
                        is_clean = False
                    admit((node, values), OWNED if downwards or link.joint else REFERRED, is_clean)  # type: ignore[operator]
        return spoiled

    def _owner_stands(self, link: Link, key: Values) -> bool:
        """Whether the remembered owner is still a row of a store that is read: then its own standing decides, not our memory."""
        if link.parent[0] not in self.stores:
            return False
        return key in self._index(link, False) or key in self.facts.owners.get(link.id, ())

    def _across(self, link: Link, downwards: bool, node: Node, values: Values) -> list[Values]:
        if link.when_node == node and not self.keys.holds(node, link.when, values):
            return []
        key = self.keys.parent(link, values) if downwards else self.keys.child(link, values)
        return [] if key is None else self._index(link, downwards).get(key, [])

    def _index(self, link: Link, downwards: bool) -> dict[Values, list[Values]]:
        """The fetched groups of a link's far end, by the key that leads there."""
        known = self._ends.get((link.id, downwards))
        if known is None:
            known = self._ends[link.id, downwards] = {}
            target = link.child if downwards else link.parent
            for values in self.found.get(target, ()):
                if link.when_node == target and not self.keys.holds(target, link.when, values):
                    continue
                key = self.keys.child(link, values) if downwards else self.keys.parent(link, values)
                if key is not None:
                    known.setdefault(key, []).append(values)
        return known

    def _others(self, node: Node, values: Values) -> bool:
        return values not in self.roots.get(node, ()) and carries_identity(self.graph, node, values)

    # -- what speaks against it ---------------------------------------------------------------------------------------

    def verdict(
        self,
        roles: Mapping[Group, str],
        through: set[Group],
        fellows: set[Group],
        contested: Mapping[Group, object],
        *,
        given: bool = False,
    ) -> dict[Group, tuple[Reason, ...]]:
        """What speaks against each group that staff did not give to this person; `given`: against those that they did."""
        inside = {group for group, role in roles.items() if not (role == REFERRED and self._outside(group))}
        spellings = self._spellings(roles)
        self._pointing.clear()
        # A joint row is also the property of those who own a contested row that points at it.
        sure = inside - contested.keys()
        out: dict[Group, tuple[Reason, ...]] = {}
        for group, role in roles.items():
            if group not in inside or self._disclosed(group) is not given:
                continue
            reasons: list[Reason] = [Reason("t", foreign=self._led_to_from_abroad(group))] if group in through else []
            reasons += self._told_by_other_stores(group)
            if role != ROOT:
                reasons += self._other_owners(group, inside)
            if role == REFERRED:
                reasons += self._pointed_at(group, inside, sure, joint_only=False)
            elif role == OWNED:
                reasons += self._pointed_at(group, inside, sure, joint_only=True)
            reasons += self._identities(group, role, inside, fellow=group in fellows)
            reasons += self.parted.get(group, ())
            if group in spellings:
                reasons.append(Reason("s"))
            if reasons:
                out[group] = tuple(dict.fromkeys(reasons))
        return out

    def _disclosed(self, group: Group) -> bool:
        node, values = group
        given = self.subject.disclosed
        return given is not None and given(node, values, self.found[node][values].count)

    def _outside(self, group: Group) -> bool:
        """Referenced rows that are in nobody's set: somebody else's record (R9), or what holds no personal data (R5)."""
        node, values = group
        return self._others(node, values) or not self.graph.collection(node).personal

    def _other_owners(self, group: Group, inside: set[Group]) -> list[Reason]:
        """(a), and referenced rows that somebody else owns."""
        node, values = group
        reasons = []
        for link in self.graph.links:
            if not link.owns or link.child != node or (link.when_node == node and not self.keys.holds(node, link.when, values)):
                continue
            key = self.keys.child(link, values)
            if key is None:
                continue
            if link.parent[0] in self.stores:
                own = any((link.parent, parent) in inside for parent in self._index(link, False).get(key, ()))
                exists = key in self.facts.owners.get(link.id, ()) or key in self._index(link, False)
                if not own and exists:
                    reasons.append(Reason("a", link.id, link.contested))
            elif self._foreign(group, link, key, "a"):
                reasons.append(Reason("a", link.id, link.contested, foreign=True))
        return reasons

    def _foreign(self, group: Group, link: Link, key: Values, letter: str) -> bool:
        """A parent in a store that is not read now: the plan's verdict holds for what it knew; what is new must be asked."""
        frozen = self.subject.frozen
        if frozen is None or key in frozen.foreign.get(link.id, ()):
            return False
        known = frozen.reasons(*group)
        return known is None or any(reason.letter == letter and reason.link == link.id for reason in known)

    def _pointed_at(self, group: Group, inside: set[Group], sure: set[Group], *, joint_only: bool) -> list[Reason]:
        """(b): more rows point here than this person has."""
        node, values = group
        reasons = []
        for number, pointer in enumerate(self.graph.pointers):
            if pointer.parent != node or (joint_only and not (pointer.link and pointer.link.joint)):
                continue
            if pointer.child[0] not in self.stores:
                known = (self.subject.frozen and self.subject.frozen.reasons(node, values)) or ()
                name = pointer.link.id if pointer.link else ""
                reasons += [r for r in known if r.letter == "b" and r.link == name and r.foreign]
                continue
            key = self.keys.normal(node, pointer.parent_columns, values, pointer.parent, pointer.parent_columns)
            total = self.facts.pointing.get(number, {}).get(key, 0) if key is not None else 0
            joint = pointer.link is not None and pointer.link.joint
            if total > self._own_pointing(number, key, sure if joint else inside):
                link = pointer.link
                foreign = pointer.child[0] != node[0]
                reasons.append(
                    Reason("b", link.id if link else ".".join(pointer.child), link.contested if link else "ask", foreign)
                )
        return reasons

    def _own_pointing(self, number: int, key: Values, inside: set[Group]) -> int:
        """How many rows of the person's own point at a key, with those that an earlier run detached; counted once per pointer and
        verdict."""
        if number not in self._pointing:
            counted = self._pointing[number] = {}
            pointer = self.graph.pointers[number]
            members = self.found.get(pointer.child, {})
            own = {values: member.count for values, member in members.items() if (pointer.child, values) in inside}
            if not (pointer.link and pointer.link.joint):  # a joint row is not theirs by a contested one
                own |= {values: count for values, count in self.let_go.get(pointer.child, {}).items() if values not in members}
            for values, count in own.items() if pointer.mapped else ():
                if not pointer.when or self.keys.holds(pointer.child, pointer.when, values):
                    to = self.keys.normal(pointer.child, pointer.child_columns, values, pointer.parent, pointer.parent_columns)
                    counted[to] = counted.get(to, 0) + count
        return self._pointing[number].get(key, 0)

    def _identities(self, group: Group, role: str, inside: set[Group], *, fellow: bool) -> list[Reason]:
        """(c) for rows reached by a link, (d) for root rows. `fellow`: what leads there belongs to several, so it says whose."""
        node, values = group
        carried = identities_of(self.graph, node, values)
        if not carried:
            return []
        mine = self.subject.identities
        fields = self.graph.collection(node).fields
        reasons = []
        own_kinds = {kind for kind, _, value in carried if value in mine.get(kind, ())}
        for kind, name, value in carried:
            if value in mine.get(kind, ()):
                continue
            if role != ROOT:
                if fields[name].identity_mine:
                    continue
                if mine.get(kind) or fellow or self._elsewhere(group, kind, value, inside):
                    # A run in one store does not see what leads there through another.
                    unseen = (fellow and len(self.stores) > 1) or self._abroad(node, kind, value, inside)
                    reasons.append(Reason("c", name, foreign=not mine.get(kind) and unseen))
            elif self._elsewhere(group, kind, value, inside):
                reasons.append(Reason("d", name, foreign=self._abroad(node, kind, value, inside)))
            elif kind in EMAIL_KINDS and mine.get(kind) and not own_kinds & EMAIL_KINDS and not fields[name].identity_mine:
                # Found by a telephone that a household may share, but it is another mailbox's record.
                reasons.append(Reason("d", name))
        still = {name for _, name, _ in carried} - {reason.link for reason in reasons}
        return reasons + [reason for reason in self._remembered(group) if reason.link in still]

    def _remembered(self, group: Group) -> Iterator[Reason]:
        """What a remnant held against these rows: nobody remembers whose identity it was that was not theirs."""
        node, values = group
        for planned, reasons in self._doubts.get((node, lasting(self.graph, node, values)), ()) if self._doubts else ():
            if all(was is None or was == now for was, now in zip(planned, values, strict=True)):
                yield from reasons

    def _elsewhere(self, group: Group, kind: str, value: str, inside: set[Group]) -> bool:
        """Whether the identity that the group carries also stands outside the set: on rows that are news, where the plan knew the
        group as the person's own."""
        carrying = self.facts.occurrences.get((kind, value), {})
        outside: dict[Node, list[tuple[Values, int]]] = {}
        for other, count in carrying.items():
            if other not in inside:
                outside.setdefault(other[0], []).append((other[1], count))
        known = self.subject.frozen.reasons(*group) if self.subject.frozen else None
        if known != ():
            return bool(outside)
        return not all(self._detached(node, groups, inside) for node, groups in outside.items())

    def _detached(self, node: Node, groups: list[tuple[Values, int]], inside: set[Group]) -> bool:
        """Whether an earlier run detached these rows from the person, contested rows of the plan that are not inside any more:
        what they carry is no news."""
        before = self._contested_before.get(node)
        if before is None:
            return False
        here = [(values, member.count) for values, member in self.found.get(node, {}).items() if (node, values) in inside]
        return before.unplanned([*here, *groups]) == before.unplanned(here)

    @cached_property
    def _contested_before(self) -> Mapping[Node, Contested]:
        frozen = self.subject.frozen
        if frozen is None or not frozen.disputed:
            return {}
        planned = {
            node: {
                values: count
                for values, (_raw, count, role, reasons) in zip(groups, frozen.written[node], strict=True)
                if reasons and role != ROOT
            }
            for node, groups in frozen.planned.items()
        }
        return {node: Contested(self.graph, node, counts, self.subject.identities) for node, counts in planned.items() if counts}

    def _abroad(self, node: Node, kind: str, value: str, inside: set[Group]) -> bool:
        """Whether it stands in another store (too): then it goes on to count when the row in this one has gone."""
        return any(group not in inside and group[0][0] != node[0] for group in self.facts.occurrences.get((kind, value), ()))

    def _led_to_from_abroad(self, group: Group) -> bool:
        return any(link.parent == group[0] and link.child[0] != group[0][0] for link in self.graph.links)

    def _told_by_other_stores(self, group: Group) -> list[Reason]:
        """What the plan knew from stores that are not read now: it holds until somebody looks again."""
        return [reason for reason in self._planned(group) if reason.foreign and reason.letter in ("c", "d", "t")]

    def _planned(self, group: Group) -> tuple[Reason, ...]:
        """Why the plan holds a group contested."""
        return (self.subject.frozen.reasons(*group) or ()) if self.subject.frozen else ()

    def _spellings(self, roles: Mapping[Group, str]) -> set[Group]:
        """Two root rows of one collection that spell one identity differently are two accounts until somebody decides (R12)."""
        seen: dict[tuple[Node, str, str], dict[object, list[Group]]] = {}
        for group, role in roles.items():
            if role == ROOT:
                node, values = group
                by = self.graph.group_columns[node]
                for kind, name, value in identities_of(self.graph, node, values):
                    if value in self.subject.identities.get(kind, ()):
                        seen.setdefault((node, name, value), {}).setdefault(values[by.index(name)], []).append(group)
        return {
            group for by_spelling in seen.values() if len(by_spelling) > 1 for groups in by_spelling.values() for group in groups
        }

    # -- the answer ---------------------------------------------------------------------------------------------------

    def holding(
        self,
        roles: Mapping[Group, str],
        contested: Mapping[Group, tuple[Reason, ...]],
        given: Mapping[Group, tuple[Reason, ...]],
    ) -> Holding:
        out = Holding(inbound=self.inbound, astray=self.astray, changed=self.changed)
        for (node, values), role in roles.items():
            count = self.found[node][values].count
            if role == REFERRED and self._others(node, values):
                out.others.setdefault(node, {})[values] = count
            elif role == REFERRED and not self.graph.collection(node).personal:
                out.passed.setdefault(node, []).append(values)
            elif reasons := given.get((node, values), ()):
                out.members.setdefault(node, {})[values] = Member(count, role, reasons, given=True)
            else:
                out.members.setdefault(node, {})[values] = Member(count, role, contested.get((node, values), ()))
        return out


def _doubts(graph: Graph, subject: Subject) -> dict[Group, list[tuple[Values, list[Reason]]]]:
    """Planned groups that are contested for an identity, or for what leads there, by what an erasure does not change of them."""
    out: dict[Group, list[tuple[Values, list[Reason]]]] = {}
    for node, groups in subject.frozen.known.items() if subject.frozen and subject.frozen.disputed else ():
        for values, (_, reasons) in groups.items():
            if doubts := [reason for reason in reasons if reason.letter in ("c", "d", "t")]:
                out.setdefault((node, lasting(graph, node, values)), []).append((values, doubts))
    return out
