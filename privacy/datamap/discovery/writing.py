"""A proposal as a dataset file with comments, and as JSON. Neither holds a value of the store."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from privacy.datamap.discovery import proposal as proposals
from privacy.datamap.discovery.classify import Guess
from privacy.datamap.discovery.links import Link
from privacy.datamap.discovery.proposal import Column, Proposal, Table

_PARTS = {
    proposals.PERSON: "a person: rows are found by an identity",
    proposals.OWNED: "hangs below a person",
    proposals.MENTIONED: "mentioned by a person's rows",
    proposals.OTHER: "no person leads here",
    proposals.SYSTEM: "a framework's own table, skipped",
}


def to_yaml(proposal: Proposal) -> str:
    """A dataset file that loads as it stands; what is uncertain or undecided stands in comments."""
    return "\n".join(_lines(proposal)) + "\n"


def _lines(proposal: Proposal) -> Iterator[str]:
    yield "# A proposal: every line wants a second look. The percentages say how sure it is, the words beside them why."
    yield "# Where on_erasure is open, erasure in this store waits for your decision. docs/data-engineer.md explains every key."
    if proposal.views:
        yield f"# Views are not listed; what they show lies in tables: {_comment(', '.join(proposal.views))}"
    for problem in proposal.problems:
        yield f"# To be settled before it loads: {_comment(problem)}"
    for link in proposal.doubtful:
        yield f"# Perhaps a link: {_comment(_link(link))} ({_sure(link.confidence)}: {_comment(link.why)})"
    yield "dataset:"
    yield f"- fides_key: {_scalar(proposal.key)}"
    yield f"  name: {_scalar(proposal.key)}"
    if proposal.schema:
        yield "  fides_meta:"
        yield f"    namespace: {{schema: {_scalar(proposal.schema)}}}"
    yield "  meta:"
    yield "    privacy:"
    yield "      role: controller"
    yield "      # purposes:"
    yield "      #   - {key: customer_care, basis: 6-1-b, recipients: [], transfer: none}"
    decided = [table for table in proposal.tables if table.on_erasure]
    if decided:
        yield "      collections:"
    for table in decided:
        yield f"        {_scalar(table.name)}:"
        yield "          # purpose: customer_care"
        yield "          # source: provided"
        yield f"          # on_erasure: {table.on_erasure}"
        if table.retention:
            yield f"          # {_comment(table.retention)}"
    yield "  collections:"
    for table in proposal.tables:
        yield from _table_lines(proposal, table)


def _table_lines(proposal: Proposal, table: Table) -> Iterator[str]:
    yield f"    # {_comment(table.name)}: {_PARTS[table.part]}"
    if table.unread:
        yield f"    # its rows could not be looked at: {_comment(table.unread)}"
    if table.unreached:
        yield "    # It looks personal, but nobody's rows lead here: add a reference or an identity, then the categories."
    yield f"    - name: {_scalar(table.name)}"
    if table.part == proposals.SYSTEM:
        yield "      fides_meta: {skip_processing: true}"
    yield "      fields:"
    for column in table.columns:
        yield from _column_lines(proposal.key, table, column)


def _column_lines(key: str, table: Table, column: Column) -> Iterator[str]:
    meta: dict[str, Any] = {"primary_key": True} if column.primary_key else {}
    guess, parts, notes = column.guess, [f"name: {_scalar(column.name)}"], []
    if guess and guess.likely and not table.unreached:
        parts.append(f"data_categories: [{', '.join(guess.categories)}]")
        if guess.identity:
            meta["identity"] = guess.identity
    if guess:
        notes.append(_note(guess, stated=guess.likely and not table.unreached))
    references = [
        {"dataset": key, "field": f"{link.parent}.{link.parent_columns[place]}", "direction": link.direction}
        for link, place in column.links
    ]
    notes += [f"link {_sure(link.confidence)}: {link.why}" for link, _ in column.links if not link.declared]
    if references:
        meta["references"] = references
    if meta:
        parts.append(f"fides_meta: {_flow(meta)}")
    note = f"  # {_comment('; '.join(notes))}" if notes else ""
    yield f"        - {{{', '.join(parts)}}}{note}"


def _note(guess: Guess, *, stated: bool) -> str:
    text = f"{_sure(guess.confidence)}: {guess.why}"
    return text if stated else f"perhaps {', '.join(guess.categories)}, {text}"


def _sure(confidence: float) -> str:
    return f"{round(confidence * 100)} %"


def _link(link: Link) -> str:
    return f"{link.child}.{'+'.join(link.child_columns)} -> {link.parent}.{'+'.join(link.parent_columns)}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return "true" if value is True else _scalar(value)


def _scalar(text: str) -> str:
    """A name as YAML inside flow style: plain where nothing can misread it, else quoted by the library."""
    if re.fullmatch(r"[A-Za-z_][\w.]*", text, re.ASCII) and yaml.safe_load(text) == text:
        return text
    return yaml.safe_dump(text, default_style='"', width=10_000, allow_unicode=True).strip()


def _comment(text: str) -> str:
    """Names of tables may hold line breaks, which would end the comment."""
    return " ".join(text.split())


def to_json(proposal: Proposal) -> dict[str, Any]:
    return {
        "dataset": proposal.key,
        "tables": [
            {
                "name": table.name,
                "part": table.part,
                "reached": not table.unreached,
                "columns": [
                    {
                        "name": column.name,
                        "categories": list(column.guess.categories),
                        "identity": column.guess.identity,
                        "confidence": round(column.guess.confidence, 2),
                        "proposed": column.guess.likely and not table.unreached,
                        "why": column.guess.why,
                    }
                    for column in table.columns
                    if column.guess
                ],
                "on_erasure": None,
                "suggested": table.on_erasure.partition("  #")[0] or None,
                "retention": table.retention or None,
                **({"unread": table.unread} if table.unread else {}),
            }
            for table in proposal.tables
        ],
        "links": [_link_json(link, True) for link in _links(proposal)] + [_link_json(link, False) for link in proposal.doubtful],
        "views": list(proposal.views),
        "problems": list(proposal.problems),
    }


def _links(proposal: Proposal) -> list[Link]:
    return list(dict.fromkeys(link for table in proposal.tables for column in table.columns for link, _ in column.links))


def _link_json(link: Link, proposed: bool) -> dict[str, Any]:
    return {
        "from": [f"{link.child}.{name}" for name in link.child_columns],
        "to": [f"{link.parent}.{name}" for name in link.parent_columns],
        "direction": link.direction,
        "declared": link.declared,
        "confidence": round(link.confidence, 2),
        "proposed": proposed,
        "why": link.why,
    }
