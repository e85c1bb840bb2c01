"""The tables of a package, read for the browser from the encrypted file: a page of rows at a time, or what a search finds.

Nothing is unpacked anywhere: a table's JSON has one row per line and is decrypted, inflated and looked through as a stream. So a
look costs one chunk and one page of memory, and time that `SECONDS` ends; where a table is longer than that, the answer says how
far it came, and the next look can go on from there.
"""

from __future__ import annotations

import io
import itertools
import json
import re
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from privacy import vocabulary
from privacy.datamap.categories import policy_category
from privacy.engine.package.export import Column
from privacy.package_page import HtmlPage, in_reading_order
from requests_app.delivering import package_parts
from requests_app.delivering.package_files import Spoilt
from requests_app.delivering.package_reading import open_package
from requests_app.models import Package

CONTENTS = "contents.json"
LONGEST_CONTENTS = 8 * 1024 * 1024
PAGE_ROWS = 50
SECONDS = 2.0
LONGEST_ROW = 1024 * 1024  # a longer one is in the files
LOOKED_AT_A_TIME = 500  # rows between two looks at the clock
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


class NothingToRead(Exception):
    """The package was made before packages could be read in the browser."""


@dataclass(frozen=True)
class Table:
    """One collection of one store, as `contents.json` of the package tells of it, in one language."""

    number: int
    store: str
    label: str
    purpose: str
    rows: int
    withheld: int
    others: int
    left_out: tuple[str, ...]  # what staff left out, and why
    place: tuple[str, str]  # the keys of store and collection
    columns: tuple[Column, ...]
    headings: tuple[str, ...]
    meanings: tuple[tuple[str, str, str], ...]  # heading, explanation, name in the files
    kinds: tuple[str, ...]  # of data: identification, contact, history …
    dated: str
    history: tuple[tuple[str, int], ...]
    json_file: str


@dataclass(frozen=True)
class Slice:
    """Rows of a table with their numbers (the first is 1). `passed` rows were looked at in all, those before `start` included."""

    rows: tuple[tuple[int, tuple[str, ...] | None], ...]  # None: too long to be shown here
    passed: int
    complete: bool  # whether all that was asked for was looked at


class Tables:
    """The tables of one open package."""

    def __init__(self, archive: zipfile.ZipFile, language: str) -> None:
        self._archive, self._page, self.language = archive, HtmlPage(language=language), language
        self.all = [self._table(number, part) for number, part in enumerate(self._contents(), 1)]

    def _contents(self) -> list[dict[str, Any]]:
        try:
            info = self._archive.getinfo(CONTENTS)
        except KeyError:
            raise NothingToRead from None
        if info.file_size > LONGEST_CONTENTS:
            raise NothingToRead
        found: list[dict[str, Any]] = json.loads(self._archive.read(info))
        return found

    def _table(self, number: int, part: Mapping[str, Any]) -> Table:
        columns = tuple(
            Column(item["name"], item["label"], tuple(item["categories"]), item["explanation"]) for item in part["columns"]
        )
        columns = tuple(columns[place] for place in in_reading_order(columns))
        dated = next((column for column in columns if column.name == part["dated"]), None)
        return Table(
            number=number,
            store=part["store_name"] or vocabulary.readable(part["store"]),
            label=vocabulary.chosen(part["label"], self.language, vocabulary.readable(part["collection"])),
            purpose=part["purpose"],
            rows=part["rows"],
            withheld=part["withheld"],
            others=part["others"],
            left_out=tuple(part.get("left_out", ())),  # packages of before have none
            place=(part["store"], part["collection"]),
            columns=columns,
            headings=tuple(self._heading(column) for column in columns),
            meanings=tuple(
                (self._heading(column), vocabulary.chosen(dict(column.explanation), self.language, ""), column.name)
                for column in columns
            ),
            kinds=tuple(dict.fromkeys(policy_category(column.categories) for column in columns if column.categories)),
            dated=self._heading(dated) if dated else "",
            history=tuple((period, rows) for period, rows in part["history"]),
            json_file=part["json"],
        )

    def _heading(self, column: Column) -> str:
        return vocabulary.chosen(dict(column.label), self.language, vocabulary.readable(column.name))

    def rows(self, table: Table, *, start: int = 0, limit: int = PAGE_ROWS, clock: Callable[[], float] = time.monotonic) -> Slice:
        """`limit` rows after the first `start`."""
        return self._look(table, start, limit, (), "", clock)

    def plain_rows(self, table: Table, count: int) -> list[list[Any] | None]:
        """The first rows as the package's JSON holds them, in the order of the columns; None where one is too long."""
        with self._archive.open(table.json_file) as member:
            return [None if line is None else _values(table, line) for line in itertools.islice(_lines(member), count)]

    def search(
        self, table: Table, words: str, *, start: int = 0, limit: int = PAGE_ROWS, clock: Callable[[], float] = time.monotonic
    ) -> Slice:
        """The first `limit` rows after `start` that have all these words somewhere, whatever their case."""
        sought = tuple(words.casefold().split())
        return self._look(table, start, limit, sought, self._as_it_lies(sought), clock)

    def _as_it_lies(self, words: Sequence[str]) -> str:
        """One of the words that a row which has it shows already in its bytes: ten times as many rows are looked through so.

        A word without a letter may be part of a date, which is shown otherwise than it is written, as are yes and no.
        """
        shown = {self._page.cell(value).casefold() for value in (True, False)}
        return next(
            (
                word
                for word in words
                if any(map(str.isalpha, word))
                and word.isprintable()
                and not {'"', "\\"} & set(word)
                and not any(word in one for one in shown)
            ),
            "",
        )

    def _look(self, table: Table, start: int, limit: int, words: Sequence[str], sign: str, clock: Callable[[], float]) -> Slice:
        end, passed = clock() + SECONDS, 0
        found: list[tuple[int, tuple[str, ...] | None]] = []
        with self._archive.open(table.json_file) as member:
            for line in _lines(member):
                if passed % LOOKED_AT_A_TIME == 0 and clock() > end:
                    return Slice(tuple(found), passed, complete=False)
                passed += 1
                if passed <= start or (sign and (line is None or sign not in line.decode().casefold())):
                    continue
                values = None if line is None else _values(table, line)
                row = None if values is None else tuple(map(self._cell, values))
                if not words or (values is not None and row is not None and _have(values, row, words)):
                    found.append((passed, row))
                    if len(found) == limit:
                        break
        return Slice(tuple(found), passed, complete=True)

    def _cell(self, value: Any) -> str:
        if isinstance(value, str) and MOMENT.match(value):
            with suppress(ValueError):
                value = datetime.fromisoformat(value)
        return self._page.cell(value)


@contextmanager
def open_tables(package: Package, *, language: str) -> Iterator[Tables]:
    """Raises NothingToRead, and Spoilt where the file is not what was written, which may also be found while reading."""
    try:
        with open_package(package.file_name, package.key or "") as reader, zipfile.ZipFile(reader) as archive:
            yield Tables(archive, language)
    except zipfile.BadZipFile as error:
        raise Spoilt(str(error)) from None


def _lines(member: zipfile.ZipExtFile | Any) -> Iterator[bytes | None]:
    """The rows of a table's JSON as it lies in the package, one object a line; None for one that is too long to be held."""
    file = io.BufferedReader(member, package_parts.CHUNK)
    while line := file.readline(LONGEST_ROW):
        whole = line.endswith(b"\n")
        while not line.endswith(b"\n") and (line := file.readline(LONGEST_ROW)):
            pass
        if not whole:
            yield None
        elif line.startswith(b"{"):
            yield line.rstrip(b",\r\n")


def _values(table: Table, line: bytes) -> list[Any]:
    row = json.loads(line)
    return [row[column.name] for column in table.columns]


def _have(values: Sequence[Any], row: Sequence[str], words: Sequence[str]) -> bool:
    """Whether all words stand in what is shown, or in texts of which only the beginning is shown."""
    text = "\x1f".join((*row, *(value for value in values if isinstance(value, str)))).casefold()
    return all(word in text for word in words)
