"""Corrections, restrictions, their lifting and objections, whose worker dies at every boundary: made once, answered truly."""

import pytest
from django.utils import timezone

from privacy.models import Restriction, Suppression
from requests_app import cases
from requests_app.models import Outcome, State
from requests_app.running import outbox
from tests.factories import make_staff
from tests.failures.worlds import approved, ask, assert_ended_once, letters_to, run, state, stop

CLAIMED = ("before", "requests_app.running.workers:begin")
NOT_COMMITTED = ("before", "requests_app.running.workers:remember_restrictions")
REMEMBERED = ("after", "requests_app.running.workers:remember_restrictions")
COMMITTED = ("before", "privacy.executing:_after")
NOT_WRITTEN = ("before", "requests_app.running.workers:write_outcomes")
NOT_CLOSED = ("before", "requests_app.running.outcomes:settle")
SVEN, LISA = "K1", "K2"


def customer(shop, number):
    return shop.rows(of=number)["shop.customer"][0]


def die_and_be_replaced(workers, boundary):
    victim = workers.start(stop(*boundary))
    workers.ring("run_batch")
    victim.has_died()
    workers.start()


@pytest.mark.parametrize("boundary", [CLAIMED, NOT_COMMITTED, COMMITTED, NOT_CLOSED])
def test_a_correction(shop, workers, boundary):
    shop.load()
    request = approved("rectification")
    others = shop.rows(of=LISA)
    die_and_be_replaced(workers, boundary)
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert customer(shop, SVEN)[3] == "Malmö"
    assert shop.rows(of=LISA) == others
    counts = run(request).report["collections"]["customer"]
    done_before = boundary in (COMMITTED, NOT_CLOSED)
    assert (counts["rows"], counts["changed"], counts["already"]) == (1, 1 - done_before, done_before)
    request.refresh_from_db()
    assert ("1 record held the right value already" if done_before else "1 record corrected") in request.answer
    assert_ended_once(request, runs=["shop"])
    workers.until(lambda: letters_to("sven@example.se", about="answered"), "the letter")


@pytest.mark.parametrize("boundary", [CLAIMED, NOT_COMMITTED, REMEMBERED, COMMITTED, NOT_WRITTEN, NOT_CLOSED])
def test_a_restriction_and_its_memory(shop, workers, boundary):
    """What was there is remembered by the first worker, and what the next one finds does not take its place."""
    shop.load()
    request = approved("restriction")
    others = shop.rows(of=LISA)
    die_and_be_replaced(workers, boundary)
    workers.until(lambda: state(request) == State.RESTRICTED, "the restriction")
    assert (customer(shop, SVEN)[4], shop.rows(of=LISA)) == (True, others)
    assert run(request).attempt == 3  # located, begun by the one that died, done by the next
    kept = Restriction.objects.get(case=request.reference, store__key="shop")
    assert kept.state["customer"]["rows"] == [[["K1"], {"suspended": False}]]
    assert_ended_once(request, closing="restrict")


@pytest.mark.parametrize("boundary", [CLAIMED, NOT_COMMITTED, COMMITTED, NOT_CLOSED])
def test_a_lifting(shop, workers, boundary):
    shop.load()
    request = approved("restriction")
    started = workers.start()
    workers.until(lambda: state(request) == State.RESTRICTED, "the restriction")
    started.kill()
    approver = make_staff("approver")
    cases.tell_before_lifting(request=request, acting_user=approver, now=timezone.now())
    outbox.deliver_due()
    cases.lift_restriction(request=request, acting_user=approver, now=timezone.now())
    others = shop.rows(of=LISA)
    die_and_be_replaced(workers, boundary)
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    request.refresh_from_db()
    assert request.outcome == Outcome.LIFTED
    assert (customer(shop, SVEN)[4], shop.rows(of=LISA)) == (False, others)
    assert not Restriction.objects.exclude(state=None, lifted_at__isnull=False).exists()


@pytest.mark.parametrize("boundary", [COMMITTED, NOT_WRITTEN])
def test_an_objection(shop, workers, boundary):
    shop.load()
    request = ask("objection", level=1)
    victim = workers.start(stop(*boundary))
    workers.ring("locate")
    victim.has_died()
    workers.start()
    workers.until(lambda: state(request) == State.COMPLETED, "the completion")
    assert (customer(shop, SVEN)[5], customer(shop, LISA)[5]) == (False, True)
    assert Suppression.objects.count() == 1
    assert_ended_once(request)
