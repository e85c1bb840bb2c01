"""The package's files give back what the store held, whatever it held, and no spreadsheet runs it."""

import base64
import csv
import io
import json
import math
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.engine.package import export, spool
from privacy.engine.package.encode import LARGEST_EXACT, RowEncoder, duration, guard, plain, unguard
from privacy.engine.package.export import Column, FileNames, Part, Written, write_zip
from privacy.engine.package.spool import Spool

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)


class PlainPage:
    """A page that shows nothing but what it was given."""

    def cell(self, value: Any) -> str:
        return str(value)[:50]

    def section(self, written: Written, number: int) -> str:
        return f"[{number} {written.part.collection} {written.rows} {len(written.shown)}]"

    def frame(self, everything: Any, information: Any) -> tuple[str, str]:
        return f"({sum(written.rows for written in everything)}", ")"


def part(rows: Callable[[], Any], *names: str, store: str = "crm", collection: str = "customer", **more: Any) -> Part:
    def batches() -> Iterator[list[Any]]:
        left = rows()
        try:
            while batch := list(islice(left, 500)):
                yield batch
        finally:
            if close := getattr(left, "close", None):
                close()

    return Part(store, collection, tuple(Column(name) for name in names), batches, **more)


def package(*parts: Part, **more: Any) -> zipfile.ZipFile:
    sink = io.BytesIO()
    write_zip(sink, parts=parts, page=PlainPage(), information={"a": "ö"}, made_at=NOW, **more)
    return zipfile.ZipFile(sink)


def read_csv(raw: bytes) -> list[list[str]]:
    text = raw.decode()
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline="")))


# --- round trip -------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8"), max_size=30)
awkward = st.sampled_from(
    [
        "",
        "=1+1",
        "@SUM(A1)",
        "+46701",
        "-1",
        "'",
        "''=",
        "\t=x",
        "a\r\nb",
        '"',
        '""',
        "a,b",
        ";=1",
        "x;'",
        "\n-a",
        "＝1",
        "\x7f",
        "\x00",
    ]
)
zones = st.sampled_from([None, UTC, timezone(timedelta(hours=2)), timezone(-timedelta(minutes=90))])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals(allow_nan=False)
    | texts
    | awkward
    | st.datetimes(timezones=zones)
    | st.dates()
    | st.times()
    | st.uuids()
    | st.binary(max_size=20)
)
one_type = st.sampled_from(
    [texts | awkward, st.integers(), st.floats(), st.booleans(), st.datetimes(timezones=zones), st.binary(max_size=9)]
)


def as_json(value: Any) -> Any:
    """What a reader of the JSON file gets, by the rules that the module states."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST_EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def as_csv(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) and math.isfinite(value) else str(as_json(value))


@given(st.lists(st.tuples(scalars, scalars), min_size=1, max_size=8))
def test_mixed_columns_come_back(rows: list[tuple[Any, Any]]) -> None:
    check(rows)


@given(one_type.flatmap(lambda values: st.lists(st.tuples(values | st.none(), values), min_size=1, max_size=8)))
def test_columns_of_one_type_come_back(rows: list[tuple[Any, Any]]) -> None:
    check(rows)


def check(rows: list[tuple[Any, Any]]) -> None:
    encoder = RowEncoder(["a%s", 'b"ö'])
    objects, lines = encoder.batch(rows)
    assert json.loads(b"[" + objects + b"]") == [{"a%s": as_json(a), 'b"ö': as_json(b)} for a, b in rows]
    found = read_csv(encoder.heading() + lines)
    assert found[0] == ["a%s", 'b"ö']
    assert [[unguard(cell) for cell in row] for row in found[1:]] == [[as_csv(a), as_csv(b)] for a, b in rows]


@given(texts | awkward | st.text("=+-@'\t\r\n;x＝", max_size=8))
def test_no_text_is_a_formula_and_every_text_comes_back(text: str) -> None:
    guarded = guard(text)
    assert unguard(guarded) == text
    for piece in re.split(r"[;\t\r\n]", guarded):
        assert not piece.startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
    assert not guarded.startswith(("\t", "\r", "\n"))


def test_an_empty_text_is_told_from_no_value_and_numbers_are_not_quoted() -> None:
    lines = RowEncoder(["a", "b", "c"]).batch([("", None, -5), ("x", None, Decimal("-12.50"))])[1]
    assert lines == b'"",,-5\r\n"x",,-12.50\r\n'


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+3"), "1E+3"),
        (LARGEST_EXACT, LARGEST_EXACT),
        (LARGEST_EXACT + 1, "9007199254740992"),
        (-(2**64), "-18446744073709551616"),
        (float("nan"), "NaN"),
        (1e22, 1e22),
        (b"\xff\x00", "/wA="),
        (memoryview(b"ab"), "YWI="),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (timedelta(days=-1, seconds=1.5), "-P0DT86398.5S"),
        ({"a": [1, float("inf"), 2**60, Decimal("1.0")]}, {"a": [1, "Infinity", str(2**60), "1.0"]}),
        ({"a": {"b": (date(2026, 1, 2), None, b"a")}}, {"a": {"b": ["2026-01-02", None, "YQ=="]}}),
        ([[1, 2], ["å"]], [[1, 2], ["å"]]),
        ({"b", "a"}, ["a", "b"]),
        (time(8, 30), "08:30:00"),
    ],
)  # fmt: skip
def test_each_type_has_its_form(value: Any, expected: Any) -> None:
    objects, _lines = RowEncoder(["a"]).batch([(value,)])
    assert json.loads(objects) == {"a": expected}
    assert plain(value) == expected


def test_half_a_surrogate_pair_breaks_no_file() -> None:
    objects, lines = RowEncoder(["a"]).batch([("x\udc80y",)])
    assert json.loads(objects.decode()) == {"a": "x\udc80y"}
    assert lines.decode() == '"x?y"\r\n'


@given(st.timedeltas())
def test_a_duration_is_iso_8601(value: timedelta) -> None:
    sign, days, seconds = re.fullmatch(r"(-?)P(\d+)DT([\d.]+)S", duration(value)).groups()  # type: ignore[union-attr]
    back = timedelta(days=int(days)) + timedelta(microseconds=int(Decimal(seconds) * 1_000_000))
    assert (-back if sign else back) == value


def test_rows_without_columns_are_still_counted() -> None:
    objects, lines = RowEncoder([]).batch([(), ()])
    assert json.loads(b"[" + objects + b"]") == [{}, {}]
    assert lines == b"\r\n\r\n"


# --- the ZIP ----------------------------------------------------------------------------------------------------------


def test_the_zip_holds_the_files_of_the_design_in_a_fixed_order() -> None:
    with package(
        part(lambda: iter([(1, "Anna")]), "id", "name"),
        part(lambda: iter([]), "id", store="billing", collection="invoice"),
    ) as found:
        assert found.testzip() is None
        assert found.namelist() == [
            "data/crm/customer.json",
            "data/crm/customer.csv",
            "data/billing/invoice.json",
            "data/billing/invoice.csv",
            "information.json",
            "index.html",
            "contents.json",
        ]
        assert json.loads(found.read("data/crm/customer.json")) == [{"id": 1, "name": "Anna"}]
        assert found.read("data/crm/customer.csv") == '\ufeff"id","name"\r\n1,"Anna"\r\n'.encode()
        assert json.loads(found.read("data/billing/invoice.json")) == []
        assert found.read("data/billing/invoice.csv") == '\ufeff"id"\r\n'.encode()
        assert found.read("index.html") == b"(1[1 customer 1 1][2 invoice 0 0])"
        assert found.getinfo("index.html").external_attr >> 16 & 0o777 == 0o600


def test_the_same_input_gives_the_same_content() -> None:
    rows = [(number, "x" * (number % 700)) for number in range(5000)]
    first, second = io.BytesIO(), io.BytesIO()
    for sink in (first, second):
        write_zip(sink, parts=[part(lambda: iter(rows), "id", "text")], page=PlainPage(), information={}, made_at=NOW)
    assert first.getvalue() == second.getvalue()


def test_the_page_shows_the_first_thousand_rows_and_the_files_all() -> None:
    with package(part(lambda: ((number,) for number in range(2500)), "id")) as found:
        assert found.read("index.html") == b"(2500[1 customer 2500 1000])"
        assert len(json.loads(found.read("data/crm/customer.json"))) == 2500
    sink = io.BytesIO()
    counts = write_zip(sink, parts=[part(lambda: iter([(1,), (2,)]), "id")], page=PlainPage(), information={}, made_at=NOW)
    assert counts == {"crm": {"customer": 2}}


def test_rows_are_asked_for_once_and_their_cursor_is_closed() -> None:
    calls: list[str] = []

    def rows() -> Iterator[tuple[int]]:
        calls.append("open")
        try:
            yield from ((number,) for number in range(10))
        finally:
            calls.append("close")

    package(part(rows, "id"))
    assert calls == ["open", "close"]


def test_an_error_in_the_middle_leaves_no_zip_and_closes_the_cursor() -> None:
    closed = []

    def rows() -> Iterator[tuple[int]]:
        try:
            yield from ((number,) for number in range(5000))
            raise ConnectionError("gone")
        finally:
            closed.append(True)

    sink = io.BytesIO()
    with pytest.raises(ConnectionError):
        write_zip(sink, parts=[part(rows, "id")], page=PlainPage(), information={}, made_at=NOW)
    assert closed
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(sink)


def test_a_heartbeat_that_raises_stops_the_work() -> None:
    def lost() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        package(part(lambda: iter([(1,)]), "id"), heartbeat=lost)


def test_one_huge_text_is_whole_in_the_files() -> None:
    huge = "å\"'=<script>" * 400_000
    with package(part(lambda: iter([(1, "a"), (2, huge), (3, None)]), "id", "text")) as found:
        assert json.loads(found.read("data/crm/customer.json"))[1]["text"] == huge
        csv.field_size_limit(10_000_000)
        assert read_csv(found.read("data/crm/customer.csv"))[2][1] == huge


def test_memory_does_not_grow_with_the_rows() -> None:
    def rows(count: int) -> Iterator[tuple[int, int, datetime, str, str]]:
        for number in range(count):
            yield number, 4711, NOW + timedelta(minutes=number), f"192.0.2.{number % 256}", f"row {number} " + "x" * 60

    class Nowhere(io.RawIOBase):
        size = 0

        def write(self, data: Any) -> int:
            self.size += len(data)
            return len(data)

    def peak(count: int) -> tuple[int, int]:
        sink = Nowhere()
        tracemalloc.start()
        write_zip(
            sink,
            parts=[part(lambda: rows(count), "id", "customer", "at", "ip", "text")],
            page=PlainPage(),
            information={},
            made_at=NOW,
        )  # type: ignore[arg-type]
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top, sink.size

    small, _size = peak(20_000)
    large, size = peak(200_000)
    assert size > 1_000_000
    assert large < small + 2_000_000
    assert large < 25_000_000


def test_a_batch_much_larger_than_foreseen_is_encoded_in_parts() -> None:
    batches = [[(1,)] * 500, [("x" * 1_000_000,)] * 40, [], [(2,)] * 3]
    encoded = list(export.encoded(batches, RowEncoder(["a"])))
    assert [row for batch, _json, _csv in encoded for row in batch] == [row for batch in batches for row in batch]
    assert max(len(objects) for _batch, objects, _csv in encoded) <= export._BATCH_BYTES + 1000
    assert len(encoded[0][0]) == 500


# --- what waits on disk -----------------------------------------------------------------------------------------------


def test_nothing_readable_touches_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = []

    def file() -> Any:
        made.append(open(tmp_path / f"{len(made)}", "w+b"))  # noqa: SIM115
        return made[-1]

    monkeypatch.setattr(spool.tempfile, "TemporaryFile", file)
    secret = b"anna@example.com;"
    with Spool() as waiting:
        for _ in range(50_000):
            waiting.write(secret)
        raw = (tmp_path / "0").read_bytes()
        assert len(raw) > 500_000
        assert b"anna" not in raw
        assert b"".join(waiting.read()) == secret * 50_000
    assert all(handle.closed for handle in made)


def test_what_is_small_makes_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool.tempfile, "TemporaryFile", lambda: pytest.fail("a file was made"))
    with Spool() as waiting:
        waiting.write(b"a" * 1000)
        assert list(waiting.read()) == [b"a" * 1000]


# --- file names -------------------------------------------------------------------------------------------------------


def test_names_are_safe_and_unlike_one_another() -> None:
    names = FileNames()
    assert names.store("crm") == "crm"
    found = [
        names.collection("crm", name)
        for name in ("Order", "order", "order-2", "../../etc/passwd", "kund å/ö", "CON", "", "..", "x" * 300)
    ]
    assert found == ["Order", "order-2", "order-2-2", "etc_passwd", "kund_a_o", "CON_", "collection", "collection-2", "x" * 60]
    assert names.collection("other", "order") == "order"


@given(st.lists(st.text(max_size=20), unique=True, max_size=10))
def test_any_name_gives_a_file_name_that_every_system_takes(raw: list[str]) -> None:
    names = FileNames()
    found = [names.collection("crm", name) for name in raw]
    assert len({name.casefold() for name in found}) == len(raw)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) and not name.endswith(".") for name in found)
