"""`make bench`: JSON lines on standard output, a table on standard error.

Where there is a plain alternative it is measured in the same run: warm, in turn, medians, fsync on. What else the machine does
touches both, so read the ratios. Data: ../shared/bench/shop.sql, made anew on servers of the bench's own. With make: BENCH_ARGS=…
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator

os.environ["INSYN_INSTANCE"] = "bench"  # servers of its own: neither the demo's data nor the tests' are touched

from bench import access, desk, erasing, pages, product, residue, road, scale, shop
from bench.measured import Row
from config import embedded

BENCHES = {
    "engine": "erase 1, 10, 100, 1,000 people by the engine",
    "road": "erase 1,000 people and one person from request to done, with a worker",
    "access": "access of one and of 100 people, with a worker",
    "heavy": "access and erasure of the customer with very many rows",
    "residue": "the look for what erasures left, for 1,000 people",
    "pages": "each page of the portal against a plain page of the same frame",
    "answers": "asking for a code and entering one, for known and unknown addresses",
    "desk": "each page and filter of the staff desk at a thousand and at a million requests (minutes, and 5 GB of disk)",
    "scale": "a person's cost in a small and in a large store (takes minutes; not part of the default)",
}
TOLD = (
    "finding_s",
    "per_minute",
    "p95_s",
    "statements",
    "memory_mib",
    "megabytes_per_second",
    "deletes_ratio",
    "kilobytes",
    "p",
    "guess",
)
DEFAULT = "engine,road,access,heavy,residue,pages,answers,desk"


def main() -> None:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the worker is ended, as on ctrl-C
    embedded.ensure_running()
    print(f"{'':34}{'ours':>10}{'plain':>10}{'ratio':>8}  {'target':<28}", file=sys.stderr)
    for row in _rows(options):
        print(json.dumps(row, ensure_ascii=False), flush=True)
        plain, ratio = (f"{row['plain_s']}s", f"{row['ratio']}×") if "plain_s" in row else ("", "")
        told = f"{row['target']} {'met' if row['met'] else 'MISSED'}"
        rest = {name: value for name, value in row.items() if name in TOLD}
        line = f"{row['bench']:34}{row['ours_s']:>9}s{plain:>10}{ratio:>8}  {told:<36}"
        print(line, *(f"{name} {value}" for name, value in rest.items()), file=sys.stderr)


def _options() -> argparse.Namespace:
    described = "\n".join(f"  {name:10}{text}" for name, text in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=f"benches:\n{described}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default=DEFAULT, help=f"which benches, with commas between ({DEFAULT})")
    parser.add_argument("--customers", type=int, default=30_000, help="customers of the shop (%(default)s)")
    parser.add_argument("--heavy", default="200000", help="log-ins of the heavy customer; several with commas (%(default)s)")
    parser.add_argument("--sizes", default="1,10,100,1000", help="people erased at once (%(default)s)")
    parser.add_argument("--many", type=int, default=1000, help="people on the road at once (%(default)s)")
    parser.add_argument("--singles", type=int, default=20, help="people one after the other (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="of everything that has an alternative (%(default)s)")
    parser.add_argument("--road-repeats", type=int, default=1, help="of the road, where deciding takes a while (%(default)s)")
    parser.add_argument("--text", type=int, default=100, help="megabytes of text of `residue` (%(default)s)")
    parser.add_argument("--page-repeats", type=int, default=40, help="of each page (%(default)s)")
    parser.add_argument("--tries", type=int, default=1000, help="of each kind of address (%(default)s)")
    parser.add_argument("--desk", default="1000,1000000", help="requests of the two sizes of `desk` (%(default)s)")
    parser.add_argument("--scale", default="10000,100000", help="customers of the two stores of `scale` (%(default)s)")
    parser.add_argument("--plans", action="store_true", help="print the plans of the handwritten statements, and end")
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(BENCHES):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    options.heavy, options.sizes, options.scale, options.desk = (
        tuple(map(int, text.split(","))) for text in (options.heavy, options.sizes, options.scale, options.desk)
    )
    engine = (2 * (options.repeats + 1) + 1) * sum(options.sizes) * ("engine" in options.only)
    if engine + (2 * options.road_repeats + 1) * options.many + 1000 > options.customers:
        parser.error("too few --customers for these sizes and repeats: everybody is erased once")
    return options


def _rows(options: argparse.Namespace) -> Iterator[Row]:
    if options.plans:
        url = shop.fill(options.customers, 20)
        for size in options.sizes:
            print(*erasing.explain(url, range(1, size + 1)), sep="\n", file=sys.stderr)
        return
    people: Iterator[int] = itertools.count(1)
    if set(options.only) - {"scale", "residue", "desk"}:
        url = shop.fill(options.customers, options.heavy[0])
        product.make_ready(url)
    if "engine" in options.only:
        yield from erasing.measure(url, people, sizes=options.sizes, repeats=options.repeats)
    if "road" in options.only:
        yield from road.measure(url, people, many=options.many, repeats=options.road_repeats, singles=options.singles)
    if "access" in options.only:
        yield from access.measure_small(people, many=100, singles=options.singles)
    if "residue" in options.only:
        yield from residue.measure(options.text, options.repeats)
    yield from _portal(options)
    for rows in options.heavy if "heavy" in options.only else ():
        if rows != options.heavy[0]:
            url = shop.fill(options.customers, rows)
            product.make_ready(url)
        yield from access.measure_heavy(url, customer=options.customers + 1, rows=rows, repeats=options.repeats)
        yield from erasing.measure_heavy(url, customers=options.customers, rows=rows, repeats=options.repeats)
    if "desk" in options.only:
        logging.disable(logging.INFO)
        yield from desk.measure(small=options.desk[0], large=options.desk[1], repeats=options.page_repeats)
    if "scale" in options.only:
        yield from scale.measure(small=options.scale[0], large=options.scale[1], people=100, repeats=options.repeats)


def _portal(options: argparse.Namespace) -> Iterator[Row]:
    logging.disable(logging.INFO)  # a line per answered request would bury the table
    if "pages" in options.only:
        yield from pages.measure(options.page_repeats)
    if "answers" in options.only:
        yield from pages.measure_answers(options.tries)


if __name__ == "__main__":
    main()
