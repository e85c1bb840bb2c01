"""Suggestions for what only the engineer and the data protection officer can decide: erasure and retention."""

from __future__ import annotations

import re

from privacy.datamap.discovery import names
from privacy.stores.base import Column, Table

_ENDED = ("closed", "ended", "ends", "cancelled", "canceled", "terminated", "finished", "resolved", "avslut", "upphor", "stangd")
_STARTED = (
    "issued",
    "invoice_date",
    "fakturadatum",
    "paid",
    "occurred",
    "sent",
    "created",
    "added",
    "date_joined",
    "logged",
    "skapad",
    "datum",
    "date",
    "at",
)


def on_erasure(table: Table) -> str:
    """`decision  # reason`: what most companies decide about such rows."""
    if names.bookkeeping(table.name):
        return "delete  # with a keep rule: what bookkeeping law needs stays until its date"
    if names.staff(table.name) and names.about_a_person(table.name):
        return "anonymize  # other people's rows point at members of staff"
    return "delete"


def retention(table: Table, personal: list[str], parts: list[str]) -> str:
    """A `keep` or `retention` rule to start from, or an empty string where no date column offers itself.

    `personal`: columns that look it; `parts`: tables whose rows belong to these (an invoice's lines).
    """
    if names.bookkeeping(table.name):
        start = _date(table, _STARTED)
        if not start:
            return ""
        kept = [c.name for c in table.columns.values() if c.name not in personal]
        along = f", with: [{_listed(parts)}]" if parts else ""
        law = '"bokföringslagen 7 kap. 2 §"'
        return f"keep: [{{basis: {law}, from: {_quoted(start)}, for: P7Y, align: fiscal_year, fields: [{_listed(kept)}]{along}}}]"
    if names.log(table.name):
        start = _date(table, _STARTED)
        return f"retention: {{from: {_quoted(start)}, for: P6M, then: delete}}" if start else ""
    start = _date(table, _ENDED)
    return f"retention: {{from: {_quoted(start)}, for: P3Y, then: delete}}" if start else ""


def _date(table: Table, wanted: tuple[str, ...]) -> str:
    dates = [
        c.name
        for c in table.columns.values()
        if _is_date(c) and not re.search(r"expir|due|birth|valid|fodelse|forfall", c.name.lower())
    ]
    for word in wanted:
        for name in dates:
            if re.search(rf"(^|_){word}", names.words(name)):
                return name
    return ""


def _is_date(column: Column) -> bool:
    return column.family in ("date", "datetime") or (
        column.family == "text" and re.match(r"DATE|TIME", column.type_name) is not None
    )


def _listed(items: list[str]) -> str:
    return ", ".join(_quoted(name) for name in items)


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
