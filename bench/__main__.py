"""`make bench`: JSON lines on standard output, a table on standard error."""

from __future__ import annotations

import argparse
import json
import os
import sys
from itertools import chain

os.environ["INSYN_INSTANCE"] = "bench"  # servers of its own: neither the demo's data nor the tests' are touched

from bench import erasing, residue, shop
from config import embedded


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--heavy", type=int, default=20_000, help="log-ins of the one heavy customer")
    parser.add_argument("--sizes", default="1,10,100,1000", help="people erased at once")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--text", type=int, default=300, help="megabytes of text to look for 1,000 people in")
    options = parser.parse_args()
    sizes = tuple(int(size) for size in options.sizes.split(","))
    if 2 * (options.repeats + 1) * sum(sizes) > options.customers:
        parser.error("too few customers for these sizes and repeats")
    embedded.ensure_running()
    print(f"{'':40}{'ours':>10}{'plain':>10}{'ratio':>8}", file=sys.stderr)
    erased = erasing.measure(shop.fill(options.customers, options.heavy), sizes, options.repeats)
    for row in chain(erased, residue.measure(options.text, options.repeats)):
        print(json.dumps(row), flush=True)
        print(f"{row['bench']:40}{row['ours_s']:>9}s{row['plain_s']:>9}s{row['ratio']:>7}×", file=sys.stderr)


if __name__ == "__main__":
    main()
