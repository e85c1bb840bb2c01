"""The privacy policy in versions: what was in force stays readable, a new one is put in force once, and customers are told."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import Customer
from privacy.models import AuditEvent
from requests_app import policy
from requests_app.errors import NotAllowed
from requests_app.models import OutboxItem, RightsRequest
from requests_app.models.consent import PolicyVersion
from requests_app.running import outbox
from tests.factories import make_customer, make_request, sign_in_customer
from tests.mailbox import Mailbox

pytestmark = pytest.mark.django_db
OLD, NEW = "2026-11", "2026-12"


@pytest.fixture
def two_versions(db):
    """The older was in force until yesterday."""
    PolicyVersion.objects.all().delete()
    now = timezone.now()
    PolicyVersion.objects.create(version=OLD, in_force_at=now - timedelta(days=400), put_by="system", told_at=now)
    return policy.put_in_force(version=NEW, actor="operator:ola", now=now)


@pytest.fixture
def late_anna(anna, two_versions):
    """She was here before the change."""
    Customer.objects.filter(pk=anna.pk).update(policy_seen=OLD, created_at=timezone.now() - timedelta(days=9))
    anna.refresh_from_db()
    return anna


def test_a_new_installation_begins_with_the_version_of_the_settings(english):
    assert policy.current_version() == NEW
    assert "in force since" in english.get("/privacy/").content.decode()
    PolicyVersion.objects.all().delete()  # nobody wrote down when
    assert f"version {NEW}" in english.get("/privacy/").content.decode()
    assert english.get("/privacy/versions/").status_code == 200


def test_every_version_that_was_in_force_stays_readable_with_its_days(english, two_versions):
    page = english.get("/privacy/versions/").content.decode()
    assert "In force since" in page
    assert "In force from" in page
    assert "no longer applies" in english.get(f"/privacy/{OLD}/").content.decode()
    assert "no longer applies" not in english.get(f"/privacy/{NEW}/").content.decode()
    assert "Consents" in english.get(f"/privacy/{NEW}/changes/").content.decode()


@pytest.mark.parametrize("path", [f"/privacy/{OLD}/", f"/privacy/{OLD}/changes/", "/privacy/1999-01/"])
def test_what_was_never_in_force_is_not_found(english, path):
    assert english.get(path).status_code == 404


def test_the_first_version_changed_nothing(english):
    assert english.get(f"/privacy/{NEW}/changes/")["Location"] == f"/privacy/{NEW}/"


def test_putting_one_in_force_is_written_in_the_audit_log_and_happens_once(two_versions):
    event = AuditEvent.objects.get(action="policy.in_force")
    assert (event.actor, event.payload) == ("operator:ola", {"version": NEW, "before": OLD})
    with pytest.raises(NotAllowed, match="in force"):
        policy.put_in_force(version=NEW, actor="operator:ola", now=timezone.now())


def test_a_version_without_its_text_or_its_changes_is_not_put_in_force(db):
    for version, says in (("2099-01", "2099-01.html"), (OLD, f"{OLD}.changes.html")):
        with pytest.raises(NotAllowed, match=says):
            policy.put_in_force(version=version, actor="operator:ola", now=timezone.now())
    assert policy.current_version() == NEW


def test_the_operators_command_puts_in_force_and_lists(db):
    PolicyVersion.objects.all().delete()
    out = StringIO()
    call_command("policy", "enforce", NEW, "--actor", "ola", stdout=out)
    call_command("policy", "list", stdout=out)
    assert f"Version {NEW} is in force" in out.getvalue()
    assert "customers are being told" in out.getvalue()
    for version, actor in (("2099-01", "ola"), (NEW, "ola"), (NEW, "ola@example.se")):
        with pytest.raises(CommandError):
            call_command("policy", "enforce", version, "--actor", actor)


def test_every_customer_is_told_once_in_batches_whatever_is_killed(monkeypatch, two_versions):
    monkeypatch.setattr(policy, "BATCH", 2)
    before = timezone.now() - timedelta(days=1)
    people = [make_customer(language=language) for language in ("sv", "en", "sv", "en", "sv")]
    Customer.objects.update(created_at=before)
    make_customer("later@example.se")  # came after the change: it is no news
    assert [policy.tell_some(now=timezone.now()) for _batch in range(4)] == [2, 2, 1, 0]
    PolicyVersion.objects.filter(version=NEW).update(
        told_at=None, told_up_to=0
    )  # a worker that was killed before it wrote its place down
    while policy.tell_some(now=timezone.now()):
        pass
    assert OutboxItem.objects.filter(key__startswith=f"policy:{NEW}:").count() == len(people)
    assert not policy.somebody_to_tell()


def test_the_message_says_nothing_but_that_there_is_news(late_anna):
    policy.tell_some(now=timezone.now())
    Mailbox.kept.clear()
    outbox.deliver_due(now=timezone.now())
    [message] = Mailbox.kept
    assert message.to == "anna@example.se"
    assert "changed our privacy policy" in message.subject
    for personal in ("Anna", "anna", "request"):
        assert personal not in message.text


def test_who_has_seen_an_older_version_is_told_on_every_page_until_they_look(english, late_anna, stores):
    sign_in_customer(english, late_anna)
    for path in ("/", "/requests/"):
        assert "We have changed our privacy policy" in english.get(path).content.decode()
    english.get(f"/privacy/{NEW}/changes/")
    late_anna.refresh_from_db()
    assert late_anna.policy_seen == NEW
    assert "We have changed our privacy policy" not in english.get("/requests/").content.decode()


def test_reading_an_older_version_is_no_look_at_the_new_one(english, late_anna, stores):
    sign_in_customer(english, late_anna)
    english.get(f"/privacy/{OLD}/")
    english.get("/privacy/versions/")
    late_anna.refresh_from_db()
    assert late_anna.policy_seen == OLD


def test_nobody_else_sees_the_banner(english, two_versions):
    assert "We have changed" not in english.get("/").content.decode()


def test_a_newcomer_has_missed_nothing_and_who_comes_back_has(two_versions):
    newcomer, back = make_customer(), make_customer()
    make_request(back)
    RightsRequest.objects.update(notice_version=OLD)
    policy.seen_by_newcomer(newcomer)
    policy.seen_by_newcomer(back)
    assert (newcomer.policy_seen, back.policy_seen) == (NEW, OLD)


def test_a_request_notes_the_version_in_force(two_versions):
    assert make_request().notice_version == NEW


def test_the_text_names_the_company_and_every_right(english, settings):
    settings.INSYN_COMPANY_NAME = "Exempelbolaget AB"
    page = english.get("/privacy/").content.decode()
    assert "Exempelbolaget AB" in page
    for article in ("6", "7", "15", "16", "17", "18", "20", "21", "22"):
        assert f"Article {article}" in page, article
