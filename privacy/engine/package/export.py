"""The package of R15: everything a person may have, as a ZIP that is written while it is read from the stores.

    index.html                          to read: no script, the first rows of every collection
    information.json                    what Art. 15(1) and (2) ask to be told
    data/<store>/<collection>.json      all rows, an array of objects
    data/<store>/<collection>.csv       the same for a spreadsheet
    contents.json                       for programs: the files with their columns in words, rows, and how many a month

Each collection is read once. JSON goes straight into the ZIP; the CSV, which has to wait until the JSON member ends, and the
page, whose first lines count what comes later, wait in a `Spool`. Reading a second time instead would cost the store the same
work twice and could see other rows. So memory holds one batch and the rows shown, whatever the number of rows.
"""

from __future__ import annotations

import gc
import json
import re
import unicodedata
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from stream_zip import ZIP_64, stream_zip

from privacy.datamap.categories import within
from privacy.engine.package.encode import RowEncoder
from privacy.engine.package.history import History
from privacy.engine.package.spool import Spool
from privacy.stores.values import weight

SHOWN_ROWS = 1000
BIRTH = "user.demographic.date_of_birth"  # when somebody was born tells nothing of what happened
_BATCH_BYTES = 2 * 1024 * 1024  # of text that is encoded at a time, where one row alone is not larger
_MODE = 0o100600
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # Windows cannot make files of these names

Label = Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """`categories` are taxonomy keys; `explanation` says in plain words what stands here (Art. 12(1))."""

    name: str
    label: Label = field(default_factory=dict)
    categories: tuple[str, ...] = ()
    explanation: Label = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """One collection of one store. `batches` is called once and may stream: lists of rows, each row with the values of `columns`
    in their order.

    `withheld` rows are shown to nobody until somebody decides (contested), `others` are records of other people that this
    person's rows point at; both are counted, never shown. `left_out` says in words what staff left out and why. `kept` names
    what a law will keep: {"rows", "basis", "until"}.
    """

    store: str
    collection: str
    columns: tuple[Column, ...]
    batches: Callable[[], Iterable[Sequence[Sequence[Any]]]]
    store_name: str = ""
    label: Label = field(default_factory=dict)
    purpose: str = ""
    dated: str = ""  # the column that says when a row came about, where the map knows it
    withheld: int = 0
    others: int = 0
    left_out: tuple[str, ...] = ()
    kept: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Written:
    """What became of a part: its rows, those to be shown on the page (already as text), and its files' names."""

    part: Part
    rows: int
    shown: Sequence[Sequence[str]]
    json_file: str
    csv_file: str
    history: Sequence[tuple[str, int]] = ()  # rows per month or year
    dated: str = ""  # the column that was counted


class Page(Protocol):
    """Draws `index.html`. Everything it is given is plain; all it answers is HTML, so escaping is its duty."""

    def cell(self, value: Any) -> str:
        """The value as short text (not HTML)."""

    def section(self, written: Written, number: int) -> str:
        """One collection."""

    def frame(self, everything: Sequence[Written], information: Mapping[str, Any]) -> tuple[str, str]:
        """What stands before and after the sections; `shown` is empty here."""


def write_zip(
    sink: BinaryIO,
    *,
    parts: Iterable[Part],
    page: Page,
    information: Mapping[str, Any],
    made_at: datetime,
    heartbeat: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, int]]:
    """Write the package and answer {store: {collection: rows}}. The same input gives the same content in the same order.

    An error in the middle leaves a ZIP without its directory, which nothing opens; the caller throws it away.
    """
    package = _Package(page, information, heartbeat)
    moment = made_at.replace(microsecond=0)
    with ExitStack() as stack:
        stack.enter_context(_spared_by_the_collector())
        package.html = stack.enter_context(Spool())
        files = stack.enter_context(closing(package.files(parts)))
        members = ((name, moment, _MODE, ZIP_64, content) for name, content in files)
        for chunk in stream_zip(members, get_compressobj=_fast):  # noqa: FURB122 - `write` is all that is asked of a sink
            sink.write(chunk)
    return package.contents()


@contextmanager
def _spared_by_the_collector() -> Iterator[None]:
    """Rows are tuples by the hundred thousand, none part of a cycle; every so many of them Python would search all that the
    process holds for cycles, which takes as long as the work itself.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _fast() -> Any:
    # Rows shrink to a tenth at level 1; level 9 takes ten times as long for a few percent.
    return zlib.compressobj(level=1, wbits=-zlib.MAX_WBITS)


class _Package:
    """The state of one package while it is written."""

    def __init__(self, page: Page, information: Mapping[str, Any], heartbeat: Callable[[], None]) -> None:
        self.page, self.information, self.heartbeat = page, information, heartbeat
        self.names = FileNames()
        self.html: Spool
        self.written: list[Written] = []

    def files(self, parts: Iterable[Part]) -> Generator[tuple[str, Iterator[bytes]]]:
        """Name and content of every file. stream_zip exhausts each content before it asks for the next file."""
        for part in parts:
            stem = f"data/{self.names.store(part.store)}/{self.names.collection(part.store, part.collection)}"
            written = Written(part, 0, [], f"{stem}.json", f"{stem}.csv")
            with Spool() as csv:
                yield written.json_file, self._json(written, csv)
                yield written.csv_file, csv.read()
        yield "information.json", iter([_document(self.information)])
        yield "index.html", self._index()
        contents = json.dumps([*map(_contents_of, self.written)], ensure_ascii=False)
        yield "contents.json", iter([contents.encode("utf-8", "replace")])

    def _json(self, written: Written, csv: Spool) -> Iterator[bytes]:
        encoder = RowEncoder([column.name for column in written.part.columns])
        csv.write(encoder.heading())
        rows, before = 0, b"[\n"
        shown: list[list[str]] = []
        history = _history(written.part)
        for batch, objects, lines in encoded(written.part.batches(), encoder):
            self.heartbeat()
            shown += [[self.page.cell(value) for value in row] for row in batch[: SHOWN_ROWS - len(shown)]]
            rows += len(batch)
            history.count(batch)
            csv.write(lines)
            yield before
            yield objects
            before = b",\n"
        yield b"\n]\n" if rows else b"[]\n"
        self._finish(replace(written, history=history.periods(), dated=history.column), rows, shown)

    def _finish(self, written: Written, rows: int, shown: list[list[str]]) -> None:
        number = len(self.written) + 1
        self.html.write(self.page.section(replace(written, rows=rows, shown=shown), number).encode("utf-8", "replace"))
        self.written.append(replace(written, rows=rows))

    def _index(self) -> Iterator[bytes]:
        before, after = self.page.frame(self.written, self.information)
        yield before.encode("utf-8", "replace")
        yield from self.html.read()
        yield after.encode("utf-8", "replace")

    def contents(self) -> dict[str, dict[str, int]]:
        counts: dict[str, dict[str, int]] = {}
        for written in self.written:
            store = counts.setdefault(written.part.store, {})
            store[written.part.collection] = store.get(written.part.collection, 0) + written.rows
        return counts


def encoded(
    batches: Iterable[Sequence[Sequence[Any]]], encoder: RowEncoder
) -> Iterator[tuple[Sequence[Sequence[Any]], bytes, bytes]]:
    """The rows, some at a time, each time with their JSON and their CSV."""
    try:
        for batch in batches:
            for some in _small(batch):
                objects, lines = encoder.batch(some)
                yield some, objects, lines
    finally:
        if close := getattr(batches, "close", None):
            close()  # a generator over a cursor closes the cursor now, not when it is collected


def _small(batch: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    """The batch, in halves where it is much larger than the store foresaw: encoding takes several times a batch's size."""
    if len(batch) > 1 and weight(batch) > _BATCH_BYTES:
        yield from _small(batch[: len(batch) // 2])
        yield from _small(batch[len(batch) // 2 :])
    elif batch:
        yield batch


def _history(part: Part) -> History:
    births = [column.name for column in part.columns if any(within(category, BIRTH) for category in column.categories)]
    return History([column.name for column in part.columns], preferred=part.dated, never=births)


def _contents_of(written: Written) -> dict[str, Any]:
    part = written.part
    return {
        "store": part.store,
        "store_name": part.store_name,
        "collection": part.collection,
        "label": dict(part.label),
        "purpose": part.purpose,
        "rows": written.rows,
        "withheld": part.withheld,
        "others": part.others,
        "left_out": list(part.left_out),
        "json": written.json_file,
        "csv": written.csv_file,
        "dated": written.dated,
        "history": [list(period) for period in written.history],
        "columns": [
            {
                "name": column.name,
                "label": dict(column.label),
                "explanation": dict(column.explanation),
                "categories": list(column.categories),
            }
            for column in part.columns
        ],
    }


def _document(value: Any) -> bytes:
    """To be read by people, too: laid out, which takes Python's encoder ten times as long."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace") + b"\n"


class FileNames:
    """Safe file names for stores and collections: ASCII, no path, no two alike even where case does not count."""

    def __init__(self) -> None:
        self._stores: dict[str, str] = {}
        self._taken: dict[str, set[str]] = {}

    def store(self, key: str) -> str:
        if key not in self._stores:
            self._stores[key] = self._free("", key)
        return self._stores[key]

    def collection(self, store: str, name: str) -> str:
        return self._free(self.store(store) + "/", name)

    def _free(self, folder: str, name: str) -> str:
        safe, taken, number = _safe(name), self._taken.setdefault(folder, set()), 1
        candidate = safe
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{safe}-{number}"
        taken.add(candidate.casefold())
        return candidate


def _safe(name: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", ascii_only).strip("._-")[:60].rstrip(".") or "collection"
    return f"{safe}_" if _RESERVED.fullmatch(safe) else safe
