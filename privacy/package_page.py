"""`index.html` of a package: what we hold about a person, to be read by that person, offline, on a phone or a screen.

The templates lie in templates/privacy/package/; Django's engine escapes every value. The page has no script, asks the net for
nothing, and its own policy forbids both (a <meta> policy, since a file has no headers).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from html import escape
from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import override

from privacy import vocabulary
from privacy.datamap.categories import is_personal
from privacy.engine.package.encode import plain
from privacy.engine.package.export import SHOWN_ROWS, Column, Part, Written

LONGEST_CELL = 500  # characters; the files have the rest
OPEN_ROWS = 10  # shown at once; the others when asked for
NOTHING = "–"
SHORT = 25  # characters of a cell that is not broken
# What there is much of is drawn without a template, which takes ten times as long.
PAIR = "<div><dt>{}</dt><dd>{}</dd></div>"
MEANING = "<div><dt>{}</dt><dd>{} <code>{}</code></dd></div>"


class HtmlPage:
    """Draws the page of one package in one language; implements privacy.engine.export.Page."""

    def __init__(self, *, language: str) -> None:
        self.language = language
        self._store: str | None = None

    def cell(self, value: Any) -> str:
        """The value as a person reads it: local time, yes and no, long texts cut."""
        text = self._text(value).strip()
        return text if len(text) <= LONGEST_CELL else text[:LONGEST_CELL] + " …"

    def section(self, written: Written, number: int) -> str:
        begins_store, self._store = written.part.store != self._store, written.part.store
        order = in_reading_order(written.part.columns)
        columns = [self._column(written.part.columns[place]) for place in order]
        rows = [[row[place] for place in order] for row in written.shown]
        labels = [column["label"] for column in columns]
        return self._render(
            "section.html",
            {
                "begins_store": begins_store,
                "labels": labels,
                "meanings": _list_of(MEANING, ((column["label"], column["explanation"], column["name"]) for column in columns)),
                "only": _list_of(PAIR, zip(labels, rows[0], strict=True)) if len(rows) == 1 else "",
                "open": _table_rows(labels, rows[:OPEN_ROWS]),
                "more": _table_rows(labels, rows[OPEN_ROWS:]),
                "more_rows": len(rows[OPEN_ROWS:]),
                "not_shown": written.rows - len(rows),
                **self._described(written, number),
            },
        )

    def frame(self, everything: Sequence[Written], information: Mapping[str, Any]) -> tuple[str, str]:
        """The page around the sections: the summary before, the information of Art. 15 after."""
        with self._speaking():
            context = {
                "language": self.language,
                "information": information,
                "portability": information.get("right") == "portability",
                "requested_on": _day(information.get("requested_at")),
                "made_on": _day(information.get("made_at")),
                "contents": [self._described(written, number) for number, written in enumerate(everything, 1)],
                "rows": sum(written.rows for written in everything),
                "withheld": sum(written.part.withheld for written in everything),
                "left_out": any(written.part.left_out for written in everything),
                "others": sum(written.part.others for written in everything),
                "shown_rows": SHOWN_ROWS,
            }
        return self._render("head.html", context), self._render("foot.html", context)

    # --- words --------------------------------------------------------------------------------------------------------

    def _described(self, written: Written, number: int) -> dict[str, Any]:
        part: Part = written.part
        with self._speaking():
            rows_text = number_format(written.rows, use_l10n=True, force_grouping=True)
        return {
            "part": part,
            "number": number,
            "store_name": part.store_name or vocabulary.readable(part.store),
            "label": vocabulary.chosen(dict(part.label), self.language, vocabulary.readable(part.collection)),
            "rows": written.rows,
            "rows_text": rows_text,
            "json_file": written.json_file,
            "csv_file": written.csv_file,
        }

    def _column(self, column: Column) -> dict[str, str]:
        return {
            "name": column.name,
            "label": vocabulary.chosen(dict(column.label), self.language, vocabulary.readable(column.name)),
            "explanation": vocabulary.chosen(dict(column.explanation), self.language, ""),
        }

    def _text(self, value: Any) -> str:
        if value is None or value == "":
            return NOTHING
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            with self._speaking():
                return _("Yes") if value else _("No")
        if isinstance(value, (datetime, date, time)):
            return _moment(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            with self._speaking():
                return _("%(count)d bytes of data, in the files") % {"count": len(bytes(value))}
        if isinstance(value, Decimal) and value.is_finite():
            return f"{value:f}".replace(".", "," if self.language == "sv" else ".")
        if isinstance(value, (list, tuple, Mapping, set, frozenset)):
            return json.dumps(plain(value), ensure_ascii=False)
        return str(plain(value))

    def _render(self, template: str, context: dict[str, Any]) -> str:
        with self._speaking():
            return render_to_string(f"privacy/package/{template}", context)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        with override(self.language):
            yield


def _list_of(pattern: str, lines: Iterable[Sequence[str]]) -> SafeString:
    return SafeString("\n    ".join(pattern.format(*map(escape, line)) for line in lines))


def _table_rows(labels: Sequence[str], rows: Iterable[Sequence[str]]) -> SafeString:
    cells = [f'<td data-label="{escape(label)}"' for label in labels]
    lines = (
        "".join(
            f'{cell} class="short">{escape(text)}</td>' if len(text) < SHORT else f"{cell}>{escape(text)}</td>"
            for cell, text in zip(cells, row, strict=True)
        )
        for row in rows
    )
    return SafeString("".join(f"\n<tr>{line}</tr>" for line in lines))


def in_reading_order(columns: Sequence[Column]) -> list[int]:
    """The places of the columns as a person reads them: what is about the person first, what only systems need last."""
    return sorted(range(len(columns)), key=lambda place: not is_personal(columns[place].categories))


def _moment(value: datetime | date | time) -> str:
    """`2026-03-05 14:12`, in local time where the value knows its zone; seconds only where there are some."""
    if not isinstance(value, datetime):
        return value.isoformat()
    if value.tzinfo is not None:
        try:
            value = timezone.localtime(value)
        except OverflowError:  # the first and the last day of the calendar
            value = value.astimezone(UTC) if value.year > 1 else value
    return value.strftime("%Y-%m-%d %H:%M:%S" if value.second or value.microsecond else "%Y-%m-%d %H:%M")


def _day(moment: Any) -> str:
    return date_format(timezone.localtime(datetime.fromisoformat(moment)), "j F Y") if moment else ""
