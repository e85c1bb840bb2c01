"""Who may open what: every address of the desk against every role, and against those who are nobody here."""

import pytest
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

from accounts.models import Role
from accounts.roles import TABLE
from accounts.staff_site import staff_site
from privacy import audit
from privacy.models import AuditEvent, LedgerEntry, OperatorRun, PurgeRun, Recipient, Remnant, Restriction, Store, Suppression
from requests_app.desk.record_steps import StepsAdmin
from requests_app.desk.steps import STEPS
from requests_app.models import BreachCase, Disclosure, Forwarding, OutboxItem, RecipientNotice, Upload
from requests_app.models.consent import Consent
from requests_app.running import outbox
from tests.factories import make_customer, make_staff, sign_in_customer
from tests.staff.conftest import enrol, make_case, sign_in

EVERYBODY = "everybody"  # all staff with a role and both factors
ANYBODY = "anybody"  # the way in

# address → the action of the role table that opens it
PAGES = {
    "index": EVERYBODY,
    "logout": EVERYBODY,
    "password_change": EVERYBODY,
    "password_change_done": EVERYBODY,
    "login": ANYBODY,
    "enrol": ANYBODY,
    "requests_app_rightsrequest_changelist": "request.see",
    "requests_app_rightsrequest_change": "request.see",
    "requests_app_rightsrequest_enter": "request.enter",
    "requests_app_rightsrequest_find": "request.search",
    "requests_app_rightsrequest_identity": "request.reveal_identity",
    "requests_app_rightsrequest_rows": "request.see_contested",
    "requests_app_rightsrequest_preview": "request.preview",
    "requests_app_rightsrequest_file": "request.read_words",
    "requests_app_consent_changelist": "request.see",
    "requests_app_consent_change": "request.see",
    "requests_app_consent_handled": "request.report_task",
    "requests_app_consent_who": "request.reveal_identity",
    "requests_app_recipientnotice_changelist": "request.see",
    "requests_app_recipientnotice_change": "request.see",
    "requests_app_recipientnotice_words": "recipient.tell",
    "requests_app_forwarding_changelist": "request.see",
    "requests_app_forwarding_change": "request.see",
    "requests_app_forwarding_who": "forwarding.report",
    "requests_app_breachcase_changelist": "breach.see",
    "requests_app_breachcase_change": "breach.see",
    "requests_app_disclosure_changelist": "disclosure.see",
    "requests_app_disclosure_change": "disclosure.see",
    "requests_app_disclosure_enter": "disclosure.enter",
    "requests_app_rightsrequest_paper": "request.open_file",
    "requests_app_outboxitem_changelist": "delivery.see",
    "requests_app_outboxitem_change": "delivery.see",
    "privacy_store_changelist": "store.see",
    "privacy_store_change": "store.see",
    "privacy_store_record": "processing.see",
    "privacy_store_recordfile": "processing.see",
    "privacy_datasetversion_changelist": "store.see",
    "privacy_datasetversion_change": "store.see",
    "privacy_datasetversion_confirm": "map.confirm",
    "privacy_purgerun_changelist": "store.see",
    "privacy_purgerun_change": "store.see",
    "privacy_remnant_changelist": "request.see",
    "privacy_remnant_change": "request.see",
    "requests_app_rightsrequest_assign": "request.assign",
    "requests_app_rightsrequest_saveview": "request.see",
    "requests_app_rightsrequest_forgetview": "request.see",
    "requests_app_rightsrequest_mention": "request.read_words",
    "privacy_recipient_changelist": "store.see",
    "privacy_recipient_change": "store.see",
    "privacy_recipient_new": "recipient.change",
    "privacy_recipient_edit": "recipient.change",
    "privacy_auditevent_changelist": "audit.see",
    "privacy_auditevent_change": "audit.see",
    "privacy_auditevent_verify": "audit.see",
    "privacy_auditevent_export": "audit.export",
    "privacy_restriction_changelist": "record.see",
    "privacy_restriction_change": "record.see",
    "privacy_suppression_changelist": "record.see",
    "privacy_suppression_change": "record.see",
    "privacy_ledgerentry_changelist": "record.see",
    "privacy_ledgerentry_change": "record.see",
    "privacy_operatorrun_changelist": "record.see",
    "privacy_operatorrun_change": "record.see",
    "accounts_staff_changelist": "staff.see",
    "accounts_staff_change": "staff.see",
    "accounts_staff_invite": "staff.manage",
    "accounts_staff_confirm": "staff.manage",
}
STEP_PAGES = {"requests_app_rightsrequest_step", "requests_app_rightsrequest_target"}
BY_POST = {
    "requests_app_rightsrequest_saveview",
    "requests_app_rightsrequest_forgetview",
    "requests_app_rightsrequest_mention",
    "requests_app_rightsrequest_find",
    "requests_app_rightsrequest_identity",
    "requests_app_rightsrequest_rows",
    "requests_app_rightsrequest_preview",
    "requests_app_rightsrequest_paper",
    "privacy_auditevent_verify",
    "privacy_auditevent_export",
    "requests_app_consent_handled",
    "requests_app_consent_who",
    "requests_app_recipientnotice_words",
    "requests_app_forwarding_who",
    "logout",
}
# pages of one record that need no more than its number
ON_A_RECORD = ("change", "edit", "handled", "who", "words")
# records with steps of their own: address → steps
RECORD_STEPS = {
    f"{model._meta.app_label}_{model._meta.model_name}_step": desk.steps
    for model, desk in staff_site._registry.items()
    if isinstance(desk, StepsAdmin)
}


def all_patterns(patterns):
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern
        else:
            yield from all_patterns(pattern.url_patterns)


class World:
    """One row of everything, so that every address leads somewhere."""

    def __init__(self, canary):
        now = timezone.now()
        self.case = make_case("erasure", customer=canary)
        self.store = Store.objects.first()
        self.file = Upload.objects.create(request=self.case, purpose="evidence", kind="pdf", file_name="x", created_at=now)
        self.colleague = make_staff(Role.AGENT)
        self.recipient = Recipient.objects.create(key="bookkeeper", name="Siffror AB")
        self.purge = PurgeRun.objects.create(store=self.store, collection="login", state="done", started_at=now)
        self.restriction = Restriction.objects.create(subject="x", store=self.store, case="K", ground="a", set_at=now)
        self.suppression = Suppression.objects.create(kind="email", lookup="0" * 64, lookup_key="1", since=now)
        self.ledger = LedgerEntry.objects.create(
            case="K",
            store_key="s",
            kind="identity",
            field="email",
            lookup="0" * 64,
            lookup_key="1",
            erased_at=now,
            expires_on=now,
        )
        outbox.enqueue(kind="email", key="k", to="x@y.example", payload={"text": "t"}, now=now, request=self.case)
        self.kept = Remnant.objects.create(case="K", subject="x", store=self.store, map_version=1, kept_at=now)
        self.delivery = OutboxItem.objects.get(key="k")
        self.consent = Consent.objects.create(
            customer=canary, kind="purpose", about="news", given=True, at=now, text="t", policy_version="1"
        )
        self.command = OperatorRun.objects.create(
            who="x", case="K", action="erase", store=self.store, identities=[], plan={}, actor="operator:nina", created_at=now
        )
        self.notice = RecipientNotice.objects.create(
            request=self.case, about="erasure", recipient="bank", name="Bank", words="w", created_at=now, due_on=now
        )
        self.disclosure = Disclosure.objects.create(
            asker_kind="authority",
            asker="a",
            occasion="demand",
            asked="a",
            asked_on=now,
            entered_by=self.colleague,
            entered_at=now,
        )
        self.breach = BreachCase.objects.create(kind="other", nature="n", opened_at=now, aware_at=now)
        self.forwarding = Forwarding.objects.create(
            request=self.case, store=self.store, mark="m", state="waiting", created_at=now
        )
        self.event = AuditEvent.objects.filter(chain=self.case.reference).first()

    def url(self, name, step=None):
        pk = {
            "requests_app_rightsrequest": self.case,
            "requests_app_outboxitem": self.delivery,
            "requests_app_consent": self.consent,
            "requests_app_recipientnotice": self.notice,
            "requests_app_disclosure": self.disclosure,
            "requests_app_breachcase": self.breach,
            "requests_app_forwarding": self.forwarding,
            "privacy_store": self.store,
            "privacy_datasetversion": self.store.versions.get(),
            "privacy_purgerun": self.purge,
            "privacy_remnant": self.kept,
            "privacy_recipient": self.recipient,
            "privacy_auditevent": self.event,
            "privacy_restriction": self.restriction,
            "privacy_suppression": self.suppression,
            "privacy_ledgerentry": self.ledger,
            "privacy_operatorrun": self.command,
            "accounts_staff": self.colleague,
        }
        numbers = {
            "recordfile": ["csv"],
            "rows": [self.case.pk],
            "preview": [self.case.pk],
            "file": [self.case.pk, 1],
            "mention": [self.case.pk, 1],
            "forgetview": [1],
        }
        model, page = next(
            ((m, name.removeprefix(f"{m}_")) for m in pk if name.startswith(f"{m}_")), ("", name.rpartition("_")[2])
        )
        if page in ON_A_RECORD and model in pk:
            args = [pk[model].pk]
        elif page == "paper":
            args = [self.case.pk, self.file.pk]
        elif page in numbers:
            args = numbers[page]
        elif page == "identity":
            args = [self.case.pk, self.case.customer.identities.first().pk]
        elif name == "accounts_staff_confirm":
            args = [self.colleague.pk, "deactivate"]
        elif page == "confirm":
            args = [pk[model].pk]
        elif page == "step":
            args = [pk[model].pk, step]
        elif page == "target":
            args = [self.case.pk, step, self.case.runs.first().pk]
        else:
            args = []
        return reverse(f"admin:{name}", args=args)


@pytest.fixture
def world(canary):
    return World(canary)


def ask(client, name, url):
    return client.post(url) if name in BY_POST else client.get(url)


def test_no_address_is_forgotten_here():
    names = {pattern.name for pattern in all_patterns(staff_site.get_urls()) if pattern.name}
    assert names == set(PAGES) | STEP_PAGES | set(RECORD_STEPS)


def test_only_the_catch_all_has_no_name():
    assert [pattern.pattern.regex.pattern for pattern in all_patterns(staff_site.get_urls()) if not pattern.name] == [
        "(?P<url>.*)$"
    ]


@pytest.mark.parametrize("role", Role)
def test_a_role_opens_what_the_table_says_and_nothing_else(world, role):
    person = make_staff(role)
    enrol(person)
    for name, action in PAGES.items():
        if action == ANYBODY:
            continue
        client = sign_in(person)
        status = ask(client, name, world.url(name)).status_code
        allowed = action == EVERYBODY or role in TABLE[action].roles
        assert (status != 403) == allowed, f"{role} {name}: {status}"
        assert status in ((200, 302) if allowed else (403,)), f"{role} {name}: {status}"


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("step", STEPS)
def test_a_role_opens_the_steps_that_the_table_says(world, role, step):
    person = make_staff(role)
    enrol(person)
    client = sign_in(person)
    name = "requests_app_rightsrequest_step" if STEPS[step].targets is None else "requests_app_rightsrequest_target"
    url = world.url(name, step)
    allowed = role in TABLE[STEPS[step].action].roles
    for answer in (client.get(url), client.post(url, {"seen": world.case.state})):
        assert (answer.status_code in (200, 302)) if allowed else (answer.status_code == 403)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", RECORD_STEPS)
def test_a_role_opens_the_steps_of_a_record_that_the_table_says(world, role, name):
    person = make_staff(role)
    enrol(person)
    client = sign_in(person)
    for step in RECORD_STEPS[name]:
        url = world.url(name, step.key)
        for answer in (client.get(url), client.post(url, {})):
            assert (answer.status_code in (200, 302)) == (role in TABLE[step.action].roles), f"{role} {name} {step.key}"
            assert answer.status_code in (200, 302, 403)


def nobody():
    return Client()


def a_customer():
    client = Client()
    sign_in_customer(client, make_customer(), level=2)
    return client


def without_the_second_factor():
    client = Client()
    client.force_login(make_staff(*Role))
    return client


def with_an_app_that_was_never_confirmed():
    person = make_staff(*Role)
    device = enrol(person)
    device.confirmed = False
    device.save()
    return sign_in(person)


def with_somebody_elses_app():
    person, other = make_staff(*Role), make_staff()
    client = Client()
    client.force_login(person)
    session = client.session
    session["otp_device_id"] = enrol(other).persistent_id
    session.save()
    return client


def with_a_static_token_only():
    person = make_staff(*Role)
    client = Client()
    client.force_login(person)
    session = client.session
    session["otp_device_id"] = person.staticdevice_set.create(name="invitation").persistent_id
    session.save()
    return client


def without_a_role():
    person = make_staff()
    enrol(person)
    return sign_in(person)


def who_left():
    person = make_staff(*Role)
    enrol(person)
    client = sign_in(person)
    person.is_active = False
    person.save()
    return client


@pytest.mark.parametrize(
    "somebody",
    [
        nobody,
        a_customer,
        without_the_second_factor,
        with_an_app_that_was_never_confirmed,
        with_somebody_elses_app,
        with_a_static_token_only,
        without_a_role,
        who_left,
    ],
)
def test_somebody_who_is_not_fully_signed_in_is_led_to_the_sign_in_page(world, somebody):
    client = somebody()
    urls = [(name, world.url(name)) for name, action in PAGES.items() if action != ANYBODY]
    urls += [(name, world.url(name, step.key)) for name, steps in RECORD_STEPS.items() for step in steps]
    urls += [("step", world.url("requests_app_rightsrequest_step", step)) for step in STEPS if STEPS[step].targets is None]
    for name, url in urls:
        answer = ask(client, name, url)
        assert answer.status_code == 302, name
        assert answer["Location"].startswith((reverse("admin:login"), reverse("admin:index"))), name
    assert client.post(world.url("requests_app_rightsrequest_step", "refuse"), {"reason": "x"}).status_code == 302


@pytest.mark.django_db
def test_a_post_without_its_token_changes_nothing(world, desk):
    client = Client(enforce_csrf_checks=True)
    signed_in = sign_in(desk.person("bea"))
    client.cookies = signed_in.cookies
    assert client.post(world.url("requests_app_rightsrequest_step", "refuse"), {"reason": "x"}).status_code == 403


def test_the_address_bar_asks_no_questions_that_no_filter_offers(world, desk):
    for who, name, question in (
        ("olof", "accounts_staff_changelist", "password__startswith=pbkdf2"),
        ("olof", "requests_app_rightsrequest_changelist", "customer__identities__value__contains=a"),
        ("eva", "privacy_store_changelist", "url__contains=postgres"),
    ):
        assert desk.browser(who).get(f"{world.url(name)}?{question}").status_code == 400


def test_the_desk_verifies_the_log_it_wrote(world):
    assert audit.verify([world.case.reference]) == []
