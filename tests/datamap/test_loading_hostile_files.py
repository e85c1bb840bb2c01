"""A dataset file that is broken, or meant to break something, is refused with a sentence and never with a crash."""

from datetime import date

import pytest

from privacy.datamap.loader import MAX_BYTES, parse
from privacy.datamap.model import DataMapError
from privacy.datamap.periods import Period, until

FIELDS = "\n  collections:\n  - name: c\n    fields:\n    - {name: id}\n"


def under_privacy(text: str) -> str:
    return f"dataset:\n- fides_key: a\n  meta: {{privacy: {text}}}{FIELDS}"


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [1, 1]\ndataset: [*a, *a]",
        "dataset: " + "[" * 3000 + "]" * 3000,
        "dataset:\n- !!python/object/apply:os.system ['true']\n",
        "dataset:\n- fides_key: 2024-13-45\n  collections: []\n",
        "dataset:\n- fides_key: a\n  description: " + "9" * 5000 + "\n  collections: []\n",
        "dataset:\n- fides_key: a\x00\n  collections: []\n",
        "#" * (MAX_BYTES + 1),
        under_privacy("{collections: {c: {purpose: [1]}}}"),
        under_privacy("{collections: {c: {keep: [{basis: x, from: id, for: P1Y, with: [[1]]}]}}}"),
        under_privacy("{purposes: [{key: [1], basis: 6-1-b}]}"),
        under_privacy("{collections: {c: {retention: {from: id, for: P99999999999999Y}}}}"),
        under_privacy("{collections: {c: {retention: {from: id, for: P5000Y}}}}"),
    ],
)
def test_it_is_refused_with_the_file_s_name(text: str) -> None:
    with pytest.raises(DataMapError) as refused:
        parse(text, file="shop.yml")
    assert all(problem.startswith("shop.yml") for problem in refused.value.problems)


@pytest.mark.parametrize("align", ["none", "calendar_year", "fiscal_year"])
def test_a_row_that_starts_at_the_end_of_the_calendar_stops_no_run(align: str) -> None:
    assert until(date(9999, 12, 31), Period(years=7), align) == date.max
