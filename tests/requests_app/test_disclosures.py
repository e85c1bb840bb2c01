"""The register of disclosures: four eyes, a consent or a law with its paragraph, and hidden until the officer clears it."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from privacy import audit
from privacy.models import AuditEvent
from requests_app import consents
from requests_app.case.timeline import timeline
from requests_app.errors import NotAllowed, SomebodyElseGotThereFirst
from requests_app.keeping.own_data import own_of
from requests_app.models import Disclosure
from requests_app.registers import disclosures
from tests.factories import NOW, make_customer, make_request, make_staff, sign_in_customer

pytestmark = pytest.mark.django_db
MAIL = "sven@example.se"
SECRET = "Polisens utredning K 4711-26"


@pytest.fixture
def person():
    return make_customer(MAIL, phone="+46701234567")


@pytest.fixture
def agent():
    return make_staff("agent")


@pytest.fixture
def approver():
    return make_staff("approver")


@pytest.fixture
def officer():
    return make_staff("officer")


def enter(agent, **changes):
    facts = {"kind": "email", "value": MAIL, "asker_kind": "authority", "asker": SECRET, "asker_reference": "K 4711-26"}
    facts |= {"in_inquiry": True, "occasion": "demand", "asked": "Whose mailbox it is", "asked_on": timezone.localdate()}
    return disclosures.enter_disclosure(**(facts | changes), acting_user=agent, now=timezone.now())


def grant(entry, approver, **changes):
    facts = {"ground": "rb-27-1", "paragraph": "", "consent": None, "reason": "The order was seen."}
    disclosures.grant_disclosure(disclosure=entry, **(facts | changes), acting_user=approver, now=timezone.now())


def give(entry, agent, categories=("contact",)):
    disclosures.record_given(
        disclosure=entry, given="The address, by letter", categories=categories, acting_user=agent, now=timezone.now()
    )


def clear(entry, officer, words="We gave your address to an authority."):
    disclosures.clear_for_person(disclosure=entry, words=words, acting_user=officer, now=timezone.now())


@pytest.fixture
def given(person, agent, approver):
    entry = enter(agent)
    grant(entry, approver)
    give(entry, agent)
    return entry


# --- who decides, on what -------------------------------------------------------------------------------------------------


def test_the_road(given, officer, person):
    assert (given.state, given.customer, given.ground) == ("given", person, "rb-27-1")
    clear(given, officer)
    assert [entry.told for entry in disclosures.shown_to(person)] == ["We gave your address to an authority."]
    actions = [event.action for event in audit.events(disclosures.chain_of(given))]
    assert actions == ["disclosure.entered", "disclosure.granted", "disclosure.given", "disclosure.cleared"]
    assert audit.verify() == []


def test_who_enters_does_not_decide(person):
    both = make_staff("agent", "approver")
    entry = enter(both)
    with pytest.raises(NotAllowed, match="somebody else decides"):
        grant(entry, both)
    with pytest.raises(NotAllowed, match="somebody else decides"):
        disclosures.refuse_disclosure(disclosure=entry, reason="No", acting_user=both, now=timezone.now())


@pytest.mark.parametrize("role", ["agent", "engineer", "officer", "administrator"])
def test_only_an_approver_decides(person, agent, role):
    with pytest.raises(NotAllowed):
        grant(enter(agent), make_staff(role))


@pytest.mark.parametrize("ground", ["", "terms", "breach", "demand"])
def test_a_breach_of_the_terms_is_no_ground(person, agent, approver, ground):
    entry = enter(agent, occasion="terms")
    with pytest.raises(NotAllowed, match="occasion, not a legal ground"):
        grant(entry, approver, ground=ground)
    assert Disclosure.objects.get().state == "entered"


@pytest.mark.parametrize("paragraph", ["våra allmänna villkor 7 §", "Terms § 3", "avtalet 4 §", "the contract, art. 9"])
def test_nor_is_it_one_when_written_as_a_law(person, agent, approver, paragraph):
    with pytest.raises(NotAllowed, match="occasion, not a legal ground"):
        grant(enter(agent), approver, ground="law", paragraph=paragraph)


@pytest.mark.parametrize("paragraph", ["", "  ", "lagen", "enligt lag", "polisen 2026"])
def test_another_law_needs_its_paragraph(person, agent, approver, paragraph):
    with pytest.raises(NotAllowed, match="paragraph"):
        grant(enter(agent), approver, ground="law", paragraph=paragraph)


@pytest.mark.parametrize("paragraph", ["konkurslagen (1987:672) 6 kap. 2 §", "förordning (EU) 2022/2065 artikel 10", "lag 3 a §"])
def test_another_law_with_its_paragraph_will_do(person, agent, approver, paragraph):
    entry = enter(agent)
    grant(entry, approver, ground="law", paragraph=paragraph)
    assert (entry.state, entry.paragraph) == ("granted", paragraph)


def test_a_decision_has_reasons(person, agent, approver):
    with pytest.raises(NotAllowed):
        grant(enter(agent), approver, reason="  ")


def agree(person, name="Försäkring AB", categories=("contact",)):
    return consents.give_disclosure(
        customer=person, recipient=name, categories=categories, of_age=True, identity_level=2, now=timezone.now()
    )


def withdraw(person, act):
    consents.withdraw(customer=person, about=act.about, language="sv", identity_level=2, now=timezone.now())


def test_a_consent_of_the_portal_will_do_as_far_as_it_goes(person, agent, approver):
    act = agree(person)
    entry = enter(agent, asker_kind="company", asker="Försäkring AB", in_inquiry=False, occasion="wish")
    grant(entry, approver, ground="consent", consent=act.pk)
    assert entry.consented == act.text
    with pytest.raises(NotAllowed, match="not agreed to these kinds"):
        give(entry, agent, ("contact", "history"))
    give(entry, agent, ("contact",))
    assert entry.state == "given"


def test_a_consent_that_was_taken_back_is_none(person, agent, approver):
    act = agree(person)
    entry = enter(agent, in_inquiry=False)
    withdraw(person, act)
    assert disclosures.consents_in_force(entry) == []
    with pytest.raises(NotAllowed, match="no consent"):
        grant(entry, approver, ground="consent", consent=act.pk)


def test_nor_is_one_that_is_taken_back_between_decision_and_giving(person, agent, approver):
    act = agree(person)
    entry = enter(agent, in_inquiry=False)
    grant(entry, approver, ground="consent", consent=act.pk)
    withdraw(person, act)
    with pytest.raises(NotAllowed, match="no consent"):
        give(entry, agent)
    entry.refresh_from_db()
    assert entry.state == "granted"


def test_somebody_elses_consent_is_none(person, agent, approver):
    act = agree(make_customer("lisa@example.se"))
    with pytest.raises(NotAllowed, match="no consent"):
        grant(enter(agent), approver, ground="consent", consent=act.pk)


def test_a_consent_to_a_purpose_of_our_own_is_none(person, agent, approver):
    act = agree(person)
    type(act).objects.filter(pk=act.pk).update(kind="purpose")
    with pytest.raises(NotAllowed, match="no consent"):
        grant(enter(agent), approver, ground="consent", consent=act.pk)


def test_nothing_is_given_before_a_decision_or_twice(person, agent, approver, given):
    for entry in (enter(agent), given):
        with pytest.raises(SomebodyElseGotThereFirst):
            give(entry, agent)


def test_what_is_refused_is_not_given(person, agent, approver):
    entry = enter(agent)
    disclosures.refuse_disclosure(disclosure=entry, reason="No law was named.", acting_user=approver, now=timezone.now())
    with pytest.raises(SomebodyElseGotThereFirst):
        give(entry, agent)


@pytest.mark.parametrize(
    "columns",
    [
        {"state": "given"},
        {"state": "granted"},
        {"state": "granted", "ground": "terms"},
        {"state": "granted", "ground": "law"},
        {"state": "granted", "ground": "consent"},
        {"state": "given", "ground": "rb-27-1"},
        {"state": "refused"},
        {"given_at": NOW},
        {"cleared_at": NOW},
    ],
    ids=str,
)
def test_the_database_refuses_the_same(person, agent, approver, columns):
    entry = enter(agent)
    decided = {"decided_by": approver, "decided_at": timezone.now(), "reason": "x"}
    for more in ({}, decided):
        if columns == {"state": "refused"} and more:
            continue  # that is a refusal
        with pytest.raises(IntegrityError), transaction.atomic():
            Disclosure.objects.filter(pk=entry.pk).update(**columns, **more)


def test_the_database_wants_four_eyes(person, agent, given):
    with pytest.raises(IntegrityError), transaction.atomic():
        Disclosure.objects.filter(pk=given.pk).update(decided_by=agent)
    with pytest.raises(IntegrityError), transaction.atomic():
        Disclosure.objects.filter(pk=given.pk).update(cleared_at=timezone.now(), cleared_by=agent, told="x")


def test_the_register_and_the_log_name_nobody_in_clear(given):
    (row,) = Disclosure.objects.values()
    plain = {key: value for key, value in row.items() if key not in ("asker", "asker_reference", "asked", "reason", "given")}
    events = str(list(AuditEvent.objects.values_list("chain", "action", "payload")))
    for text in (MAIL, "sven", SECRET, "4711", "The address"):
        assert text not in str(plain)
        assert text not in events
    assert str(given) == given.reference


# --- hidden until it is cleared -------------------------------------------------------------------------------------------

PORTAL_PAGES = ("portal:start", "portal:requests", "portal:consents", "portal:contact", "portal:notice")


def everything_that_the_person_can_open(client, person, case):
    pages = [reverse(name) for name in PORTAL_PAGES]
    pages += [reverse(f"portal:{name}", args=[case.reference]) for name in ("request", "sent", "progress")]
    texts = [client.get(page).content.decode() for page in pages]
    texts += [client.get(f"/api/v1/requests/{case.reference}/").content.decode()]
    texts += [str(own_of([person])[person.pk])]
    texts += [str(timeline(case)), str(list(audit.events(case.reference).values()))]
    return "\n".join(texts)


def test_nothing_that_the_person_can_open_tells_of_it_until_it_is_cleared(given, person, officer, client):
    case = make_request(person, language="en")
    client.cookies["django_language"] = "en"
    sign_in_customer(client, person, level=2)
    before = everything_that_the_person_can_open(client, person, case)
    for trace in (given.reference, SECRET, "4711", "The address, by letter", "seizure"):
        assert trace not in before
    assert "requests_app_disclosure" not in own_of([person])[person.pk]
    clear(given, officer)
    after = everything_that_the_person_can_open(client, person, case)
    assert after.count("We gave your address to an authority.") == 2  # the page of consents, and the package
    for trace in (SECRET, "4711", "The address, by letter", "seizure"):  # what the officer did not write stays hidden
        assert trace not in after
    (row,) = own_of([person])[person.pk]["requests_app_disclosure"]
    assert set(row) == {"reference", "given_at", "told"}


def test_the_page_is_the_same_with_and_without_a_hidden_entry(person, agent, approver, client):
    client.cookies["django_language"] = "en"
    sign_in_customer(client, person, level=2)

    def page():
        text = client.get(reverse("portal:consents")).content.decode()
        return "\n".join(line for line in text.splitlines() if "csrfmiddlewaretoken" not in line)

    empty = page()
    entry = enter(agent)
    grant(entry, approver)
    give(entry, agent)
    assert page() == empty


def test_a_cleared_one_takes_the_second_proof_and_is_nobody_elses(given, officer, person, client):
    clear(given, officer)
    for customer, level in ((person, 1), (make_customer(), 2)):
        sign_in_customer(client, customer, level=level)
        assert "We gave your address" not in client.get(reverse("portal:consents")).content.decode()


def test_only_the_officer_clears_and_not_what_they_entered(given, approver):
    with pytest.raises(NotAllowed):
        clear(given, approver)
    with pytest.raises(NotAllowed, match="somebody else clears"):
        clear(given, _with_role(given.entered_by, "officer"))


def _with_role(staff, role):
    from django.contrib.auth.models import Group

    staff.groups.add(Group.objects.get_or_create(name=role)[0])
    return type(staff).objects.get(pk=staff.pk)


def test_what_was_not_given_cannot_be_cleared(person, agent, officer):
    with pytest.raises(SomebodyElseGotThereFirst):
        clear(enter(agent), officer)


# --- whose it is ----------------------------------------------------------------------------------------------------------


def test_somebody_who_becomes_a_customer_later_is_found(agent):
    entry = enter(agent)
    assert entry.customer is None
    person = make_customer(MAIL)
    assert disclosures.find_customers(now=timezone.now()) == 1
    entry.refresh_from_db()
    assert entry.customer == person


def test_a_telephone_that_two_people_share_says_nothing_of_whose_it_is(agent):
    for mail in ("a@example.se", "b@example.se"):
        make_customer(mail, phone="+46701234567")
    assert enter(agent, kind="phone_number", value="070-123 45 67").customer is None


def test_an_entry_is_forgotten_three_years_after_its_matter_is_over(given, agent):
    open_one = enter(agent)
    later = given.given_at + timedelta(days=3 * 365)
    assert disclosures.forget_old(now=later) == 0
    assert disclosures.forget_old(now=later + timedelta(days=2)) == 1
    assert list(Disclosure.objects.all()) == [open_one]
