"""Consents: given and withdrawn with one button each, with their history, and stopping what rests on them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from privacy import audit
from privacy.models import AuditEvent
from requests_app import cases, consents
from requests_app.case.representing import Claim
from requests_app.errors import NotAllowed
from requests_app.keeping import own_data
from requests_app.models import OutboxItem, Right, RightsRequest
from requests_app.models.consent import Consent
from tests.factories import make_customer, make_request, make_staff, make_store, sign_in_customer
from tests.portal.walk import problems
from tests.staff.conftest import enrol, sign_in

pytestmark = pytest.mark.django_db
MAP = """
dataset:
- fides_key: crm
  name: CRM
  meta:
    privacy:
      purposes:
      - {key: newsletter, basis: 6-1-a, recipients: [printer], label: {sv: Nyhetsbrev, en: Newsletter}}
      - {key: research, basis: 6-1-a, label: {sv: Forskning, en: Research}}
      - {key: care, basis: 6-1-b}
      collections:
        customer: {purpose: newsletter, on_erasure: delete, objection: {set: {news: false}}, label: {en: Customer record}}
        answer: {purpose: research, on_erasure: delete, label: {sv: Svar, en: Answers}}
  collections:
  - name: customer
    fields:
    - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, identity: customer_number}}
    - {name: news, data_categories: [user.privacy_preferences]}
  - name: answer
    fields:
    - name: customer
      data_categories: [user.unique_id]
      fides_meta: {references: [{dataset: crm, field: customer.id, direction: from}]}
"""
NEWS, RESEARCH = "newsletter", "research"


@pytest.fixture(autouse=True)
def shop(db):
    store = make_store("crm")
    store.versions.update(source=MAP)
    return store


def press(client, act, about=NEWS, **more):
    return client.post("/consents/", {"act": act, "about": about, **more})


def acts(about=NEWS):
    return list(Consent.objects.filter(about=about).order_by("pk").values_list("given", flat=True))


def test_the_page_lists_every_purpose_that_rests_on_consent_and_no_other(annas):
    page = annas.get("/consents/").content.decode()
    assert "Newsletter" in page
    assert "Customer record" in page
    assert "Research" in page
    assert "Care" not in page


def test_one_button_gives_and_one_button_withdraws(annas, anna):
    assert press(annas, "give", of_age="on").status_code == 302
    assert "You have agreed" in annas.get("/consents/").content.decode()
    assert press(annas, "withdraw").status_code == 302
    assert acts() == [True, False]
    page = annas.get("/consents/").content.decode()
    assert "You have said no" in page
    assert "you agreed" in page  # the history stays


def test_each_act_is_kept_with_its_words_and_written_in_the_audit_log(annas, anna):
    press(annas, "give", of_age="on")
    press(annas, "withdraw")
    given = Consent.objects.get(given=True)
    assert "Newsletter" in given.text
    assert len(given.text_version) == 16
    assert given.policy_version
    chain = consents.chain_of(anna)
    events = AuditEvent.objects.filter(chain=chain)
    assert list(events.values_list("action", flat=True)) == ["consent.given", "consent.withdrawn"]
    assert audit.verify([chain]) == []


def test_whom_they_named_is_not_shown_to_who_only_reads_the_mailbox(annas, anna):
    consents.give_disclosure(
        customer=anna,
        recipient="Kvinnojouren",
        categories=["contact"],
        of_age=True,
        identity_level=2,
        now=timezone.now(),
    )
    page = annas.get("/consents/").content.decode()
    assert "Kvinnojouren" not in page
    assert "Somebody you named on" in page
    assert "/identity/?next=%2Fconsents%2F" in page
    about = Consent.objects.get().about
    assert "Kvinnojouren" not in press(annas, "give", about=about).content.decode()
    press(annas, "withdraw", about=about)  # as easy as giving, and it harms nobody
    assert not Consent.objects.order_by("-pk").first().given
    assert "Kvinnojouren" not in annas.get("/consents/").content.decode()
    sign_in_customer(annas, anna, level=2)
    assert "Kvinnojouren" in annas.get("/consents/").content.decode()


def test_a_second_click_and_a_second_tab_change_nothing(annas):
    for _click in range(3):
        press(annas, "give", of_age="on")
    for _click in range(3):
        press(annas, "withdraw")
    assert acts() == [True, False]
    assert RightsRequest.objects.count() == 1


def test_a_child_under_13_cannot_consent(annas):
    answer = press(annas, "give")
    assert answer.status_code == 409
    assert "at least 13 years" in answer.content.decode()
    assert acts() == []
    with pytest.raises(NotAllowed):
        consents.give(customer=make_customer(), about=NEWS, of_age=False, now=timezone.now())


def test_taking_it_back_is_an_objection_where_the_map_has_the_switch(annas, anna):
    press(annas, "give", of_age="on")
    press(annas, "withdraw")
    case = RightsRequest.objects.get()
    assert (case.customer, case.right) == (anna, Right.OBJECTION)
    assert not OutboxItem.objects.filter(kind="task", key=f"consent:{Consent.objects.get(given=False).pk}:task").exists()


def test_taking_it_back_is_a_task_for_a_person_where_the_map_has_none(annas):
    press(annas, "withdraw", RESEARCH)
    assert not RightsRequest.objects.exists()
    [task] = OutboxItem.objects.filter(kind="task")
    assert "crm" in task.payload["text"]
    assert "anna" not in task.payload["text"]


def test_what_was_agreed_to_elsewhere_can_be_taken_back_here(annas):
    assert "somewhere else" in annas.get("/consents/").content.decode()
    press(annas, "withdraw")
    assert acts() == [False]
    assert RightsRequest.objects.count() == 1


def test_a_purpose_that_is_none_is_refused(annas):
    for act in ("give", "withdraw"):
        assert press(annas, act, "care", of_age="on").status_code == 409
    assert not Consent.objects.exists()


def test_what_names_nothing_is_refused_whatever_stands_in_it(annas):
    assert press(annas, "withdraw", f"{NEWS}\x00{RESEARCH}").status_code == 409


def test_agreeing_over_and_over_ends_and_taking_back_does_not(annas, monkeypatch):
    monkeypatch.setattr(consents, "MOST_GIVEN_A_DAY", 2)
    for _turn in range(2):
        press(annas, "give", RESEARCH, of_age="on")
        press(annas, "withdraw", RESEARCH)
    press(annas, "give", of_age="on")
    assert acts() == []
    assert OutboxItem.objects.filter(kind="task").count() == 4
    press(annas, "withdraw")
    assert acts() == [False]


def test_what_the_map_no_longer_names_can_still_be_taken_back(annas, shop):
    press(annas, "give", RESEARCH, of_age="on")
    shop.versions.update(is_current=False)
    assert "research" in annas.get("/consents/").content.decode()
    press(annas, "withdraw", RESEARCH)
    assert acts(RESEARCH) == [True, False]


DISCLOSURE = {"recipient": " Byrå  AB ", "categories": ["contact"], "of_age": "on"}


def test_disclosure_to_somebody_named_takes_the_second_proof_and_is_taken_back_with_the_first(annas, anna):
    assert annas.get("/consents/disclosure/")["Location"].startswith("/identity/")
    sign_in_customer(annas, anna, level=2)
    assert annas.post("/consents/disclosure/", DISCLOSURE)["Location"] == "/consents/"
    act = Consent.objects.get()
    assert act.details == {"recipient": "Byrå AB", "categories": ["contact"]}
    assert "Byrå AB" not in str(AuditEvent.objects.values_list("payload", flat=True))
    assert "Byrå AB" in annas.get("/consents/").content.decode()
    sign_in_customer(annas, anna, level=1)
    press(annas, "withdraw", act.about)
    assert acts(act.about) == [True, False]
    assert OutboxItem.objects.filter(kind="task").count() == 1


@pytest.mark.parametrize("missing", ["recipient", "categories", "of_age"])
def test_a_disclosure_says_who_what_and_that_one_is_no_child(annas_proved, missing):
    answer = annas_proved.post("/consents/disclosure/", {key: value for key, value in DISCLOSURE.items() if key != missing})
    assert problems(answer)
    assert not Consent.objects.exists()


def test_the_rule_itself_asks_for_the_second_proof(anna):
    with pytest.raises(NotAllowed):
        consents.give_disclosure(
            customer=anna, recipient="B", categories=["contact"], of_age=True, identity_level=1, now=timezone.now()
        )


def test_nobody_sees_or_changes_anothers(annas_proved, bos):
    annas_proved.post("/consents/disclosure/", DISCLOSURE)
    about = Consent.objects.get().about
    assert "Byrå" not in bos.get("/consents/").content.decode()
    assert press(bos, "withdraw", about).status_code == 409
    assert acts(about) == [True]


def test_the_page_is_light_and_asks_little(annas, django_assert_max_num_queries):
    for _turn in range(3):
        press(annas, "give", of_age="on")
        press(annas, "withdraw")
    with django_assert_max_num_queries(12):
        assert len(annas.get("/consents/").content) < 60_000


def test_it_stands_in_the_persons_package_with_its_history(annas, anna):
    press(annas, "give", of_age="on")
    rows = own_data.own_of([anna])[anna.pk]
    assert "Newsletter" in rows["requests_app_consent"][0]["text"]
    assert rows["privacy_auditevent"]


def test_what_is_spent_goes_after_three_years_and_what_is_in_force_stays(annas):
    press(annas, "give", of_age="on")
    press(annas, "withdraw", RESEARCH)
    assert consents.forget_old(now=timezone.now() + timedelta(days=3 * 366)) == 1
    assert acts() == [True]


def test_staff_see_them_do_what_is_to_be_done_and_the_look_is_written_down(annas, anna):
    press(annas, "withdraw", RESEARCH)
    act = Consent.objects.get()
    person = make_staff(Role.AGENT)
    enrol(person)
    desk = sign_in(person)
    case = make_request(anna, "access")
    page = desk.get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk])).content.decode()
    assert reverse("admin:requests_app_consent_change", args=[act.pk]) in page
    assert "Consents to be acted on" in desk.get(reverse("admin:index")).content.decode()
    page = desk.get(reverse("admin:requests_app_consent_changelist") + "?task=waiting").content.decode()
    assert anna.public_id in page
    assert "anna@example.se" not in page
    assert "anna@example.se" in desk.post(reverse("admin:requests_app_consent_who", args=[act.pk])).content.decode()
    handled = reverse("admin:requests_app_consent_handled", args=[act.pk])
    for _click in range(2):
        assert desk.post(handled).status_code == 302
    actions = AuditEvent.objects.filter(chain=consents.chain_of(anna)).values_list("action", flat=True)
    assert list(actions) == ["consent.withdrawn", "identity.revealed", "consent.handled"]
    assert anna.public_id not in desk.get(reverse("admin:requests_app_consent_changelist") + "?task=waiting").content.decode()


# --- a guardian, for a child ------------------------------------------------------------------------------------------


def brought_for(guardian, child_email, *, role="guardian", not_told=""):
    """A request that staff have accepted: proof that this is the guardian, and who the child is."""
    now, agent = timezone.now(), make_staff("agent")
    claim = Claim(representative=guardian, role=role, name="Barnet", identities={"email": child_email})
    case = cases.submit_for_another(claim=claim, right="objection", source="portal", language="en", now=now)
    more = {"note": "Personbevis.", "contact_is_theirs": "Faktura.", "not_told_reason": not_told, "now": now}
    cases.accept_role(request=case, acting_user=agent, **more)
    cases.record_identity_level(request=case, acting_user=agent, level=1, note="Personbevis.", now=now)
    case.refresh_from_db()
    return case


def press_for(client, case, act, about=NEWS, **more):
    return client.post(f"/requests/{case.reference}/consents/", {"act": act, "about": about, **more})


@pytest.mark.parametrize("age", [12, 16])
def test_a_guardian_with_proof_acts_until_the_child_is_18_and_consents_for_who_is_under_13(annas, anna, age):
    child = make_customer(f"barn{age}@example.se")
    case = brought_for(anna, f"barn{age}@example.se")
    assert case.customer == child  # whatever the age: until 18 a guardian may exercise the child's rights
    assert "The child’s consents" in annas.get(f"/requests/{case.reference}/").content.decode()
    answer = press_for(annas, case, "give", **({"of_age": "on"} if age < 13 else {}))
    if age < 13:
        act = Consent.objects.get(given=True)
        assert (answer.status_code, act.customer) == (302, child)
        assert act.text.startswith("As the child’s guardian: I agree")
        event = AuditEvent.objects.get(action="consent.given")
        assert (event.chain, event.payload["by"]) == (consents.chain_of(child), "guardian")
    else:
        assert "13 or older decides" in answer.content.decode()
        assert not Consent.objects.exists()
    with pytest.raises(NotAllowed, match="at least 13"):  # and who is 12 does not
        consents.give(customer=child, about=RESEARCH, of_age=False, now=timezone.now())
    press_for(annas, case, "withdraw", about=RESEARCH)
    taken_back = Consent.objects.get(about=RESEARCH)
    assert (taken_back.given, taken_back.customer) == (False, child)


def test_nobody_but_an_accepted_guardian_consents_for_a_child(annas, anna, bos):
    child = make_customer("barn@example.se")
    lawyer = brought_for(anna, "barn2@example.se", role="lawyer")
    untold = brought_for(anna, "barn3@example.se", not_told="Skyddad identitet.")  # the child's own page would tell of it
    case = brought_for(anna, "barn@example.se")
    for browser, request in ((annas, lawyer), (annas, untold), (bos, case)):
        assert browser.get(f"/requests/{request.reference}/consents/").status_code == 404
        assert press_for(browser, request, "give", of_age="on").status_code == 404
    own = Client()
    sign_in_customer(own, child, level=2)
    assert own.get(f"/requests/{case.reference}/consents/").status_code == 404  # their own page is another
    cases.end_role(request=case, acting_user=make_staff("agent"), reason="Barnet har fyllt 18.", now=timezone.now())
    case.refresh_from_db()
    assert press_for(annas, case, "give", of_age="on").status_code == 404
    with pytest.raises(NotAllowed):
        consents.give_for_child(request=case, guardian=anna, about=NEWS, child_is_under_13=True, now=timezone.now())
    assert not Consent.objects.exists()


def test_a_guardian_sees_neither_whom_the_child_named_nor_what_it_did(annas, anna):
    child = make_customer("barn@example.se")
    case = brought_for(anna, "barn@example.se")
    now = timezone.now()
    consents.give_disclosure(
        customer=child, recipient="Kvinnojouren", categories=["contact"], of_age=True, identity_level=2, now=now
    )
    consents.give(customer=child, about=NEWS, of_age=True, now=now)
    page = annas.get(f"/requests/{case.reference}/consents/").content.decode()
    assert "Kvinnojouren" not in page
    assert "When you agreed" not in page
    about = Consent.objects.get(kind="disclosure").about
    press_for(annas, case, "give", about=about, of_age="on")
    assert Consent.objects.filter(about=about).count() == 1
