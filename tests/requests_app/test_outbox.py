"""Effects owed to the world leave at least once, under one key, and keep nothing of what they said."""

from datetime import timedelta

import httpx2
import pytest

from accounts import messaging
from privacy import hooks
from requests_app.models import OutboxItem
from requests_app.running import outbox
from tests.factories import NOW, make_request, make_staff

pytestmark = pytest.mark.django_db
Kind = OutboxItem.Kind


def owe(key="K:received:1", kind=Kind.EMAIL, to="sven@example.se", payload=None, **columns):
    outbox.enqueue(
        kind=kind, key=key, to=to, payload=payload or {"subject": "Hello", "text": "There is an answer."}, now=NOW, **columns
    )
    return OutboxItem.objects.get(key=key)


def test_it_is_delivered_once_and_forgets_what_it_said(mailbox):
    item = owe()
    assert outbox.deliver_due(now=NOW) == 1
    assert outbox.deliver_due(now=NOW) == 0
    assert [(message.to, message.subject, message.key) for message in mailbox] == [("sven@example.se", "Hello", "K:received:1")]
    item.refresh_from_db()
    assert (item.delivered_at, item.payload, item.to, item.error) == (NOW, None, None, "")


def test_the_same_key_is_owed_once(mailbox):
    owe(), owe()
    assert OutboxItem.objects.count() == 1


def test_what_fails_is_tried_again_later_and_later(monkeypatch, mailbox):
    item = owe()

    def fail(**message):
        raise messaging.DeliveryFailed("the mail server did not take the message (SMTPDataError 554)")

    with monkeypatch.context() as patch:
        patch.setattr(messaging, "deliver", fail)
        now, waits = NOW, []
        for _ in range(10):
            assert outbox.deliver_due(now=now) == 0
            item.refresh_from_db()
            waits.append((item.due_at - now).total_seconds())
            now = item.due_at
    assert item.error == "the mail server did not take the message (SMTPDataError 554)"
    assert 120 <= waits[0] <= 150
    assert 240 <= waits[1] <= 300
    assert 6 * 3600 <= waits[-1] <= 7.5 * 3600
    assert outbox.deliver_due(now=now) == 1
    item.refresh_from_db()
    assert (item.attempts, item.error) == (11, "")


def test_an_error_that_names_the_address_is_not_kept(monkeypatch, capsys):
    item = owe()

    def fail(**message):
        raise RuntimeError("sven@example.se: mailbox full")

    monkeypatch.setattr(messaging, "deliver", fail)
    outbox.deliver_due(now=NOW)
    item.refresh_from_db()
    assert item.error == "RuntimeError"
    captured = capsys.readouterr()
    assert "sven" not in captured.out + captured.err


def test_one_that_fails_does_not_stop_the_others(monkeypatch, mailbox):
    owe("A:x:1", to="broken@example.se")
    owe("B:x:1")
    real = messaging.deliver

    def deliver(**message):
        if message["to"] == "broken@example.se":
            raise messaging.DeliveryFailed("no")
        real(**message)

    monkeypatch.setattr(messaging, "deliver", deliver)
    assert outbox.deliver_due(now=NOW) == 1


def test_a_worker_that_dies_in_the_middle_leaves_it_to_be_tried_again(monkeypatch, mailbox):
    owe()

    def die(**message):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(messaging, "deliver", die)
        with pytest.raises(SystemExit):
            outbox.deliver_due(now=NOW)
    assert outbox.deliver_due(now=NOW) == 0
    assert outbox.deliver_due(now=NOW + timedelta(minutes=3)) == 1


def test_what_is_due_later_waits():
    owe(due_at=NOW + timedelta(hours=1))
    assert outbox.deliver_due(now=NOW) == 0


def test_a_task_for_a_person_waits_until_it_is_reported_done():
    agent = make_staff("agent")
    item = owe("K:answered:letter", kind=Kind.TASK, to=None, payload={"text": "Write a letter"}, request=make_request(now=NOW))
    assert outbox.deliver_due(now=NOW) == 1  # the confirmation of the request, not the task
    item.refresh_from_db()
    assert item.delivered_at is None
    assert outbox.report_done(item=item, acting_user=agent, now=NOW)
    assert not outbox.report_done(item=item, acting_user=agent, now=NOW)


class Receiver:
    """Stands where the other end of a hook would."""

    def __init__(self, answer=200):
        self.answer, self.posts = answer, []

    def post(self, url, *, content, headers, **options):
        self.posts.append((url, content, headers))
        if isinstance(self.answer, Exception):
            raise self.answer
        return httpx2.Response(self.answer)


@pytest.fixture
def hooked(settings):
    settings.INSYN_HOOK_HOST_ALLOWLIST = ["hooks.example.se"]
    settings.INSYN_HOOK_SECRET = "shared"


def owe_hook(url="https://hooks.example.se/erased"):
    return owe("K:hook:1", kind=Kind.HOOK, to=None, payload={"url": url, "body": {"case": "K7MW"}})


def test_a_hook_is_signed_and_carries_its_key(hooked, monkeypatch):
    receiver = Receiver()
    monkeypatch.setattr(httpx2, "post", receiver.post)
    owe_hook()
    assert outbox.deliver_due(now=NOW) == 1
    ((url, body, headers),) = receiver.posts
    assert (url, body) == ("https://hooks.example.se/erased", b'{"case": "K7MW"}')
    assert headers["Idempotency-Key"] == "K:hook:1"
    stamp = headers["X-Insyn-Timestamp"]
    assert headers["X-Insyn-Signature"] == "v1=" + hooks.sign(body, stamp=stamp, secret="shared")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (500, "hooks.example.se answered 500"),
        (302, "hooks.example.se answered 302"),
        (httpx2.ConnectError("sven"), "hooks.example.se cannot be reached (ConnectError)"),
    ],
)
def test_a_hook_that_is_not_taken_is_tried_again(hooked, monkeypatch, answer, says):
    monkeypatch.setattr(httpx2, "post", Receiver(answer).post)
    item = owe_hook()
    assert outbox.deliver_due(now=NOW) == 0
    item.refresh_from_db()
    assert (item.error, item.delivered_at) == (says, None)


def test_a_hook_goes_to_allowed_hosts_only(hooked, monkeypatch):
    receiver = Receiver()
    monkeypatch.setattr(httpx2, "post", receiver.post)
    item = owe_hook("https://169.254.169.254/latest")
    outbox.deliver_due(now=NOW)
    item.refresh_from_db()
    assert receiver.posts == []
    assert "INSYN_HOOK_HOST_ALLOWLIST" in item.error


def test_a_hook_is_neither_signed_with_an_empty_secret_nor_sent_in_the_open(hooked, settings, monkeypatch):
    receiver = Receiver()
    monkeypatch.setattr(httpx2, "post", receiver.post)
    item = owe_hook("http://hooks.example.se/erased")
    outbox.deliver_due(now=NOW)
    item.refresh_from_db()
    assert "https://" in item.error
    settings.INSYN_HOOK_SECRET = ""
    OutboxItem.objects.update(payload={"url": "https://hooks.example.se/erased", "body": {}})
    outbox.deliver_due(now=NOW + timedelta(hours=1))
    item.refresh_from_db()
    assert "INSYN_HOOK_SECRET" in item.error
    assert receiver.posts == []


def test_old_items_that_no_case_needs_go():
    owe("A:x:1"), owe("B:x:1", request=make_request())
    outbox.deliver_due(now=NOW)
    outbox.deliver_due()
    assert outbox.forget_delivered(now=NOW + timedelta(days=10000)) == 1
    assert OutboxItem.objects.filter(request=None).count() == 0
    assert OutboxItem.objects.exclude(request=None).exists()
