"""A breach: 72 hours from when we knew, both decisions by others than who opened it, and the package gone at once."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from privacy import audit
from privacy.models import AuditEvent
from requests_app import cases
from requests_app.errors import NotAllowed, SomebodyElseGotThereFirst
from requests_app.models import BreachCase, Message, OutboxItem, Package, Representation
from requests_app.registers import breaches
from tests.factories import NOW, make_customer, make_request, make_staff

pytestmark = pytest.mark.django_db
FACTS = {
    "nature": "The package went to a namesake.",
    "categories": ["contact"],
    "persons": 1,
    "records": 120,
    "consequences": "Somebody may write in the person's name.",
    "measures": "Withdrawn; the namesake was asked to delete it.",
    "contact": "dpo@firma.example",
}
TEXT = "Ask dpo@firma.example."


@pytest.fixture
def request_():
    request = make_request(make_customer("sven@example.se"), language="en", now=NOW)
    Package.objects.create(request=request, state="ready", file_name="f", key="AGE-SECRET", created_at=NOW, ready_at=NOW)
    return request


@pytest.fixture
def agent():
    return make_staff("agent")


@pytest.fixture
def officer():
    return make_staff("officer")


def opened(request, agent, **changes):
    facts = {"kind": "package", "nature": "To a namesake.", "aware_at": NOW - timedelta(hours=1)} | changes
    return breaches.open_breach(request=request, acting_user=agent, now=NOW, **facts)


@pytest.fixture
def breach(request_, agent):
    return opened(request_, agent)


@pytest.fixture
def known(breach, agent):
    breaches.record_facts(breach=breach, acting_user=agent, now=NOW, **FACTS)
    return breach


def decide(breach, who, authority=None, person=None, text=TEXT, reasons="Because of this."):
    more = {"breach": breach, "reasons": reasons, "text": text, "acting_user": who, "now": NOW}
    if authority:
        breaches.decide_authority(decision=authority, **more)
    if person:
        breaches.decide_person(decision=person, **more)


# --- opening ----------------------------------------------------------------------------------------------------------------


def test_opening_takes_the_package_back_and_tells_nobody_yet(breach, request_):
    package = Package.objects.get()
    assert (package.state, package.key) == ("revoked", None)
    assert breach.due_at == NOW + timedelta(hours=71)
    assert not OutboxItem.objects.filter(request=request_, key__contains="revoked").exists()
    assert [event.action for event in audit.events(breaches.chain_of(breach))] == ["breach.opened"]
    # the person's own events say that the package is gone, and nothing of a breach
    assert "breach" not in str(list(audit.events(request_.reference).values_list("action", flat=True)))


def test_a_case_that_delivered_nothing_has_no_breach(agent):
    with pytest.raises(NotAllowed, match="Nothing has been delivered"):
        opened(make_request(now=NOW), agent)


@pytest.mark.parametrize("aware_at", [NOW + timedelta(minutes=1), NOW - timedelta(days=400)])
def test_the_hours_run_from_a_moment_that_was(request_, agent, aware_at):
    with pytest.raises(NotAllowed):
        opened(request_, agent, aware_at=aware_at)
    assert not BreachCase.objects.exists()
    assert Package.objects.get().state == "ready"


@pytest.mark.parametrize("role", ["officer", "engineer", "administrator"])
def test_agents_open(request_, role):
    with pytest.raises(NotAllowed):
        opened(request_, make_staff(role))


def represented(request):
    return Representation.objects.create(
        request=request, representative=make_customer(), role="agent", state="accepted", created_at=NOW
    )


@pytest.mark.parametrize("action", ["package.downloaded", "package.read"])
def test_a_role_that_ends_after_the_package_was_had_opens_one_by_itself(request_, agent, action):
    represented(request_)
    audit.record(chain=request_.reference, actor="customer", action=action, payload={"by": "representative"}, now=NOW)
    cases.end_role(request=request_, acting_user=agent, reason="The power of attorney was false.", now=NOW)
    (breach,) = BreachCase.objects.all()
    assert (breach.opened_by, breach.request, breach.aware_at) == (None, request_, NOW)
    assert Package.objects.get().state == "revoked"


def test_a_role_that_ends_before_anything_was_had_opens_none(request_, agent):
    represented(request_)
    audit.record(chain=request_.reference, actor="customer", action="package.downloaded", payload={}, now=NOW)  # the person
    cases.end_role(request=request_, acting_user=agent, reason="The child is of age.", now=NOW)
    assert not BreachCase.objects.exists()
    assert Package.objects.get().state == "ready"


# --- deciding ---------------------------------------------------------------------------------------------------------------


def test_nobody_decides_before_it_is_known_what_happened(breach, officer):
    for what in ({"authority": "no"}, {"person": "no"}):
        with pytest.raises(NotAllowed, match="first what is known"):
            decide(breach, officer, **what)


def test_who_opened_it_does_not_decide(request_):
    both = make_staff("agent", "approver")
    breach = opened(request_, both)
    breaches.record_facts(breach=breach, acting_user=both, now=NOW, **FACTS)
    for what in ({"authority": "no"}, {"person": "no"}):
        with pytest.raises(NotAllowed, match="somebody else decides"):
            decide(breach, both, **what)


@pytest.mark.parametrize(("role", "may"), [("approver", True), ("officer", True), ("agent", False), ("engineer", False)])
def test_approver_and_officer_decide(known, role, may):
    who = make_staff(role)
    if not may:
        with pytest.raises(NotAllowed):
            decide(known, who, authority="no")
        return
    decide(known, who, authority="no", person="no")
    assert known.closed_at == NOW


@pytest.mark.parametrize("what", [{"authority": "no"}, {"authority": "notify"}, {"person": "no"}, {"person": "tell"}])
def test_every_decision_has_reasons(known, officer, what):
    with pytest.raises(NotAllowed, match="reasons"):
        decide(known, officer, **what, reasons="  ")


@pytest.mark.parametrize("what", [{"authority": "notify"}, {"person": "tell"}])
@pytest.mark.parametrize("text", ["", "Something happened."])
def test_no_words_leave_without_somebody_to_ask(known, officer, what, text):
    with pytest.raises(NotAllowed):
        decide(known, officer, **what, text=text)


def test_a_decision_is_taken_once(known, officer):
    decide(known, officer, authority="no")
    with pytest.raises(SomebodyElseGotThereFirst):
        decide(known, officer, authority="notify")


def test_the_drafts_hold_what_the_law_asks_for(known):
    to_authority, to_person = breaches.draft_to_authority(known), breaches.draft_to_person(known)
    for text in ("namesake", "120", FACTS["consequences"], FACTS["measures"], FACTS["contact"]):
        assert text in to_authority
    for text in ("wrong hands", FACTS["consequences"], FACTS["measures"], FACTS["contact"]):
        assert text in to_person


# --- carrying it out --------------------------------------------------------------------------------------------------------


def notify(breach, agent, at, late_reasons="", now=NOW + timedelta(days=9)):
    breaches.record_notified(breach=breach, notified_at=at, late_reasons=late_reasons, acting_user=agent, now=now)


def test_it_closes_when_both_are_decided_and_done(known, agent, officer, request_):
    decide(known, officer, authority="notify", person="tell")
    assert known.closed_at is None
    notify(known, agent, known.due_at)
    assert known.closed_at is None
    breaches.record_told(breach=known, through_portal=True, acting_user=agent, now=NOW)
    assert known.closed_at == NOW
    assert [message.text for message in Message.objects.filter(request=request_)] == [TEXT]
    with pytest.raises(SomebodyElseGotThereFirst):
        breaches.record_facts(breach=known, acting_user=agent, now=NOW, **FACTS)


def test_the_person_may_be_told_outside_where_the_account_is_in_the_wrong_hands(known, agent, officer, request_):
    decide(known, officer, authority="no", person="tell")
    breaches.record_told(breach=known, through_portal=False, acting_user=agent, now=NOW)
    assert known.told_at == NOW
    assert not Message.objects.filter(request=request_).exists()


def test_after_72_hours_it_takes_reasons(known, agent, officer):
    decide(known, officer, authority="notify")
    late = known.due_at + timedelta(seconds=1)
    with pytest.raises(NotAllowed, match="72 hours"):
        notify(known, agent, late)
    notify(known, agent, late, "The office was closed.")
    assert known.late_reasons == "The office was closed."
    event = audit.events(breaches.chain_of(known)).get(action="breach.notified")
    assert event.payload == {"in_time": False}


@pytest.mark.parametrize("at", [NOW - timedelta(hours=2), NOW + timedelta(days=10)])
def test_it_is_notified_after_we_knew_and_not_in_the_future(known, agent, officer, at):
    decide(known, officer, authority="notify")
    with pytest.raises(NotAllowed):
        notify(known, agent, at)


@pytest.mark.parametrize(
    "columns",
    [
        {"closed_at": NOW},
        {"closed_at": NOW, "authority": "no", "authority_reasons": "x", "authority_decided_at": NOW},
        {"authority": "notify"},
        {"person": "no"},
        {"notified_at": NOW + timedelta(hours=72)},
    ],
    ids=str,
)
def test_the_database_refuses_the_same(known, columns, officer):
    more = {"authority_by": officer} if "authority_reasons" in columns else {}
    with pytest.raises(IntegrityError), transaction.atomic():
        BreachCase.objects.filter(pk=known.pk).update(**columns, **more)


@pytest.mark.parametrize("what", ["authority", "person"])
def test_the_database_wants_another_pair_of_eyes(known, agent, what):
    columns = {what: "no", f"{what}_by": agent, f"{what}_reasons": "x", f"{what}_decided_at": NOW}
    with pytest.raises(IntegrityError), transaction.atomic():
        BreachCase.objects.filter(pk=known.pk).update(**columns)


def test_the_log_holds_no_words(known, officer):
    decide(known, officer, authority="notify", person="tell")
    events = str(list(AuditEvent.objects.values_list("payload", flat=True)))
    for text in ("namesake", "dpo@firma", "write in the person"):
        assert text not in events
    assert audit.verify() == []


def test_it_is_kept_for_five_years(known, officer):
    decide(known, officer, authority="no", person="no")
    assert breaches.forget_old(now=NOW + timedelta(days=5 * 365)) == 0
    assert breaches.forget_old(now=NOW + timedelta(days=5 * 366)) == 1
