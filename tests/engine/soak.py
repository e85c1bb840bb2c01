"""`make soak`: many more made-up worlds than a test run has time for, and erasures killed at random moments.

CASES=100000 KILLS=1000 SEED=… in the environment. Every line says what was seen; a failure names the seed that repeats it. Ends
with 1 when anything failed.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import secrets
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

from hypothesis import given
from hypothesis import seed as seeded
from hypothesis import strategies as st

from config import embedded
from privacy.engine.erasure.report import Report
from privacy.stores.base import StoreUnavailable
from tests.engine.places import TODAY, Identities, Jobs, Place, home
from tests.engine.properties import NOTHING, PROPERTIES, Counted, attempt, compare, examples, persons, shape
from tests.engine.reference import Locator, decide, erased
from tests.engine.worlds import World, worlds

CHUNK = 100  # worlds of one seed
CHILD = "insyn-soak-child"


@contextmanager
def database() -> Iterator[str]:
    name = f"soak_{os.getpid()}_{secrets.token_hex(4)}"
    embedded.ensure_running()
    url = embedded.create_database(name)
    # The clients are killed, never the server: what it has said is written may reach the disk when it suits.
    home(url).connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    home(url).connection.close()
    home.cache_clear()
    try:
        yield url
    finally:
        home(url).connection.close()
        home(url).pool.dispose()
        embedded.drop_database(name)


def try_worlds(url: str, cases: int, first: int) -> tuple[Counted, int]:
    counted, failed = Counter[str](), 0
    names = [name for name in PROPERTIES if name != "only_made"]
    for number in range(-(-cases // CHUNK)):
        name, seed = names[number % len(names)], first + number
        try:
            counted += attempt(name, url=url, seed=seed, count=CHUNK)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is counted and the soak goes on)
            failed += 1
            print(f"FAILED {name}: repeat with CASES={CHUNK} PROPERTY={name} SEED={seed}: {type(error).__name__}")
            traceback.print_exc(limit=-3)
    return counted, failed


def kill_erasures(url: str, kills: int, first: int) -> tuple[Counted, int]:
    """Each erasure is begun by a child process that is killed, and ended by this one."""
    seen, failed, seed = Counter[str](), 0, first
    while seen["killed"] < kills and failed < 20:
        seed += 1
        for number, (world, people) in enumerate(_made(seed)):
            if seen["killed"] >= kills:
                break
            try:
                seen[kill_one(url, world, people, random.Random(f"{seed} {number}"))] += 1
            except Exception as error:  # noqa: BLE001 (whatever it is, it is counted and the soak goes on)
                failed += 1
                print(f"FAILED a kill: repeat with CASES=0 KILLS={kills} SEED={seed - 1}: {type(error).__name__}")
                traceback.print_exc(limit=-3)
            seen["killed"] = seen["killed before the commit"] + seen["killed after the commit"]
    return seen, failed


def _made(seed: int) -> list[tuple[World, list[Identities]]]:
    made: list[tuple[World, list[Identities]]] = []

    def keep(case: tuple[World, list[Identities]]) -> None:
        made.append(case)

    drawn = given(st.tuples(worlds(), st.lists(persons(), min_size=1, max_size=1)))(keep)
    seeded(seed)(examples(20, derandomize=False)(drawn))()
    return made


def kill_one(url: str, world: World, people: list[Identities], chance: random.Random) -> str:
    with Place(url, world) as place:
        before = place.content()
        jobs = place.jobs(people, {})
        child = multiprocessing.get_context("fork").Process(target=_erase, args=(place, jobs))
        child.start()
        child.join(chance.uniform(0, 0.15))
        assert child.pid
        if child.exitcode is None:
            os.kill(child.pid, signal.SIGKILL)
        child.join()
        _wait_until_gone(place)
        between = place.content()
        outcome = "ended before the kill" if child.exitcode == 0 else "killed before the commit"
        if child.exitcode != 0 and shape(before, between) != shape(before, before):
            outcome = "killed after the commit"
        (report,) = _resumed(place, jobs)
        found = Locator(world, people[0]).locate()
        verdict = decide(world, found, {}, TODAY)
        after = place.content()
        compare(before, after, erased(world, people[0], found, verdict))
        for name, counts in report.collections.items() if not report.blocked else ():
            if world.tables[name].history_of:
                continue
            left = sum(row in after for row in found.roles if row[0] == name)
            gone = sum(row not in after for row in found.roles if row[0] == name)
            assert counts["rows"] == left + gone
            told = counts["deleted"] + counts.get("erased_earlier", NOTHING["deleted"])
            kept = sum(entry["rows"] for entry in counts["kept"])
            assert gone <= told <= gone + counts["anonymized"] + kept + left
            assert outcome != "killed before the commit" or "erased_earlier" not in counts
        return outcome


def _erase(place: Place, jobs: list[Jobs]) -> None:
    """In the child: connections of its own, under a name by which they are known."""
    place.home.url += f"&application_name={CHILD}"
    place.erase(jobs, place.home.stores(place.stores, pooled=False))
    os._exit(0)


def _wait_until_gone(place: Place) -> None:
    """A server process may still carry out the last statement of a client that is dead."""
    end = time.monotonic() + 60
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()"
    while (row := place.connection.execute(sql, (CHILD,)).fetchone()) and row[0]:
        assert time.monotonic() < end, "the killed child's connection stays"
        time.sleep(0.005)


def _resumed(place: Place, jobs: list[Jobs]) -> list[Report]:
    for _ in range(20):
        try:
            return list(place.erase(jobs))
        except StoreUnavailable:
            time.sleep(0.05)
    raise AssertionError("the store stays busy")


def main() -> int:
    cases, kills = int(os.environ.get("CASES", "100000")), int(os.environ.get("KILLS", "1000"))
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**6) * 10**4)
    if (only := os.environ.get("PROPERTY")) is not None:
        for name in set(PROPERTIES) - {only}:
            del PROPERTIES[name]
    print(f"soak: {cases} cases, {kills} kills, SEED={seed}", flush=True)
    started = time.monotonic()
    with database() as url:
        counted, failed = try_worlds(url, cases, seed)
        print(f"cases: {counted.pop('cases', 0)}, failed: {failed}, after {time.monotonic() - started:.0f} s")
        for kind, count in sorted(counted.items()):
            print(f"  {kind}: {count}")
        seen, unfinished = kill_erasures(url, kills, seed)
        for outcome, count in sorted(seen.items()):
            print(f"  {outcome}: {count}")
        print(f"kills that went wrong: {unfinished}, after {time.monotonic() - started:.0f} s")
    return 1 if failed or unfinished else 0


if __name__ == "__main__":
    sys.exit(main())
