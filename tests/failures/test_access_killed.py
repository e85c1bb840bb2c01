"""A package whose worker dies while it is located, half written, or written and not handed over: one package, whole, once."""

import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from requests_app.delivering import delivery
from requests_app.models import Package, RunState, State, StoreRun
from tests.failures.worlds import PLANNED, approved, ask, assert_ended_once, count_of, letters_to, run, state, stop

LOCATING = {
    "claimed": ("before", "privacy.actions:find"),
    "found, not written": ("before", "requests_app.running.locating:_write"),
    "written": ("after", "requests_app.running.locating:_write"),
}
BUILDING = {
    "claimed": ("before", "requests_app.running.workers:begin", 1),
    "no file yet": ("before", "requests_app.delivering.package_files:sealed", 1),
    "half written": ("after", "requests_app.delivering.package_files:Sink.write", 3),
    "written, nobody knows its key": ("after", "requests_app.delivering.package_files:_sync", 1),
    "handed over, not committed": ("before", "requests_app.case.notices:announce", 1),
    "handed over, the outcome not written": ("before", "requests_app.running.workers:write_outcomes", 1),
    "outcome written, the case not closed": ("before", "requests_app.running.outcomes:settle", 1),
    "committed, before the bell rings again": ("after", "requests_app.running.workers:write_outcomes", 1),
}


@pytest.mark.parametrize("boundary", LOCATING)
def test_located_once(shop, workers, boundary):
    shop.load()
    request = ask("access")
    victim = workers.start(stop(*LOCATING[boundary]))
    workers.ring("locate")
    victim.has_died()
    workers.start()

    def located():
        return set(StoreRun.objects.values_list("state", flat=True)) == {RunState.READY}

    workers.until(located, "the search")
    counted = {key: {name: counts["rows"] for name, counts in run(request, key).finding.items()} for key in PLANNED}
    assert counted == PLANNED
    assert count_of("data.located", request) == 1
    assert state(request) == State.TRIAGE


@pytest.mark.parametrize("boundary", BUILDING)
def test_one_package(shop, workers, settings, boundary):
    shop.load()
    request = approved("access")
    moment, place, call = BUILDING[boundary]
    victim = workers.start(stop(moment, place, call=call))
    workers.ring("build_package")
    victim.has_died()
    workers.start()
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    workers.until(lambda: letters_to("sven@example.se", about="answered"), "the letter")
    assert_ended_once(request)
    assert count_of("package.built", request) == 1

    content, _name, size = delivery.stream_package(request=request, customer=request.customer, now=timezone.now())
    plain = b"".join(content)
    assert len(plain) == size
    with zipfile.ZipFile(io.BytesIO(plain)) as package:
        assert package.testzip() is None
        assert "data/shop/customer.json" in package.namelist()
        assert b"sven@example.se" in package.read("data/shop/customer.json")
    delivery.expire_packages(now=timezone.now() + timedelta(days=1, hours=1))
    assert [path.name for path in Path(settings.INSYN_PACKAGE_DIR).iterdir()] == [Package.objects.get().file_name]
