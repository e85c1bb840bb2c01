"""Messages leave by the messenger the settings name; what goes wrong is told without a word of what was sent."""

import hmac
import json
import smtplib
from hashlib import sha256

import httpx2
import pytest
from django.core import mail

from accounts import messaging
from accounts.messaging import DeliveryFailed
from tests.mailbox import Mailbox

MESSAGE = {"to": "anna@example.se", "subject": "Your code", "text": "123456", "key": "code:abc"}


def send(**changes):
    messaging.deliver(**{"channel": "email", **MESSAGE, **changes})


def test_the_settings_say_who_carries_which_channel(settings):
    send()
    send(channel="sms", to="+46701234567")
    assert [(one.channel, one.to) for one in Mailbox.kept] == [("email", "anna@example.se"), ("sms", "+46701234567")]


def test_a_channel_without_a_messenger_says_what_to_set(settings):
    settings.INSYN_SMS_MESSENGER = ""
    with pytest.raises(DeliveryFailed, match="INSYN_SMS_MESSENGER"):
        send(channel="sms")


def test_mail_carries_the_key_as_its_id_and_asks_for_no_automatic_answer(settings):
    settings.INSYN_EMAIL_MESSENGER = "accounts.messaging.SmtpMessenger"
    settings.DEFAULT_FROM_EMAIL = "Nordhem <dataskydd@nordhem.example>"
    send(subject="Your\ncode")
    send()
    first, second = mail.outbox
    assert first.to == ["anna@example.se"]
    assert first.subject == "Your code"
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]
    assert first.extra_headers["Message-ID"].endswith("@nordhem.example>")
    assert first.extra_headers["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPRecipientsRefused({"anna@example.se": (550, b"anna@example.se unknown")}),
        smtplib.SMTPDataError(554, b"refused: 123456"),
        ConnectionRefusedError("anna@example.se"),
        TimeoutError("123456"),
    ],
)
def test_what_a_mail_server_says_is_not_repeated(settings, monkeypatch, error):
    settings.INSYN_EMAIL_MESSENGER = "accounts.messaging.SmtpMessenger"

    def refuse(self, fail_silently=False):
        raise error

    monkeypatch.setattr(mail.EmailMessage, "send", refuse)
    with pytest.raises(DeliveryFailed) as failed:
        send()
    assert "anna" not in str(failed.value)
    assert "123456" not in str(failed.value)
    assert failed.value.__cause__ is None


@pytest.fixture
def gateway(settings, monkeypatch):
    """A gateway for text messages that answers with `status` and keeps what it got."""
    settings.INSYN_SMS_MESSENGER = "accounts.messaging.HttpSmsGateway"
    settings.INSYN_SMS_GATEWAY_URL = "https://gateway.example/send"
    settings.INSYN_SMS_GATEWAY_SECRET = "a shared secret"
    got = {"status": 202, "requests": []}

    def post(url, *, content, headers, timeout):
        got["requests"].append((url, content, headers))
        if isinstance(got["status"], Exception):
            raise got["status"]
        return httpx2.Response(got["status"])

    monkeypatch.setattr(httpx2, "post", post)
    return got


def test_a_text_message_is_posted_signed_and_with_its_key(gateway):
    send(channel="sms", to="+46701234567")
    url, body, headers = gateway["requests"][0]
    assert url == "https://gateway.example/send"
    assert json.loads(body) == {"to": "+46701234567", "text": "123456", "key": "code:abc"}
    assert headers["Idempotency-Key"] == "code:abc"
    expected = hmac.new(b"a shared secret", headers["X-Insyn-Timestamp"].encode() + b"." + body, sha256).hexdigest()
    assert headers["X-Insyn-Signature"] == f"v1={expected}"


def test_without_a_secret_nothing_is_posted(gateway, settings):
    settings.INSYN_SMS_GATEWAY_SECRET = ""
    with pytest.raises(DeliveryFailed, match="INSYN_SMS_GATEWAY_SECRET"):
        send(channel="sms", to="+46701234567")
    assert gateway["requests"] == []


@pytest.mark.parametrize("status", [400, 500, httpx2.ConnectError("no route to +46701234567"), httpx2.ReadTimeout("123456")])
def test_a_gateway_that_does_not_take_it_is_a_failure_without_details(gateway, status):
    gateway["status"] = status
    with pytest.raises(DeliveryFailed) as failed:
        send(channel="sms", to="+46701234567")
    assert "4670" not in str(failed.value)
    assert "123456" not in str(failed.value)
