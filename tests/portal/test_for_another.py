"""Acting for somebody else: nothing is found, told or shown before staff accept the role and the person."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Customer, IdentityKind
from privacy import actions, audit
from privacy.models import AuditEvent
from requests_app import cases
from requests_app.case import conversation, notices, representing
from requests_app.delivering import building
from requests_app.errors import NotAllowed
from requests_app.files import uploads
from requests_app.keeping import own_data
from requests_app.models import Message, OutboxItem, RightsRequest, State, StoreRun, Upload
from requests_app.models.representation import Representation
from tests.factories import make_customer, make_request, make_staff, make_store, sign_in_customer
from tests.files import picture, sent
from tests.portal.conftest import a_number
from tests.requests_app.packages import give_package, part

pytestmark = pytest.mark.django_db
KNOWN = "barnet@example.se"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.INSYN_UPLOAD_DIR = tmp_path / "uploads"


@pytest.fixture
def child(db):
    return make_customer(KNOWN, language="sv")


@pytest.fixture
def store(db):
    return make_store("crm")


@pytest.fixture
def agent(db):
    return make_staff("agent", "approver")


def answer(browser, *, role="guardian", known_by=KNOWN, right="access", words=""):
    """Walk through the questions; answers the last response."""
    browser.post("/for-another/role/", {"role": role})
    browser.post("/for-another/person/", {"name": "Barnet Andersson", "known_by": known_by})
    browser.post("/for-another/right/", {"right": right})
    if right == "restriction":
        browser.post("/for-another/ground/", {"ground": "a"})
    browser.post("/for-another/words/", {"words": words})
    page = browser.get("/for-another/check/").content.decode()
    token = re.search(r'name="token" value="([^"]+)"', page)[1]
    return browser.post("/for-another/check/", {"token": token})


def brought(browser, **answers):
    reference = answer(browser, **answers)["Location"].split("/")[2]
    return RightsRequest.objects.get(reference=reference)


@pytest.fixture
def case(annas, store, child):
    return brought(annas)


def accept(case, agent, *, not_told=""):
    cases.accept_role(
        request=case,
        acting_user=agent,
        note="Personbevis.",
        not_told_reason=not_told,
        contact_is_theirs="Visade en faktura.",
        now=timezone.now(),
    )


def identify(case, agent, level=2):
    cases.record_identity_level(request=case, acting_user=agent, level=level, note="Id-kort.", now=timezone.now())


def told():
    return {(item.to, item.key.split(":")[1] if ":" in item.key else item.key) for item in OutboxItem.objects.all()}


def recipients():
    return {item.to for item in OutboxItem.objects.exclude(to=None)}


def test_the_questions_come_one_by_one_and_lead_to_the_proof(annas, store, child):
    assert annas.get("/for-another/")["Location"] == "/for-another/role/"
    page = annas.post("/for-another/role/", {}).content.decode()
    assert "Choose how you act for the person" in page
    response = answer(annas, role="trustee")
    assert response["Location"].endswith("/role/")
    page = annas.get(response["Location"]).content.decode()
    assert "förordnande" in page
    assert "until then we look for nothing" in page


def test_sending_twice_is_sending_once(annas, store, child):
    annas.post("/for-another/role/", {"role": "lawyer"})
    annas.post("/for-another/person/", {"name": "B", "known_by": KNOWN})
    annas.post("/for-another/right/", {"right": "access"})
    annas.post("/for-another/words/", {"words": ""})
    token = re.search(r'name="token" value="([^"]+)"', annas.get("/for-another/check/").content.decode())[1]
    first = annas.post("/for-another/check/", {"token": token})
    assert annas.post("/for-another/check/", {"token": token})["Location"] == first["Location"]
    assert RightsRequest.objects.count() == 1


def test_a_known_person_and_an_unknown_one_are_not_told_apart(annas, store, child, english):
    def seen(known_by):
        case = brought(annas, known_by=known_by)
        pages = [
            annas.get(f"/requests/{case.reference}/{page}").content.decode() for page in ("", "role/", "evidence/", "progress/")
        ]
        actions_told = list(audit.events(case.reference).values_list("action", "payload"))
        mails = [item.payload["text"] for item in OutboxItem.objects.filter(request=case)]
        text = repr((pages, actions_told, mails, case.state, list(case.runs.values_list("state", "located_at"))))
        text = re.sub(r'name="(csrfmiddlewaretoken|form|seen)"[^>]*value="[^"]*"|\d\d:\d\d(:\d\d)?|value="\w{16}"', "", text)
        return re.sub(r"datetime=\S+|value=\"[\w-]{20,}\"", "", text.replace(case.reference, "REF"))

    make_request(child, "access", level=2)  # not even that there is an open request
    assert seen(KNOWN) == seen("nobody@example.se") == seen("K-1042")


def test_until_staff_decide_nothing_is_looked_for_and_the_person_is_told_nothing(annas, anna, case, child, stores):
    assert (case.state, case.identity_level) == (State.IDENTIFYING, 0)
    assert case.customer_id != child.pk
    assert not case.customer.identities.exists()
    assert not case.runs.exclude(located_at=None).exists()
    assert recipients() == {"anna@example.se"}
    assert stores.asked == 0
    assert not representing.visible_to(child).exists()


def test_no_code_and_no_e_id_of_the_representative_proves_the_person(annas, anna, case):
    with pytest.raises(NotAllowed):
        cases.record_identity_level(request=case, level=2, now=timezone.now())
    sign_in_customer(annas, anna, level=2)
    annas.get("/identity/")
    case.refresh_from_db()
    assert case.identity_level == 0


def test_nor_does_the_person_signing_in_move_it_on(annas, case, child, agent, stores):
    accept(case, agent)
    browser = Client()
    sign_in_customer(browser, child, level=2)
    browser.get("/identity/")
    case.refresh_from_db()
    assert (case.state, case.identity_level) == (State.IDENTIFYING, 0)


def test_the_role_comes_before_the_person(case, agent, stores):
    with pytest.raises(NotAllowed, match="role first"):
        identify(case, agent)
    accept(case, agent)
    identify(case, agent)
    case.refresh_from_db()
    assert case.state == State.TRIAGE


def test_once_both_are_accepted_it_is_the_persons_own_request_and_they_are_told(annas, anna, case, child, agent, stores):
    nobody = case.customer_id
    stores.contacts = [
        a_number("barnet@example.se", kind="email"),
        a_number("Anna@example.se", kind="email"),  # the guardian's own address stands there, too
        a_number("070-111 22 33", unchanged_days=None),
    ]
    accept(case, agent)
    identify(case, agent)
    case.refresh_from_db()
    assert case.customer == child
    assert list(case.runs.values_list("subject", flat=True)) == [child.public_id]
    assert not Customer.objects.filter(pk=nobody).exists()
    announced = OutboxItem.objects.filter(request=case, key__contains="represented")
    assert [item.to for item in announced] == ["barnet@example.se"]
    assert case in representing.visible_to(child)
    assert case in representing.visible_to(anna)
    assert audit.verify([case.reference]) == []


def test_without_a_contact_in_a_store_somebody_has_to_write(case, agent, stores):
    stores.contacts = []
    accept(case, agent)
    identify(case, agent)
    assert OutboxItem.objects.filter(request=case, kind="task", key__contains="represented").exists()


def test_stores_that_are_down_stop_it_before_anything_is_found(case, agent, stores):
    accept(case, agent)
    stores.down = True
    with pytest.raises(NotAllowed, match="has to be told"):
        identify(case, agent)
    case.refresh_from_db()
    assert case.identity_level == 0
    assert not case.customer.identities.exists()


def test_a_person_who_must_not_be_told_is_told_nothing_anywhere(annas, case, child, agent, stores):
    accept(case, agent, not_told="Skyddad identitet.")
    identify(case, agent)
    assert recipients() == {"anna@example.se"}
    browser = Client()
    browser.cookies["django_language"] = "en"
    sign_in_customer(browser, child, level=2)
    assert case.reference not in browser.get("/requests/").content.decode()
    assert browser.get(f"/requests/{case.reference}/").status_code == 404
    assert browser.get("/ask/access/").status_code == 302  # not even "you have asked already"
    kept = own_data.own_of([child])[child.pk]
    assert case.reference not in repr(kept)
    assert "Skyddad" not in repr(kept) + annas.get(f"/requests/{case.reference}/").content.decode()


def test_nor_by_the_api_nor_as_what_an_erasure_waits_for(case, child, agent, stores):
    accept(case, agent, not_told="Skyddad identitet.")
    identify(case, agent)
    browser = Client()
    browser.cookies["django_language"] = "en"
    sign_in_customer(browser, child, level=2)
    answer = browser.post("/api/v1/requests/", {"right": "access"}, content_type="application/json")
    assert answer.status_code == 409
    assert case.reference not in answer.content.decode()
    erasure = make_request(child, "erasure", level=2, ground="b")
    for page in ("", "waive/"):
        assert case.reference not in browser.get(f"/requests/{erasure.reference}/{page}", follow=True).content.decode()


def test_nor_when_the_role_has_ended(case, child, agent, stores):
    accept(case, agent, not_told="Skyddad identitet.")
    identify(case, agent)
    cases.end_role(request=case, acting_user=agent, reason="Fullmakten är återkallad.", now=timezone.now())
    OutboxItem.objects.all().delete()
    case.refresh_from_db()
    notices.tell(request=case, event="answered", now=timezone.now())
    assert not OutboxItem.objects.exists()


@pytest.mark.parametrize(("not_told", "whom"), [("Skyddad identitet.", set()), ("", {"barnets.andra@example.se"})])
def test_nor_when_their_package_is_built(case, child, agent, stores, monkeypatch, not_told, whom):
    accept(case, agent, not_told=not_told)
    identify(case, agent)
    stores.contacts = [a_number("barnets.andra@example.se", kind="email")]
    OutboxItem.objects.all().delete()
    case.refresh_from_db()
    monkeypatch.setattr(actions, "write_package", lambda sink, **content: {"crm": actions.RunOutcome("done")})
    monkeypatch.setattr(building.actions, "contacts", lambda person, **more: stores.give_contacts(person))
    building.build_package(request=case, now=timezone.now())
    assert {item.to for item in OutboxItem.objects.filter(key__contains=":announced:")} == whom


def test_a_representative_is_not_shown_what_the_person_asked_for_alone(annas_proved, child, agent, stores, store):
    case = brought(annas_proved, right="erasure")
    accept(case, agent)
    identify(case, agent)
    own = make_request(child, "access", level=2)
    for page in ("", "waive/"):
        assert own.reference not in annas_proved.get(f"/requests/{case.reference}/{page}", follow=True).content.decode()


@pytest.fixture
def childs(child):
    """The browser of the person, with the second proof."""
    browser = Client()
    browser.cookies["django_language"] = "en"
    sign_in_customer(browser, child, level=2)
    return browser


def write(browser, case, text, **more):
    path = f"/requests/{case.reference}/messages/"
    form = browser.get(path).context["message_form"].initial["form"]
    assert browser.post(path, {"text": text, "form": form, **more})["Location"].endswith("#messages-title")


def test_what_the_person_writes_is_kept_from_who_acts_for_them(annas, childs, case, agent, stores):
    accept(case, agent)
    identify(case, agent)
    write(annas, case, "Send it to me.")
    write(childs, case, "She must not act for me.", file=sent(picture()))
    upload = Upload.objects.get(message__isnull=False)
    page = annas.get(f"/requests/{case.reference}/").content.decode()
    assert "Send it to me." in page
    assert page.count("You wrote to us") == 1  # nor that there is anything
    assert "must not act" not in page + annas.get(f"/requests/{case.reference}/messages/").content.decode()
    assert annas.get(f"/requests/{case.reference}/messages/{upload.pk}/")["Location"] == f"/requests/{case.reference}/"
    assert childs.get(f"/requests/{case.reference}/messages/{upload.pk}/").status_code == 200
    page = childs.get(f"/requests/{case.reference}/").content.decode()
    assert "must not act" in page
    assert re.search(r"<strong>Your representative</strong>.*Send it to me", page, re.DOTALL)


def test_their_package_holds_nothing_that_the_person_did_or_wrote_here(annas, childs, child, case, agent, stores):
    accept(case, agent)
    identify(case, agent)
    write(childs, case, "She must not act for me.")
    own = make_request(child, "rectification", level=2)
    builds = building.begin(RightsRequest.objects.filter(pk=case.pk), now=timezone.now())
    assert set(builds[0].content["own"]) == {"accounts_customer", "accounts_customeridentity"}
    builds = building.begin([own], now=timezone.now())
    assert "requests_app_message" in builds[0].content["own"]


def test_staff_see_who_of_them_wrote_and_who_reads_what_they_write(annas, childs, case, stores):
    from tests.staff.conftest import Desk

    desk = Desk()
    alice = desk.browser("alice")
    step = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "accept-role"])
    alice.post(step, {"seen": case.state, "note": "Personbevis.", "contact_is_theirs": "Faktura.", "not_told_reason": ""})
    step = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "identity"])
    alice.post(step, {"seen": case.state, "level": "2", "note": "Id-kort."})
    write(annas, case, "Send it to me.")
    write(childs, case, "She must not act for me.")
    page = alice.get(reverse("admin:requests_app_rightsrequest_change", args=[case.pk])).content.decode()
    assert re.search(r", who acts for the person</time>.{,400}Send it to me", page, re.DOTALL)
    assert re.search(r", the person</time>.{,400}must not act", page, re.DOTALL)
    step = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "message"])
    assert "Who acts for the person gets the notice" in alice.get(step).content.decode()


def test_the_log_tells_whether_the_person_or_who_acts_for_them_had_the_package(
    annas_proved, childs, case, agent, stores, settings, tmp_path
):
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"
    accept(case, agent)
    identify(case, agent)
    case.refresh_from_db()
    give_package(case, part([["Barnet"]], "name"))
    for browser in (annas_proved, childs):
        browser.get(f"/requests/{case.reference}/package/read/")
        b"".join(browser.get(f"/requests/{case.reference}/package/"))
    for action in ("package.read", "package.downloaded"):
        payloads = audit.events(case.reference).filter(action=action).values_list("payload", flat=True)
        assert [payload.get("by") for payload in payloads] == ["representative", None]


def test_the_level_of_a_representative_is_that_of_the_request_and_not_their_own(annas_proved, case, agent, stores):
    accept(case, agent)
    identify(case, agent, level=1)
    case.refresh_from_db()
    conversation.write_to_person(
        request=case, acting_user=agent, text="Om personen.", is_question=False, form="1", now=timezone.now()
    )
    Message.objects.update(needed_level=2)
    assert "Om personen." not in annas_proved.get(f"/requests/{case.reference}/").content.decode()


def test_a_new_person_is_made_of_what_was_accepted(annas, store, agent, stores):
    case = brought(annas, known_by="K-1042", role="agent")
    stores.contacts = []
    accept(case, agent)
    identify(case, agent)
    case.refresh_from_db()
    identity = case.customer.identities.get()
    assert (identity.kind, identity.value, identity.verified_by) == (IdentityKind.CUSTOMER_NUMBER, "K-1042", agent)


def test_the_persons_own_open_request_for_the_same_right_comes_first(case, child, agent, stores):
    make_request(child, "access", level=2)
    accept(case, agent)
    with pytest.raises(NotAllowed, match="already has an open request"):
        identify(case, agent)


def test_a_claim_does_not_keep_the_person_from_asking(case, child):
    assert make_request(child, "access", level=2).state == State.TRIAGE


def test_the_representative_reads_the_answer_and_the_person_s_mailbox_alone_does_not(annas, case, child, agent, stores):
    accept(case, agent)
    identify(case, agent)
    RightsRequest.objects.filter(pk=case.pk).update(answer="Hemligt svar", state=State.COMPLETED, closed_at=timezone.now())
    assert "Hemligt svar" in annas.get(f"/requests/{case.reference}/").content.decode()
    browser = Client()
    sign_in_customer(browser, child, level=1)
    page = browser.get(f"/requests/{case.reference}/")
    assert page.status_code == 200
    assert "Hemligt svar" not in page.content.decode()
    assert browser.get(f"/requests/{case.reference}/package/")["Location"].startswith("/identity/")


def test_before_the_person_is_accepted_a_sitting_at_level_2_shows_no_more(annas, anna, case):
    sign_in_customer(annas, anna, level=2)
    assert annas.get(f"/requests/{case.reference}/package/")["Location"].startswith("/identity/")


def test_one_representative_reads_nothing_of_another(bos, annas, case):
    theirs = brought(bos, known_by=KNOWN, role="lawyer")
    for page in ("", "role/", "evidence/", "messages/", "withdraw/", "package/", "progress/", "sent/"):
        assert bos.get(f"/requests/{case.reference}/{page}").status_code == 404
        assert annas.get(f"/requests/{theirs.reference}/{page}").status_code == 404
    assert bos.post(f"/requests/{case.reference}/role/", {"file": sent(picture())}).status_code == 404


def test_a_role_that_ended_shows_nothing_any_more(annas, case, child, agent, stores):
    accept(case, agent)
    identify(case, agent)
    cases.end_role(request=case, acting_user=agent, reason="Fullmakten är återkallad.", now=timezone.now())
    OutboxItem.objects.all().delete()
    assert annas.get(f"/requests/{case.reference}/").status_code == 404
    assert case.reference not in annas.get("/requests/").content.decode()
    case.refresh_from_db()
    notices.tell(request=case, event="answered", now=timezone.now())
    assert recipients() == {KNOWN}
    with pytest.raises(NotAllowed):
        cases.end_role(request=case, acting_user=agent, reason="Igen.", now=timezone.now())


def test_the_proof_is_sent_refused_sent_again_and_deleted_with_the_decision(annas, case, agent):
    page = f"/requests/{case.reference}/role/"
    annas.post(page, {"file": sent(picture())})
    assert uploads.kept(case, Upload.Purpose.ROLE).count() == 1
    cases.refuse_role(request=case, acting_user=agent, reason="Fullmakten har gått ut.", now=timezone.now())
    assert not uploads.kept(case, Upload.Purpose.ROLE).exists()
    assert "Fullmakten har gått ut." in annas.get(page).content.decode()
    assert OutboxItem.objects.filter(request=case, key__contains="role").get().to == "anna@example.se"
    annas.post(page, {"file": sent(picture())})
    accept(case, agent)
    assert not uploads.kept(case, Upload.Purpose.ROLE).exists()
    assert annas.get(page)["Location"] == f"/requests/{case.reference}/"
    with pytest.raises(NotAllowed):
        accept(case, agent)


def test_it_can_be_withdrawn_by_who_brought_it(annas, case):
    annas.post(f"/requests/{case.reference}/withdraw/")
    case.refresh_from_db()
    assert case.state == State.WITHDRAWN


def test_nobody_acts_for_themselves_or_for_a_crowd(annas, store, monkeypatch):
    assert "That is your own" in answer(annas, known_by="ANNA@example.se").content.decode()
    monkeypatch.setattr(representing, "MOST_OPEN", 1)
    annas.post("/for-another/person/", {"name": "B", "known_by": "K-1"})
    assert answer(annas, known_by="K-1").status_code == 302
    assert "many requests for others" in answer(annas, known_by="K-2").content.decode()
    assert Customer.objects.count() == 2  # Anna, and nobody


@pytest.mark.parametrize("right", ["portability", "rectification", "restriction", "erasure", "objection"])
def test_every_right_can_be_asked_for_somebody_else(annas, store, child, agent, stores, right):
    case = brought(annas, right=right, words="Fel gatuadress.")
    assert case.state == State.IDENTIFYING
    accept(case, agent)
    identify(case, agent)
    case.refresh_from_db()
    assert case.customer == child
    assert case.state in (State.TRIAGE, State.APPROVED, State.RUNNING)


def test_by_the_api_nothing_of_it_is_seen(annas, case, child, agent, stores):
    accept(case, agent)
    identify(case, agent)
    browser = Client()
    sign_in_customer(browser, child, level=2)
    assert case.reference not in browser.get("/api/v1/requests/").content.decode()


def test_the_desk_shows_who_acts_and_takes_the_steps(annas, case, child, stores):
    from tests.staff.conftest import Desk

    desk = Desk()
    agent = desk.browser("alice")
    annas.post(f"/requests/{case.reference}/role/", {"file": sent(picture())})
    queue = agent.get(reverse("admin:requests_app_rightsrequest_changelist") + "?whose=needs-me").content.decode()
    assert case.reference in queue
    assert "by a representative" in queue
    url = reverse("admin:requests_app_rightsrequest_change", args=[case.pk])
    page = agent.get(url).content.decode()
    assert "guardian of a child" in page
    assert KNOWN not in page
    assert "anna@example.se" not in page
    step = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "identity"])
    assert agent.get(step).status_code == 302
    step = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "accept-role"])
    assert "files that were sent as proof are deleted" in agent.get(step).content.decode()
    agent.post(step, {"seen": case.state, "note": "Personbevis.", "contact_is_theirs": "Faktura.", "not_told_reason": ""})
    assert Representation.objects.get().state == Representation.State.ACCEPTED
    step = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "identity"])
    agent.post(step, {"seen": case.state, "level": "2", "note": "Id-kort."})
    case.refresh_from_db()
    assert case.state == State.TRIAGE
    assert StoreRun.objects.filter(request=case).exists()
    trail = agent.get(url).content.decode()
    assert "Accepted the proof of the role" in trail
    assert AuditEvent.objects.filter(chain=case.reference, action="role.claimed").exists()


# --- what the person is told of it ------------------------------------------------------------------------------------


def happened(browser, case):
    page = browser.get(f"/requests/{case.reference}/").content.decode()
    return re.sub(r"\s+", " ", page.partition('id="timeline-title"')[2].partition("</ol>")[0])


def test_the_person_reads_what_was_done_for_them_and_by_whom(annas_proved, childs, case, agent, stores, settings, tmp_path):
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"
    annas_proved.post(f"/requests/{case.reference}/role/", {"file": sent(picture())})
    accept(case, agent)
    identify(case, agent)
    case.refresh_from_db()
    give_package(case, part([["Barnet"]], "name"))
    write(annas_proved, case, "Send it to me.", file=sent(picture()))
    annas_proved.get(f"/requests/{case.reference}/package/read/")
    for _time in range(2):
        b"".join(annas_proved.get(f"/requests/{case.reference}/package/"))
    annas_proved.post(f"/requests/{case.reference}/package/delete/")
    annas_proved.post(f"/requests/{case.reference}/withdraw/")
    theirs, hers = happened(childs, case), happened(annas_proved, case)
    for neutral, own in (
        ("A message was written to us", "You wrote to us"),
        ("The data was read here", "You read your data here"),
        ("The package was downloaded", "You downloaded the package"),
        ("The request was withdrawn", "You withdrew your request"),
    ):
        assert re.search(f"{neutral}</p><p>Done by who acts for you", theirs), neutral
        assert own not in theirs
        assert own in hers
        assert neutral not in hers
    assert theirs.count("The package was downloaded") == 1
    assert theirs.count("Done by who acts for you") == 7  # these, two files and the deleted package
    assert "Done by who acts for you" not in hers
    assert audit.verify([case.reference]) == []


def test_who_acts_for_the_person_does_not_read_what_the_person_did(annas_proved, childs, case, agent, stores, settings, tmp_path):
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"
    accept(case, agent)
    identify(case, agent)
    case.refresh_from_db()
    give_package(case, part([["Barnet"]], "name"))
    before = happened(annas_proved, case)
    write(childs, case, "She must not act for me.", file=sent(picture()))
    childs.get(f"/requests/{case.reference}/package/read/")
    b"".join(childs.get(f"/requests/{case.reference}/package/"))
    assert happened(annas_proved, case) == before
    childs.post(f"/requests/{case.reference}/withdraw/")
    assert "The request was withdrawn" in happened(annas_proved, case)
    assert "You withdrew your request" in happened(childs, case)


def test_nobody_gives_up_an_answer_that_they_may_not_know_of(annas_proved, childs, child, store, agent, stores):
    erasure, access = brought(annas_proved, right="erasure"), brought(annas_proved, right="access")
    for case in (erasure, access):
        accept(case, agent)
        identify(case, agent)
    page = f"/requests/{erasure.reference}/waive/"
    assert access.reference in annas_proved.get(page).content.decode()
    own = make_request(child, "portability", level=2)
    assert annas_proved.get(page)["Location"] == f"/requests/{erasure.reference}/"
    annas_proved.post(page)
    erasure.refresh_from_db()
    with pytest.raises(NotAllowed, match="Write to us"):
        cases.waive_waiting(request=erasure, customer=access.representation.representative, now=timezone.now())
    assert erasure.waived_at is None
    assert own.reference in childs.get(page).content.decode()
    childs.post(page)
    erasure.refresh_from_db()
    assert erasure.waived_at is not None


# --- the name and the contact -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("beside", "word"), [("yes", "stand together"), ("no", "another name"), ("unknown", "do not tell")])
def test_staff_see_whether_the_name_and_the_contact_belong_together(annas, case, child, stores, monkeypatch, beside, word):
    from tests.staff.conftest import Desk

    asked = []
    monkeypatch.setattr(actions, "name_beside", lambda identities, *, name: asked.append((list(identities), name)) or beside)
    alice = Desk().browser("alice")
    assert not asked
    step = reverse("admin:requests_app_rightsrequest_step", args=[case.pk, "accept-role"])
    page = alice.get(step).content.decode()
    assert word in page
    assert KNOWN not in page
    assert asked[0] == ([actions.Identity("email", KNOWN)], "Barnet Andersson")
    sure = beside == "yes"
    assert ("contact_is_theirs" in page) is not sure
    alice.post(step, {"seen": case.state, "note": "Personbevis.", "not_told_reason": ""})
    assert (Representation.objects.get().state == Representation.State.ACCEPTED) is sure
    if not sure:
        without = {"note": "Personbevis.", "not_told_reason": "", "now": timezone.now()}
        with pytest.raises(NotAllowed, match="contact given belongs"):
            cases.accept_role(request=case, acting_user=make_staff("agent"), **without)
        alice.post(step, {"seen": case.state, "note": "Personbevis.", "contact_is_theirs": "Faktura.", "not_told_reason": ""})
    assert AuditEvent.objects.get(action="role.accepted").payload["name_beside_contact"] == beside


# --- in the words of who acts for the person --------------------------------------------------------------------------


def test_nothing_that_is_asked_for_another_is_called_mine(annas, store, child):
    annas.post("/for-another/role/", {"role": "guardian"})
    annas.post("/for-another/person/", {"name": "B", "known_by": KNOWN})
    page = annas.get("/for-another/right/").content.decode()
    assert "Restrict the use of the person&#x27;s data" in page
    annas.post("/for-another/right/", {"right": "restriction"})
    case = brought(annas, right="restriction", words="x")
    assert "Data you have about the person is wrong" in annas.get(f"/requests/{case.reference}/").content.decode()
    annas.post("/for-another/right/", {"right": "restriction"})
    page = annas.get("/for-another/ground/").content.decode()
    assert "Why should we stop using the person&#x27;s data?" in page
    for word in (" my ", " I ", "about me"):
        assert word not in page.partition("<form")[2].partition("</form>")[0]


def test_where_the_request_stands_is_said_to_who_acts_and_leads_on(annas, case, agent, stores):
    def seen():
        return annas.get(f"/requests/{case.reference}/").content.decode()

    assert "Show us that you may act for the person" in seen()
    assert "Send proof of your role" in seen()
    annas.post(f"/requests/{case.reference}/role/", {"file": sent(picture())})
    assert "a person here looks at it" in seen()
    assert "Waiting for you" not in seen() + annas.get("/requests/").content.decode()
    accept(case, agent)
    assert "now makes sure who the person is" in seen()
    assert f"/requests/{case.reference}/evidence/" in seen()
    identify(case, agent)
    assert "We look for your data in our systems" in seen()


def test_their_own_proof_is_never_said_to_show_more(annas, annas_case_words, agent, stores):
    """It would not: what counts is what staff accept. So the page does not lead there."""
    page = annas.get(f"/requests/{annas_case_words.reference}/").content.decode()
    assert "The address is wrong." not in page
    assert "Shown when we have accepted who the person is" in page
    assert "/identity/" not in page
    assert "We wait for proof that you may act for the person" in page
    assert "a mailbox is not proof enough" not in page
    accept(annas_case_words, agent)
    identify(annas_case_words, agent)
    page = annas.get(f"/requests/{annas_case_words.reference}/").content.decode()
    assert "The address is wrong." in page
    assert "The person&#x27;s identity was accepted" in page


@pytest.fixture
def annas_case_words(annas, store, child):
    return brought(annas, right="rectification", words="The address is wrong.")


# --- two who write and send in one request ----------------------------------------------------------------------------


def test_neither_silences_the_other_nor_counts_what_the_other_wrote(annas, childs, case, agent, stores, monkeypatch):
    accept(case, agent)
    identify(case, agent)
    monkeypatch.setattr(conversation, "MOST_A_DAY", 2)
    for _time in range(2):
        write(annas, case, "Send it to me.")
    for _time in range(2):
        write(childs, case, "She must not act for me.")
    path = f"/requests/{case.reference}/messages/"
    for browser in (annas, childs):
        form = browser.get(path).context["message_form"].initial["form"]
        assert "many messages today" in browser.post(path, {"text": "Once more.", "form": form}).content.decode()


@pytest.mark.parametrize("limit", ["MOST_PER_PURPOSE", "MOST_PER_DAY"])
def test_nor_uses_up_the_files_of_the_other(annas, childs, case, agent, stores, monkeypatch, limit):
    accept(case, agent)
    identify(case, agent)
    monkeypatch.setattr(uploads, limit, 1)
    write(annas, case, "Here.", file=sent(picture()))
    write(childs, case, "And here.", file=sent(picture()))
    path = f"/requests/{case.reference}/messages/"
    for browser in (annas, childs):
        form = browser.get(path).context["message_form"].initial["form"]
        page = browser.post(path, {"text": "Once more.", "form": form, "file": sent(picture())}).content.decode()
        assert "There is a problem" in page
    assert Upload.objects.filter(deleted_at=None).count() == 2


def test_files_are_counted_over_all_that_one_brought(annas, store, child, monkeypatch):
    first, second = brought(annas), brought(annas, known_by="K-1")
    monkeypatch.setattr(uploads, "MOST_PER_DAY", 1)
    annas.post(f"/requests/{first.reference}/role/", {"file": sent(picture())})
    page = annas.post(f"/requests/{second.reference}/role/", {"file": sent(picture())}).content.decode()
    assert "many files today" in page
    assert Upload.objects.count() == 1
