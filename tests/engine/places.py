"""A made-up world in PostgreSQL, with the stores and the graph that the engine works on.

Thousands of them are made, so what takes time is done once: connections and schemas are used again, and the data map is handed
over as the loader would read it from a file, without writing and reading YAML.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any
from unittest import mock

import psycopg
import sqlalchemy as sa

from privacy.datamap import loader
from privacy.datamap.graph import Graph
from privacy.datamap.joining import build
from privacy.datamap.model import Dataset
from privacy.engine import change as changes
from privacy.engine import plan as plans
from privacy.engine.contested.answers import Answers
from privacy.engine.erasure.decide import Decision, decide
from privacy.engine.erasure.erase import Job, erase
from privacy.engine.erasure.report import Report
from privacy.engine.holding import Holding, Keys
from privacy.engine.locate.search import locate
from privacy.engine.locate.subject import Subject
from privacy.stores.base import Groups
from privacy.stores.registry import Policy, open_store
from privacy.stores.sql import SqlStore
from tests.engine.making import dataset, ddl
from tests.engine.reference import Row
from tests.engine.worlds import World

TODAY = date(2026, 3, 5)
Identities = Mapping[str, set[str]]


class Home:
    """What the places of one process use one after another."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True, prepare_threshold=None)
        self.connection.execute("SET client_min_messages = warning")
        name = f"w_{secrets.token_hex(5)}"
        self.schemas = {"store": name, "other": f"{name}_other"}
        self.pool = sa.create_engine(
            sa.make_url(url).set(drivername="postgresql+psycopg"), hide_parameters=True, connect_args={"prepare_threshold": None}
        )
        self._read: tuple[World, dict[str, Dataset]] | None = None

    def maps(self, world: World) -> dict[str, Dataset]:
        """The data maps of a world, read once for all its places."""
        if self._read is None or self._read[0] is not world:
            maps = {}
            for key in world.stores:
                given = dataset(world, key, self.schemas[key])
                with mock.patch.multiple(loader, read_yaml=mock.Mock(return_value=given), digest_of=mock.Mock(return_value="")):
                    (maps[key],) = loader.parse("", file=f"{key}.yml")
            self._read = world, maps
        return self._read[1]

    def clear(self) -> str:
        names = ", ".join(self.schemas.values())
        return f"DROP SCHEMA IF EXISTS {names} CASCADE; " + "; ".join(f"CREATE SCHEMA {s}" for s in self.schemas.values())

    def stores(self, keys: Iterable[str], *, pooled: bool = True) -> dict[str, SqlStore]:
        found = {}
        for key in keys:
            store = open_store(key, self.url, policy=Policy(), schema=self.schemas[key])
            assert isinstance(store, SqlStore)
            if pooled:
                store.engine = self.pool
            found[key] = store
        return found


home = lru_cache(maxsize=None)(Home)


class Place:
    def __init__(self, url: str, world: World) -> None:
        self.home, self.world = home(url), world
        self.connection = self.home.connection

    def __enter__(self) -> Place:
        self.connection.execute(f"{self.home.clear()}; {ddl(self.world, self.home.schemas)}")
        self.connection.execute(f"SET search_path = {', '.join(self.home.schemas.values())}")
        self.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        """The next place clears this one away."""

    def refresh(self) -> None:
        """Read the schema anew."""
        maps = self.home.maps(self.world)
        self.stores = self.home.stores(maps)
        self.graph: Graph = build(maps, {key: store.schema() for key, store in self.stores.items()})

    # -- looking ------------------------------------------------------------------------------------------------------

    def locate(self, people: Sequence[Identities]) -> list[Holding]:
        with self._sessions() as sessions:
            return locate(self.graph, sessions, [subject(identities) for identities in people])

    def _sessions(self) -> Any:
        return _Sessions(self.stores)

    def rows_of(self, holding: Holding) -> tuple[dict[Row, str], set[Row], set[Row]]:
        """The rows behind the groups of a holding: roles, contested, others."""
        roles: dict[Row, str] = {}
        contested: set[Row] = set()
        others: set[Row] = set()
        with self._sessions() as sessions:
            for node, values, member in holding:
                found = self._rows(sessions, node, values)
                assert len(found) == member.count, (node, values)
                assert not roles.keys() & found, "every row once"
                roles |= dict.fromkeys(found, member.role)
                contested |= found if member.contested else set()
            for node, groups in holding.others.items():
                for values, count in groups.items():
                    found = self._rows(sessions, node, values)
                    assert len(found) == count
                    others |= found
        return roles, contested, others

    def _rows(self, sessions: Mapping[str, Any], node: Any, values: Any) -> set[Row]:
        groups = Groups(node[1], self.graph.group_columns[node], (values,))
        return {(node[1], rid) for (rid,) in sessions[node[0]].rows(groups, ("rid",))}

    def fates(self, identities: Identities, answers: Mapping[str, str]) -> dict[Row, str]:
        """What the plan says will become of every row that it holds."""
        (holding,) = self.locate([identities])
        out = {}
        with self._sessions() as sessions:
            for key in self.stores:
                for node, values, fate in self._decision(sessions[key], key, holding, answers):
                    out |= dict.fromkeys(self._rows(sessions, node, values), fate.kind)
        return out

    def _decision(self, session: Any, key: str, holding: Holding, answers: Mapping[str, str]) -> Decision:
        given = [Answers.read(self.graph, plans.write(self.graph, Keys(self.graph), key, holding), answers)]
        return decide(self.graph, session, key, [holding], answers=given, today=TODAY)[0]

    def content(self) -> dict[Row, dict[str, Any]]:
        out: dict[Row, dict[str, Any]] = {}
        for table in self.world.tables.values():
            names = ", ".join(table.columns)
            for row in self.connection.execute(f"SELECT {names} FROM {table.name}").fetchall():
                values = dict(zip(table.columns, row, strict=True))
                out[table.name, values["rid"]] = values
        return out

    def bytes(self) -> dict[Row, str]:
        """Every row as the database spells it."""
        parts = [f"SELECT '{name}', rid, t::text FROM {name} t" for name in self.world.tables]
        return {(name, rid): text for name, rid, text in self.connection.execute(" UNION ALL ".join(parts)).fetchall()}

    # -- acting -------------------------------------------------------------------------------------------------------

    def jobs(self, people: Sequence[Identities], answers: Mapping[str, str]) -> list[Jobs]:
        """Per person what is to be done in every store: planned now, carried out when it suits."""
        keys = Keys(self.graph)
        return [
            {
                key: Job(pairs(identities), plans.write(self.graph, keys, key, holding), dict(answers))
                for key in reversed(self.graph.suppliers_first)
            }
            for identities, holding in zip(people, self.locate(people), strict=True)
        ]

    def erase(self, jobs: Sequence[Jobs], stores: Mapping[str, SqlStore] | None = None) -> list[Report]:
        """What supplies keys to other stores goes last (R19). One report per person, over all stores."""
        reports = [Report() for _ in jobs]
        for key in reversed(self.graph.suppliers_first):
            done = erase(self.graph, (stores or self.stores)[key], [job[key] for job in jobs], today=TODAY)
            for report, more in zip(reports, done, strict=True):
                report.collections |= more.collections
                report.blocked = "; ".join(filter(None, [report.blocked, more.blocked]))
        return reports

    def change(self, identities: Identities, how: changes.Change, **more: Any) -> dict[str, changes.Report]:
        """Rectify, restrict, lift or object, in every store. `state`: what each store remembered of a restriction."""
        return self.change_all(self.changing([identities], **more), how)[0]

    def changing(self, people: Sequence[Identities], *, state: Mapping[str, Any] | None = None, **more: Any) -> list[Changes]:
        """Per person what is to be changed in every store: planned now, carried out when it suits."""
        keys, state = Keys(self.graph), state or {}
        return [
            {
                key: changes.Job(pairs(identities), plans.write(self.graph, keys, key, holding), state=state.get(key), **more)
                for key in self.stores
            }
            for identities, holding in zip(people, self.locate(people), strict=True)
        ]

    def change_all(self, jobs: Sequence[Changes], how: changes.Change) -> list[dict[str, changes.Report]]:
        """All in one batch. One report per person and store."""
        done = {key: changes.change(self.graph, store, [job[key] for job in jobs], how) for key, store in self.stores.items()}
        return [{key: done[key][number] for key in self.stores} for number in range(len(jobs))]


Jobs = dict[str, Job]
Changes = dict[str, changes.Job]


class _Sessions(dict[str, Any]):
    """A snapshot of every store."""

    def __init__(self, stores: Mapping[str, SqlStore]) -> None:
        super().__init__()
        self._open = {key: store.read() for key, store in stores.items()}

    def __enter__(self) -> _Sessions:
        self |= {key: session.__enter__() for key, session in self._open.items()}
        return self

    def __exit__(self, *error: Any) -> None:
        for session in self._open.values():
            session.__exit__(*error)


def subject(identities: Identities) -> Subject:
    return Subject.of(pairs(identities))


def pairs(identities: Identities) -> tuple[tuple[str, str], ...]:
    return tuple((kind, value) for kind, values in identities.items() for value in sorted(values))
