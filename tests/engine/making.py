"""Makes a world real: the statements that build it in PostgreSQL, and the data map that describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.engine.worlds import IDENTITIES, Link, Table, World


def ddl(world: World, schemas: Mapping[str, str]) -> str:
    """One text of statements: tables, rows, then keys, so that rows may point in circles, then triggers, so that none fires."""
    parts = []
    for table in world.tables.values():
        here = f"{schemas[table.store]}.{table.name}"
        lines = [f"{name} {kind}" for name, kind in table.columns.items()]
        lines += [f"PRIMARY KEY ({', '.join(table.key)})"] if table.key else []
        parts.append(f"CREATE TABLE {here} ({', '.join(lines)})")
        if world.rows[table.name]:
            rows = ", ".join(f"({', '.join(_literal(row[c]) for c in table.columns)})" for row in world.rows[table.name])
            parts.append(f"INSERT INTO {here} VALUES {rows}")
    for link in world.links:
        if link.enforced:
            schema = schemas[world.tables[link.child].store]
            parts.append(
                f"ALTER TABLE {schema}.{link.child} ADD FOREIGN KEY ({', '.join(link.columns)}) "
                f"REFERENCES {schema}.{link.parent} ({', '.join(link.target)}) ON DELETE {link.on_delete}"
            )
    for table in world.tables.values():
        if table.history_of:
            parts += _trigger(table, schemas[table.store])
    return ";\n".join(parts)


def _trigger(table: Table, schema: str) -> list[str]:
    copied = [column for column in table.columns if column != "rid"]
    insert = f"INSERT INTO {schema}.{table.name} ({', '.join(copied)}) VALUES ({', '.join('OLD.' + c for c in copied)})"
    fill = f"{schema}.{table.name}_fill()"
    event = f"AFTER UPDATE OR DELETE ON {schema}.{table.history_of}"
    return [
        f"CREATE FUNCTION {fill} RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert}; RETURN NULL; END $$",
        f"CREATE TRIGGER fill {event} FOR EACH ROW EXECUTE FUNCTION {fill}",
    ]


def _literal(value: Any) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


def dataset(world: World, store: str, schema: str) -> dict[str, Any]:
    """The data map of one store of a world, as a file would state it."""
    tables = [table for table in world.tables.values() if table.mapped and table.store == store]
    collections = {table.name: {name: _field(table, name) for name in table.columns if name != "rid"} for table in tables}
    extension: dict[str, Any] = {"collections": {}, "links": {}, "fields": {}, "keys": []}
    for table in tables:
        entry: dict[str, Any] = {"on_erasure": table.on_erasure} if table.on_erasure else {}
        entry |= {"restriction": {"set": {"flag": 1}}, "objection": {"set": {"flag": 2}}} if "flag" in table.columns else {}
        if table.keep:
            rule: dict[str, Any] = {"basis": f"a law about {table.name}", "from": "day", "for": f"P{table.keep.years}Y"}
            entry["keep"] = [rule | {"fields": list(table.keep.fields), "with": list(table.keep.along)}]
        extension["collections"][table.name] = entry
        extension["fields"] |= {f"{table.name}.{c}": {"identity": "mine"} for c in table.mine if c in table.identities}
    for link in world.links:
        if link.mapped:
            _state(world, link, collections, extension)
    return {
        "dataset": [
            {
                "fides_key": store,
                "fides_meta": {"namespace": {"schema": schema}},
                "meta": {"privacy": extension},
                "collections": [{"name": name, "fields": list(fields.values())} for name, fields in collections.items()],
            }
        ]
    }


def _field(table: Table, name: str) -> dict[str, Any]:
    personal = name in table.personal_columns
    entry: dict[str, Any] = {"name": name, "data_categories": ["user.content" if personal else "system.operations"]}
    if name in table.identities:
        entry["fides_meta"] = {"identity": IDENTITIES[name]}
    return entry


def _state(world: World, link: Link, collections: dict[str, Any], extension: dict[str, Any]) -> None:
    """States a link at the ends that lie in this store."""
    rule: dict[str, Any] = {"contested": link.contested}
    if link.set_null:
        rule["on_parent_erased"] = "set_null"
    if link.nature:
        rule["nature"] = link.nature
    if link.when:
        rule |= {"to": f"{link.parent}.{link.target[0]}", "when": dict([link.when])}
    if link.child in collections:
        extension["links"][f"{link.child}.{link.columns[-1]}"] = rule
        if len(link.columns) > 1:
            ends = [*(f"{link.child}.{c}" for c in link.columns), *(f"{link.parent}.{c}" for c in link.target)]
            extension["keys"].append(ends)
    # Stated at both ends, each allows its own half.
    direction = "to" if link.stated_at == "both" else link.direction
    for own, target in zip(link.columns, link.target, strict=True):
        if link.stated_at in ("child", "both") and link.child in collections:
            _refer(collections[link.child][own], world.tables[link.parent].store, f"{link.parent}.{target}", direction)
        if link.stated_at in ("parent", "both") and link.parent in collections:
            _refer(collections[link.parent][target], world.tables[link.child].store, f"{link.child}.{own}", direction)


def _refer(entry: dict[str, Any], store: str, target: str, direction: str | None) -> None:
    reference = {"dataset": store, "field": target} | ({"direction": direction} if direction else {})
    entry.setdefault("fides_meta", {}).setdefault("references", []).append(reference)
