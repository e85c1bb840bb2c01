"""Which store an erasure empties before which: what supplies link values to others goes last (R19)."""

import pytest

from privacy.datamap.graph import Graph, Link
from privacy.datamap.model import Dataset


def graph(*links: str) -> Graph:
    """`a>b`: rows of a own rows of b, and the way is walked from a to b only; `a=b`: the same, walked both ways."""
    stores = sorted({store for link in links for store in (link[0], link[2])})
    made = (Link((link[2], "t"), ("of",), (link[0], "t"), ("id",), owns=True, refers=link[1] == "=") for link in links)
    return Graph({store: Dataset(key=store, name=store, collections={}) for store in stores}, {}, tuple(made), ())


@pytest.mark.parametrize(
    ("links", "emptied"),
    [
        (["a>b", "b>c"], "cba"),
        (["c>b", "b>a"], "abc"),
        (["a=b", "b=c"], "cba"),  # each leads into the other, but the owner supplies the keys
        (["c=b", "b=a"], "abc"),
        (["a>b", "b>c", "c>b"], "bca"),  # a leads into a circle and is no part of it
        (["x>a", "a=b", "b>z"], "zbax"),
    ],
)
def test_what_hangs_below_another_store_goes_before_it(links, emptied):
    assert "".join(reversed(graph(*links).suppliers_first)) == emptied


def test_in_a_chain_each_store_waits_for_those_right_below_it():
    assert graph("a=b", "b=c").erased_before == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_a_circle_of_owners_is_cut_somewhere():
    order = graph("a>b", "b>c", "c>a").suppliers_first
    assert sorted(order) == ["a", "b", "c"]
