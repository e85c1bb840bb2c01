"""Requests that came by phone, letter or e-mail: the clock of the day they arrived, nothing believed, nobody deciding alone."""

from datetime import timedelta

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from accounts import people
from accounts.models import Customer, CustomerIdentity
from privacy.models import AuditEvent
from requests_app import cases
from requests_app.case import representing
from requests_app.case.deadlines import due_date
from requests_app.models import OutboxItem, RightsRequest, State
from tests.factories import make_customer, make_request, make_staff, make_store
from tests.staff.conftest import CANARY

pytestmark = pytest.mark.django_db
ENTER = reverse("admin:requests_app_rightsrequest_enter")


def enter(desk, who="alice", **changed):
    data = {
        "right": "access",
        "source": "phone",
        "received_on": timezone.localdate().isoformat(),
        "language": "sv",
        "email": CANARY.email,
        "reason": CANARY.words,
    }
    return desk.browser(who).post(ENTER, {key: value for key, value in (data | changed).items() if value is not None})


def test_a_call_becomes_a_case_at_level_nought(desk):
    answer = enter(desk, phone=CANARY.phone)
    case = RightsRequest.objects.get()
    assert answer["Location"] == reverse("admin:requests_app_rightsrequest_change", args=[case.pk])
    assert (case.identity_level, case.source, case.entered_by) == (0, "phone", desk.person("alice"))
    assert case.state == State.IDENTIFYING
    assert case.reason == CANARY.words
    assert not case.customer.identities.filter(verified_at__isnull=False).exists()
    assert case.customer.identities.count() == 2


def test_the_clock_runs_from_the_day_it_reached_us(desk):
    day = timezone.localdate() - timedelta(days=9)
    enter(desk, received_on=day.isoformat())
    case = RightsRequest.objects.get()
    assert timezone.localdate(case.received_at) == day
    assert case.due_on == due_date(case.received_at)
    assert case.paused_at is None


def test_early_in_the_morning_today_is_still_today(desk):
    with time_machine.travel(timezone.now().replace(hour=1, minute=0), tick=False):
        desk.browser("alice")
        assert enter(desk).status_code == 302
        assert timezone.localdate(RightsRequest.objects.get().received_at) == timezone.localdate()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"email": None}, "__all__"),
        ({"email": "no address"}, "email"),
        ({"email": None, "phone": "12"}, "phone"),
        ({"right": "invent"}, "right"),
        ({"source": None}, "source"),
        ({"received_on": "2999-01-01"}, "received_on"),
        ({"received_on": "2001-01-01"}, "received_on"),
        ({"received_on": "yesterday"}, "received_on"),
        ({"right": "restriction"}, "ground"),
        ({"right": "erasure", "ground": "restriction:a"}, "ground"),
        ({"language": "xx"}, "language"),
    ],
)
def test_bad_input_is_told_at_its_field_and_leaves_nothing(desk, changed, field):
    answer = enter(desk, **changed)
    assert answer.status_code == 200
    assert field in answer.context["form"].errors
    assert not Customer.objects.exists()
    assert not RightsRequest.objects.exists()


def test_a_restriction_takes_its_ground(desk):
    enter(desk, right="restriction", ground="restriction:b")
    assert RightsRequest.objects.get().ground == "b"


def test_a_known_mailbox_leads_to_its_person(desk, canary):
    enter(desk)
    assert RightsRequest.objects.get().customer == canary
    assert canary.identities.get(kind="email").verified_at


def test_a_telephone_leads_to_nobody_by_itself(desk, canary):
    enter(desk, email=None, phone=CANARY.phone)
    assert RightsRequest.objects.get().customer != canary


def test_a_second_request_for_the_same_right_leads_to_the_first(desk, canary):
    first = make_request(canary, "access")
    answer = enter(desk)
    assert answer["Location"] == reverse("admin:requests_app_rightsrequest_change", args=[first.pk])
    assert RightsRequest.objects.count() == 1


def test_nothing_typed_stands_in_an_address_or_the_audit_log(desk):
    answer = enter(desk, phone=CANARY.phone)
    assert "hemligt" not in answer["Location"]
    assert "kanarie" not in str(list(AuditEvent.objects.values_list("payload", "actor"))).lower()


def test_whoever_entered_it_does_not_accept_the_identity(desk):
    enter(desk)
    case = RightsRequest.objects.get()
    url = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "identity"])
    assert desk.browser("alice").get(url).status_code == 302
    desk.browser("alice").post(url, {"seen": case.state, "level": 2, "note": "I believe them."})
    case.refresh_from_db()
    assert case.identity_level == 0


def test_a_colleague_accepts_it_and_the_identities_count_from_then_on(desk):
    make_store()
    enter(desk, phone=CANARY.phone)
    case = RightsRequest.objects.get()
    url = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "identity"])
    page = desk.browser("arne").get(url).context
    claims = [key for key, _label in page["form"].fields["proved"].choices]
    answer = {"seen": page["seen"], "level": 2, "note": "Called back to the number in our records.", "proved": claims}
    desk.browser("arne").post(url, answer)
    case.refresh_from_db()
    assert (case.identity_level, case.state) == (2, State.TRIAGE)
    assert set(case.customer.identities.values_list("verified_by", flat=True)) == {desk.person("arne").pk}


def test_what_is_not_ticked_stays_unproved(desk):
    enter(desk, phone=CANARY.phone)
    case = RightsRequest.objects.get()
    url = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "identity"])
    seen = desk.browser("arne").get(url).context["seen"]
    answer = {"seen": seen, "level": 1, "note": "Wrote back from the mailbox."}
    assert "No identity" in str(desk.browser("arne").post(url, answer).context["form"].errors)
    mailbox = case.customer.identities.get(kind="email")
    desk.browser("arne").post(url, answer | {"proved": [mailbox.pk]})
    assert [row.kind for row in case.customer.identities.filter(verified_at__isnull=False)] == ["email"]


def test_nobody_believes_what_they_typed_themselves_by_way_of_a_colleague_s_request(desk):
    """Alice enters one request with a telephone of her own; Arne enters another; Alice accepts the proof in Arne's."""
    enter(desk, phone="+46 70 174 06 99")
    enter(desk, "arne", right="rectification")
    case = RightsRequest.objects.get(right="rectification")
    url = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "identity"])
    page = desk.browser("alice").get(url).context
    assert "proved" not in page["form"].fields
    claims = list(case.customer.identities.values_list("pk", flat=True))
    desk.browser("alice").post(url, {"seen": page["seen"], "level": 2, "note": "Passport.", "proved": claims})
    assert not case.customer.identities.filter(verified_at__isnull=False).exists()


def test_when_the_person_proves_the_mailbox_later_it_counts_as_proved(desk):
    enter(desk)
    case = RightsRequest.objects.get()
    assert people.find_or_create_customer(email=CANARY.email, language="sv", now=timezone.now()) == case.customer
    identity = CustomerIdentity.objects.get(kind="email")
    assert identity.verified_at
    assert identity.method == "email_code"


def test_a_mailbox_that_is_proved_in_the_same_moment_is_found(desk, monkeypatch):
    """The person signs in between our look and our write."""
    from accounts import claims

    real, turns = claims._by_mailbox, []

    def just_missed(email):
        turns.append(email)
        if len(turns) == 1:
            make_customer(email)
            return None
        return real(email)

    monkeypatch.setattr(claims, "_by_mailbox", just_missed)
    enter(desk)
    assert RightsRequest.objects.get().customer == people._by_email(CANARY.email)


# --- a letter from somebody who acts for another ----------------------------------------------------------------------

LAWYER = "advokat@byra.example"
FOR_ANOTHER = {"source": "post", "role": "lawyer", "name": "Kanarie Fågel", "representative": LAWYER}


def step_of(case, name):
    return reverse("admin:requests_app_rightsrequest_step", args=[case.pk, name])


def test_a_representative_s_letter_belongs_to_nobody_until_the_role_and_the_person_are_accepted(desk, canary):
    enter(desk, **FOR_ANOTHER)
    case = RightsRequest.objects.get()
    found = case.representation
    assert (case.source, case.identity_level, case.state, found.role) == ("post", 0, State.IDENTIFYING, "lawyer")
    assert case.customer != canary
    assert not case.customer.identities.exists()
    assert found.claimed == {"email": CANARY.email}
    assert people.email_of(found.representative) == ""  # nobody has proved that mailbox
    assert not OutboxItem.objects.exclude(to=None).exists()
    assert AuditEvent.objects.get(action="role.claimed").actor == f"staff:{desk.person('alice').pk}"
    note = {"seen": case.state, "note": "Fullmakt.", "contact_is_theirs": "Ringde.", "not_told_reason": "Skyddad."}
    desk.browser("alice").post(step_of(case, "accept-role"), note)
    found.refresh_from_db()
    assert found.state == "claimed"  # who entered it decides nothing


def test_a_colleague_takes_it_on_and_the_lawyer_follows_it_by_their_mailbox(desk, canary, monkeypatch):
    enter(desk, **FOR_ANOTHER)
    case = RightsRequest.objects.get()
    agent = make_staff("agent")
    more = {"note": "Fullmakt.", "contact_is_theirs": "Ringde.", "not_told_reason": "Skyddad.", "now": timezone.now()}
    cases.accept_role(request=case, acting_user=agent, **more)
    cases.record_identity_level(request=case, acting_user=agent, level=2, note="Id-kort.", proved=[], now=timezone.now())
    case.refresh_from_db()
    assert case.customer == canary
    lawyer = people.find_or_create_customer(email=LAWYER, language="sv", now=timezone.now())
    assert lawyer == case.representation.representative
    assert list(representing.visible_to(lawyer)) == [case]


def test_without_a_mailbox_somebody_writes_letters(desk):
    enter(desk, **FOR_ANOTHER | {"representative": ""})
    assert OutboxItem.objects.get().kind == "task"
    assert not Customer.objects.exclude(identities=None).exists()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"role": ""}, "role"),
        ({"name": ""}, "name"),
        ({"representative": "no address"}, "representative"),
        ({"role": "uncle"}, "role"),
        ({"email": None}, "__all__"),
        ({"email": None, "phone": CANARY.phone}, "__all__"),  # whoever has that telephone would prove the person with it
        ({"customer_number": CANARY.number}, "__all__"),
        ({"representative": CANARY.email}, "__all__"),
    ],
)
def test_what_is_missing_of_a_representative_is_told_and_leaves_nothing(desk, changed, field):
    answer = enter(desk, **FOR_ANOTHER | changed)
    assert field in answer.context["form"].errors
    assert not Customer.objects.exists()
