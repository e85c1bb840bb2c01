"""What the first page tells of the house: store health, the last purge of each rule, when the audit log was verified."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from privacy.models import AuditEvent, PurgeRun, Store
from tests.factories import make_store

pytestmark = pytest.mark.django_db
INDEX = reverse("admin:index")


def purge(store, collection, state="done", days=0, **columns):
    at = timezone.now() - timedelta(days=days)
    return PurgeRun.objects.create(store=store, collection=collection, rule="P1Y", state=state, started_at=at, **columns)


def test_stores_out_of_reach_come_first(desk):
    make_store("alpha", health=Store.Health.OK)
    make_store("beta", health=Store.Health.DOWN)
    make_store("gone", is_active=False)
    page = desk.browser("eva").get(INDEX)
    assert [line.record.key for line in page.context["stores"]] == ["beta", "alpha"]
    assert "unreachable" in page.content.decode()


def test_the_last_purge_of_each_rule_is_told_and_leads_to_the_same_list(desk):
    store = make_store()
    purge(store, "login", days=2)
    newest = purge(store, "login", removed=7)
    bad = purge(store, "ticket", "stopped", days=1)
    lines = desk.browser("eva").get(INDEX).context["purges"]
    assert [line.record for line in lines] == [bad, newest]
    listed = desk.browser("eva").get(reverse("admin:privacy_purgerun_changelist") + "?last=each").context["cl"]
    assert set(listed.result_list) == {bad, newest}


def verified(desk, who="olof"):
    return desk.browser(who).get(INDEX).context["verification"]


def test_nobody_has_verified_the_log_yet(desk):
    assert verified(desk)["at"] is None


def test_verifying_at_the_desk_is_remembered_with_who_did_it(desk):
    desk.browser("olof").post(reverse("admin:privacy_auditevent_verify"))
    told = verified(desk)
    event = AuditEvent.objects.get(pk=told["event"])
    assert event.actor == f"staff:{desk.person('olof').pk}"
    assert "whole" in told["state"]
    assert "not whole" not in told["state"]


def test_a_look_at_one_chain_is_no_look_at_the_log(desk):
    desk.browser("olof").post(reverse("admin:privacy_auditevent_verify"), {"chain": "system"})
    assert verified(desk)["at"] is None


def test_the_command_is_remembered_and_a_broken_log_is_told(desk, capsys):
    desk.browser("olof").post(reverse("admin:privacy_auditevent_verify"))
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE privacy_auditevent DISABLE TRIGGER audit_append_only")
        cursor.execute("UPDATE privacy_auditevent SET action = 'audit.other' WHERE seq = 1 AND chain = 'system'")
    with pytest.raises(SystemExit):
        call_command("audit", "verify")
    assert "not whole" in verified(desk)["state"]
    assert AuditEvent.objects.get(pk=verified(desk)["event"]).payload == {"problems": 1}


def test_agents_are_not_told_of_the_log(desk):
    assert "verification" not in desk.browser("alice").get(INDEX).context
