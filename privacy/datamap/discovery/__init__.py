"""Reads a live schema and proposes a dataset file: keys, links, identities, categories, each with a confidence and a reason.

`classify` is also what tells drift and `datamap check` that an unmapped column looks personal.
"""

from privacy.datamap.discovery.classify import Guess, classify
from privacy.datamap.discovery.proposal import Column, Link, Proposal, Table, discover
from privacy.datamap.discovery.sampling import SAMPLE_ROWS, sample
from privacy.datamap.discovery.writing import to_json, to_yaml

__all__ = ["SAMPLE_ROWS", "Column", "Guess", "Link", "Proposal", "Table", "classify", "discover", "sample", "to_json", "to_yaml"]
