"""The rules R6–R11, R19 and R20 once more, row by row and by brute force, to hold the engine against. Shares no code with it.

A row is (table, number). Nothing here is quick, grouped or batched.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from tests.engine.worlds import IDENTITIES, Link, World

Row = tuple[str, int]
ROOT, OWNED, REFERRED = "root", "owned", "referred"


def canonical(kind: str, value: Any) -> str | None:
    if value in (None, ""):
        return None
    if kind == "email":
        return value.strip().lower() if re.fullmatch(r"[^@\s]+@[^@\s]+", value.strip()) else None
    return str(value).strip()


@dataclass
class Found:
    roles: dict[Row, str] = field(default_factory=dict)  # the person's set
    contested: dict[Row, set[tuple[str, str]]] = field(default_factory=dict)  # row → (why, the map's answer)
    others: set[Row] = field(default_factory=set)


class Locator:
    """What of a world is one person's. `identities`: {kind: canonical values}."""

    def __init__(self, world: World, identities: Mapping[str, set[str]], disclosed: Iterable[str] = ()) -> None:
        self.world, self.identities, self.disclosed = world, identities, set(disclosed)
        self.mapped = [row for row in world.everything() if world.tables[row[0]].mapped]
        self.roots = {row for row in self.mapped if any(v in identities.get(k, ()) for k, _, v in self.carried(row))}
        self.links = [link for link in world.links if link.mapped]

    def value(self, row: Row, column: str) -> Any:
        return self.world.rows[row[0]][row[1]][column]

    def carried(self, row: Row) -> list[tuple[str, str, str]]:
        pairs = [(IDENTITIES[c], c, canonical(IDENTITIES[c], self.value(row, c))) for c in self.world.tables[row[0]].identities]
        return [(kind, column, value) for kind, column, value in pairs if value is not None]

    def somebodys(self, row: Row) -> bool:
        return any(self.value(row, column) not in (None, "") for column in self.world.tables[row[0]].identities)

    def points(self, link: Link, child: Row, parent: Row) -> bool:
        if child[0] != link.child or parent[0] != link.parent or (link.when and self.value(child, link.when[0]) != link.when[1]):
            return False
        pairs = [(self.value(child, a), self.value(parent, b)) for a, b in zip(link.columns, link.target, strict=True)]
        if self.world.crosses(link):  # stores may spell a key as a number and as text
            pairs = [(a if a is None else str(a), str(b)) for a, b in pairs]
        return all(a is not None and a == b for a, b in pairs)

    def children(self, link: Link, parent: Row) -> list[Row]:
        return [row for row in self.world.everything() if self.points(link, row, parent)]

    def parents(self, link: Link, child: Row) -> list[Row]:
        return [row for row in self.world.everything() if self.points(link, child, row)]

    # -- R8 -----------------------------------------------------------------------------------------------------------

    def reach(self, contested: Mapping[Row, Any], joint: bool = True) -> tuple[dict[Row, str], set[Row]]:
        """Roles, and the rows to which something uncontested leads all the way. `joint`: through what belongs to several too."""
        roles = dict.fromkeys(self.roots, ROOT)
        clean = set(self.roots)
        while True:
            before = dict(roles), set(clean)
            for row, role in before[0].items():
                for target, new in self.steps(row, role, row in contested, joint):
                    if target not in roles or (roles[target] == REFERRED and new == OWNED):
                        roles[target] = new
                    if row in clean and row not in contested:
                        clean.add(target)
            if before == (roles, clean):
                return roles, clean

    def steps(self, row: Row, role: str, spoiled: bool, joint: bool) -> list[tuple[Row, str]]:
        if role == REFERRED and self.somebodys(row):
            return []
        owner = role != REFERRED and not spoiled
        out = []
        for link in self.links:
            if link.owns and owner:
                out += [(child, OWNED) for child in self.children(link, row)]
            if link.nature == "joint" and not joint:
                continue
            if link.nature == "joint" and owner:
                out += [(parent, OWNED) for parent in self.parents(link, row)]
            elif link.refers:
                out += [(parent, REFERRED) for parent in self.parents(link, row)]
        return out

    # -- R9, R10 ------------------------------------------------------------------------------------------------------

    def locate(self) -> Found:
        contested: dict[Row, set[tuple[str, str]]] = {}
        while True:
            roles, clean = self.reach(contested)
            inside = {row for row, role in roles.items() if not (role == REFERRED and self.stranger(row))}
            alone = self.reach(contested, joint=False)[0].keys()
            new = {row: why for row in inside if (why := self.against(row, roles[row], inside, clean, alone, roles, contested))}
            both = {row: new.get(row, set()) | contested.get(row, set()) for row in {*new, *contested} if row in roles}
            if both.keys() == contested.keys():
                others = {row for row, role in roles.items() if role == REFERRED and self.somebodys(row)}
                return Found({row: roles[row] for row in inside}, {row: both[row] for row in both.keys() & inside}, others)
            contested = both

    def stranger(self, row: Row) -> bool:
        table = self.world.tables[row[0]]
        return self.somebodys(row) or not table.personal_columns

    def against(
        self, row: Row, role: str, inside: set[Row], clean: set[Row], alone: Set[Row], roles: Any, contested: Any
    ) -> set[tuple[str, str]]:
        if row[0] in self.disclosed:
            return set()
        why = set() if row in clean else {("t", "ask")}
        for link in self.links:
            if role != ROOT and link.owns and (parents := self.parents(link, row)) and not inside & {*parents}:
                why.add(("a", link.contested))
        for link in self.world.links:
            if link.parent == row[0] and (role == REFERRED or (role == OWNED and link.mapped and link.nature == "joint")):
                own = inside if role == REFERRED and link.nature != "joint" else inside - {*contested}
                if any(child not in own for child in self.children(link, row)):
                    why.add(("b", link.contested if link.mapped else "ask"))
        return (
            why | self.identities_against(row, role, inside, fellow=row not in alone) | self.spelled_otherwise(row, role, roles)
        )

    def identities_against(self, row: Row, role: str, inside: set[Row], *, fellow: bool) -> set[tuple[str, str]]:
        carried = self.carried(row)
        own = {kind for kind, _, value in carried if value in self.identities.get(kind, ())}
        why = set()
        for kind, column, value in carried:
            if value in self.identities.get(kind, ()):
                continue
            mine = column in self.world.tables[row[0]].mine
            elsewhere = any(
                (kind, value) in {(k, v) for k, _, v in self.carried(other)} for other in self.mapped if other not in inside
            )
            if role != ROOT and not mine and (self.identities.get(kind) or fellow or elsewhere):
                why.add(("c", "ask"))
            if role == ROOT and elsewhere:
                why.add(("d", "ask"))
            if role == ROOT and kind == "email" and self.identities.get(kind) and kind not in own and not mine:
                why.add(("d", "ask"))
        return why

    def spelled_otherwise(self, row: Row, role: str, roles: Mapping[Row, str]) -> set[tuple[str, str]]:
        if role != ROOT:
            return set()
        for kind, column, value in self.carried(row):
            for other in roles:
                if value in self.identities.get(kind, ()) and other[0] == row[0] and roles[other] == ROOT:
                    same = canonical(kind, self.value(other, column)) == value
                    if same and self.value(other, column) != self.value(row, column):
                        return {("s", "ask")}
        return set()


# -- R3, R11, R19, R20 --------------------------------------------------------------------------------------------------

DELETE, ANONYMIZE, KEEP, STAY, PART, UNDECIDED = "delete", "anonymize", "keep", "stay", "part", "undecided"


@dataclass
class Verdict:
    fates: dict[Row, str]
    stopped: set[str] = field(default_factory=set)  # stores
    readable: dict[Row, set[str] | None] = field(default_factory=dict)  # of kept rows: what stays readable (None: all)


def decide(world: World, found: Found, answers: Mapping[str, str], today: date) -> Verdict:
    verdict = Verdict({})
    for row in found.roles:
        table = world.tables[row[0]]
        if row in found.contested:
            given = {answer for _, answer in found.contested[row]}
            standing = "ask" if "ask" in given else "keep" if "keep" in given else "redact"
            verdict.fates[row] = PART if answers.get(row[0], standing) in ("redact", "anonymize") else STAY
        elif table.on_erasure is None:
            verdict.fates[row] = UNDECIDED if table.personal_columns else DELETE
        else:
            verdict.fates[row] = table.on_erasure
            start = world.rows[row[0]][row[1]]["day"]
            if table.keep and (start is None or today < start.replace(year=start.year + table.keep.years)):
                verdict.fates[row] = KEEP
                verdict.readable[row] = set(table.keep.fields) or None
    keep_along(world, verdict)
    while pin(world, verdict):
        pass
    verdict.stopped = {world.tables[row[0]].store for row, fate in verdict.fates.items() if fate == UNDECIDED}
    for link, row, _, outside in pointed(world, verdict):
        if link.on_delete == "CASCADE" and outside:
            verdict.stopped.add(world.tables[row[0]].store)
    return verdict


def keep_along(world: World, verdict: Verdict) -> None:
    """What rows kept by their own rule need elsewhere stays with them."""
    locator = Locator(world, {})
    for row in list(verdict.readable):
        keep = world.tables[row[0]].keep
        for name, _, column in (need.partition(".") for need in (keep.along if keep else ())):
            for link in locator.links:
                near = locator.parents(link, row) if link.parent == name else []
                near += locator.children(link, row) if link.child == name else []
                for other in near:
                    if verdict.fates.get(other) in (None, STAY, PART, UNDECIDED) or world.crosses(link):
                        continue
                    before = verdict.readable.get(other, set()) if verdict.fates[other] == KEEP else set()
                    if verdict.fates[other] == KEEP and other not in verdict.readable:
                        before = None  # kept whole by the map
                    verdict.fates[other] = KEEP
                    verdict.readable[other] = before | {column} if column and before is not None else None


def pin(world: World, verdict: Verdict) -> bool:
    """Rows at which a staying row points stay too, without what is personal."""
    pinned = {
        row
        for link, row, staying, outside in pointed(world, verdict)
        if staying or (outside and link.on_delete != "CASCADE" and not forgets(world, link))
    }
    verdict.fates |= dict.fromkeys(pinned, ANONYMIZE)
    return bool(pinned)


def pointed(world: World, verdict: Verdict) -> list[tuple[Link, Row, list[Row], list[Row]]]:
    """(link, doomed row, rows of the person's that stay and point at it, rows of others that do)."""
    locator, fates, out = Locator(world, {}), verdict.fates, []
    for link in (link for link in world.links if not world.crosses(link)):
        parting = forgets(world, link) or (link.mapped and link.owns and own_columns(world, link))
        letting_go = {DELETE, PART} if parting else {DELETE}
        for row in [row for row, fate in fates.items() if fate == DELETE and row[0] == link.parent]:
            pointing = locator.children(link, row)
            staying = [child for child in pointing if child in fates and fates[child] not in letting_go]
            out.append((link, row, staying, [child for child in pointing if child not in fates]))
    return out


CHANGED = object()  # some other value than before, or NULL


def erased(world: World, identities: Mapping[str, set[str]], found: Found, verdict: Verdict) -> dict[Row, dict[str, Any] | None]:
    """The world afterwards: {row: its values, or None where it went}. A value of CHANGED is any but the old one."""
    locator = Locator(world, identities)
    after: dict[Row, dict[str, Any] | None] = {row: dict(world.rows[row[0]][row[1]]) for row in world.everything()}
    fates = {row: fate for row, fate in verdict.fates.items() if world.tables[row[0]].store not in verdict.stopped}
    for row, fate in fates.items():
        values = after[row]
        assert values is not None
        readable = verdict.readable.get(row)
        if fate == ANONYMIZE or (fate == KEEP and readable is not None):
            values |= {column: CHANGED for column in world.tables[row[0]].personal_columns if column not in (readable or ())}
        if fate == PART:
            values |= part_taken_out(locator, row, verdict)
    for row in [row for row, fate in fates.items() if fate == DELETE]:
        after[row] = None
        for link in locator.links:
            for child in locator.children(link, row) if forgets(world, link) and not world.crosses(link) else ():
                if (values := after.get(child)) is not None:
                    nullable = [c for c in link.columns if world.tables[link.child].nullable(c)]
                    values |= dict.fromkeys(own_columns(world, link) or nullable)
    return after


def part_taken_out(locator: Locator, row: Row, verdict: Verdict) -> dict[str, Any]:
    """This person's part of a row that others have a part in: their identities, and the links to what owns it of theirs."""
    out = {column: CHANGED for kind, column, value in locator.carried(row) if value in locator.identities.get(kind, ())}
    for link in locator.links:
        if (
            link.owns
            and not locator.world.crosses(link)
            and any(parent in verdict.fates for parent in locator.parents(link, row))
        ):
            out |= dict.fromkeys(own_columns(locator.world, link))
    return out


def forgets(world: World, link: Link) -> bool:
    """Whether the map lets rows that stay let go of a parent that goes."""
    return link.mapped and link.set_null and any(world.tables[link.child].nullable(column) for column in link.columns)


def own_columns(world: World, link: Link) -> list[str]:
    """What a row may lose of a key without losing another: nullable, in no other key that it may follow at the same time."""
    others = [other for other in world.links if other is not link and other.child == link.child]
    others = [other for other in others if not (link.when and other.when and link.when[0] == other.when[0])]
    shared = {column for other in others for column in other.columns}
    return [c for c in link.columns if c not in shared and world.tables[link.child].nullable(c)]
