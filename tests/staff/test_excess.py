"""Refusing as excessive, or charging, takes two people, evidence and a complete letter (Art. 12(4), 12(5))."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from privacy import audit
from requests_app import cases
from requests_app.case.excess import claim_excess, decide_excess
from requests_app.models import Excess, Message, State
from tests.staff.conftest import CANARY, fresh, make_case
from tests.staff.test_steps import offered, step_url, take

pytestmark = pytest.mark.django_db
REASON = "You asked the same on Monday, and nothing has changed since."
EVIDENCE = "Seven requests in eight days; none of the stores has changed."


@pytest.fixture
def case():
    return make_case()


def claim(desk, case, who="alice", answer="refuse", **more):
    return take(desk, who, case, "claim-excess", **{"answer": answer, "reason": REASON, "evidence": EVIDENCE} | more)


def decide(desk, case, who="bea", decision="accept"):
    return take(desk, who, case, "decide-excess", decision=decision)


def test_a_proposal_alone_changes_nothing_for_the_person(desk, case):
    claim(desk, case)
    assert fresh(case).state == State.TRIAGE
    assert not Message.objects.exists()
    assert fresh(case).excess.state == "proposed"


def test_another_agrees_and_the_letter_has_all_that_the_law_asks(desk, case):
    claim(desk, case)
    decide(desk, case)
    done = fresh(case)
    assert done.state == State.REFUSED
    for part in ("12(5)", REASON, "Integritetsskyddsmyndigheten", "court"):
        assert part in done.answer
    assert EVIDENCE not in done.answer


def test_the_letter_is_in_the_persons_language(desk):
    case = make_case(language="sv")
    claim(desk, case)
    decide(desk, case)
    assert "tingsrätt" in fresh(case).answer


def test_a_fee_is_told_with_reasons_authority_and_court_and_the_request_goes_on(desk, case):
    claim(desk, case, answer="charge", fee=350)
    decide(desk, case)
    assert fresh(case).state == State.TRIAGE
    (message,) = Message.objects.filter(request=case)
    assert message.is_question
    for part in ("350 kronor", REASON, "Integritetsskyddsmyndigheten", "court"):
        assert part in message.text


def test_who_does_not_agree_lets_the_request_go_on_and_it_can_be_proposed_anew(desk, case):
    claim(desk, case)
    decide(desk, case, decision="reject")
    assert fresh(case).state == State.TRIAGE
    assert "claim-excess" in offered(desk, "alice", case)
    claim(desk, case, answer="charge", fee=10)
    assert fresh(case).excess.state == "proposed"


def test_nobody_decides_on_their_own_proposal(desk, case):
    claim(desk, case, who="bea")
    assert "decide-excess" not in offered(desk, "bea", case)
    with pytest.raises(cases.NotAllowed):
        decide_excess(request=case, accept=True, acting_user=desk.person("bea"), now=timezone.now())
    assert "decide-excess" in offered(desk, "bo", case)
    assert "decide-excess" not in offered(desk, "alice", case)  # her role proposes only


def test_the_database_says_so_too(desk, case):
    claim(desk, case, who="bea")
    for wrong in (
        {"state": "accepted", "decided_by": desk.person("bea"), "decided_at": timezone.now()},
        {"state": "accepted"},
        {"answer": "charge", "fee": None},
        {"answer": "refuse", "fee": 5},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Excess.objects.filter(request=case).update(**wrong)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"evidence": ""}, "evidence"),
        ({"answer": ""}, "answer"),
        ({"answer": "charge"}, "__all__"),
        ({"answer": "charge", "fee": 0}, "fee"),
        ({"answer": "charge", "fee": 99999}, "__all__"),
    ],
)
def test_without_reason_evidence_and_a_sensible_fee_nothing_is_proposed(desk, case, wrong, field):
    answer = claim(desk, case, **wrong)
    assert list(answer.context["form"].errors) == [field]
    assert not Excess.objects.exists()


def test_an_objection_is_never_excessive(desk):
    case = make_case("objection")
    assert "claim-excess" not in offered(desk, "alice", case)
    with pytest.raises(cases.NotAllowed):
        claim_excess(
            request=case,
            answer="refuse",
            fee=None,
            reason=REASON,
            evidence=EVIDENCE,
            acting_user=desk.person("alice"),
            now=timezone.now(),
        )


def test_two_who_decide_at_once_decide_once(desk, case):
    claim(desk, case)
    page = desk.browser("bo").get(step_url(case, "decide-excess"))
    decide(desk, case, decision="reject")
    answer = desk.browser("bo").post(step_url(case, "decide-excess"), {"seen": page.context["seen"], "decision": "accept"})
    assert answer.status_code == 302
    assert fresh(case).state == State.TRIAGE
    assert fresh(case).excess.decided_by == desk.person("bea")


def test_the_trail_tells_who_and_never_why(desk, case, canary):
    claim(desk, case, evidence=CANARY.words)
    decide(desk, case)
    told = {event.action: event.payload for event in audit.events(case.reference)}
    assert told["excess.claimed"] == {"answer": "refuse", "fee": None}
    assert told["excess.decided"] == {"answer": "refuse", "accepted": True}
