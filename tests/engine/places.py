"""A made-up world in a PostgreSQL schema of its own, with the store and the graph that the engine works on."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import psycopg

from privacy.datamap.graph import Graph
from privacy.datamap.joining import build
from privacy.datamap.loader import parse
from privacy.engine import plan as plans
from privacy.engine.erase import Job, Report, erase
from privacy.engine.holding import Holding, Keys
from privacy.engine.locate import locate
from privacy.engine.subject import Subject
from privacy.stores.base import Groups
from privacy.stores.registry import Policy, open_store
from tests.engine.reference import Row
from tests.engine.worlds import World, dataset, ddl

TODAY = date(2026, 3, 5)
Identities = Mapping[str, set[str]]


class Place:
    def __init__(self, url: str, world: World) -> None:
        self.url, self.world, self.name = url, world, f"w_{secrets.token_hex(5)}"

    def __enter__(self) -> Place:
        self.connection = psycopg.connect(self.url, autocommit=True)
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self) -> None:
        self.connection.execute(f"CREATE SCHEMA {self.name}")
        self.connection.execute(f"SET search_path = {self.name}")
        self.connection.execute(ddl(self.world))
        self.refresh()

    def refresh(self) -> None:
        """Read map and schema anew."""
        (found,) = parse(dataset(self.world, self.name), file="world.yml")
        self.store = open_store("store", self.url, policy=Policy(), schema=self.name)
        self.graph: Graph = build({"store": found}, {"store": self.store.schema()})

    def __exit__(self, *_: object) -> None:
        self.connection.execute(f"SET client_min_messages = warning; DROP SCHEMA {self.name} CASCADE")
        self.connection.close()

    # -- looking ------------------------------------------------------------------------------------------------------

    def locate(self, people: Sequence[Identities]) -> list[Holding]:
        with self.store.read() as session:
            return locate(self.graph, {"store": session}, [subject(identities) for identities in people])

    def rows_of(self, holding: Holding) -> tuple[dict[Row, str], set[Row], set[Row]]:
        """The rows behind the groups of a holding: roles, contested, others."""
        roles: dict[Row, str] = {}
        contested: set[Row] = set()
        others: set[Row] = set()
        with self.store.read() as session:
            for node, values, member in holding:
                found = self._rows(session, node, values)
                assert len(found) == member.count, (node, values)
                assert not roles.keys() & found, "every row once"
                roles |= dict.fromkeys(found, member.role)
                contested |= found if member.contested else set()
            for node, groups in holding.others.items():
                for values, count in groups.items():
                    found = self._rows(session, node, values)
                    assert len(found) == count
                    others |= found
        return roles, contested, others

    def _rows(self, session: Any, node: Any, values: Any) -> set[Row]:
        groups = Groups(node[1], self.graph.group_columns[node], (values,))
        return {(node[1], rid) for (rid,) in session.rows(groups, ("rid",))}

    def content(self) -> dict[Row, dict[str, Any]]:
        out: dict[Row, dict[str, Any]] = {}
        for table in self.world.tables.values():
            names = ", ".join(table.columns)
            for row in self.connection.execute(f"SELECT {names} FROM {table.name}").fetchall():
                values = dict(zip(table.columns, row, strict=True))
                out[table.name, values["rid"]] = values
        return out

    # -- acting -------------------------------------------------------------------------------------------------------

    def jobs(self, people: Sequence[Identities], answers: Mapping[str, str]) -> list[Job]:
        keys = Keys(self.graph)
        holdings = self.locate(people)
        return [
            Job(pairs(identities), plans.write(self.graph, keys, "store", holding), dict(answers))
            for identities, holding in zip(people, holdings, strict=True)
        ]

    def erase(self, jobs: Sequence[Job]) -> list[Report]:
        return erase(self.graph, self.store, jobs, today=TODAY)


def subject(identities: Identities) -> Subject:
    return Subject.of(pairs(identities))


def pairs(identities: Identities) -> tuple[tuple[str, str], ...]:
    return tuple((kind, value) for kind, values in identities.items() for value in sorted(values))
