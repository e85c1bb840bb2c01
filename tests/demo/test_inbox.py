"""The inbox shows codes, so it opens on this machine only, in the demo only."""

from binascii import unhexlify
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import messaging
from demo import staff
from demo.inbox import InboxMessenger, staff_codes
from demo.models import DemoMessage

pytestmark = pytest.mark.django_db


@pytest.fixture
def caught(settings: Any) -> None:
    settings.INSYN_EMAIL_MESSENGER = settings.INSYN_SMS_MESSENGER = "demo.inbox.InboxMessenger"
    messaging.deliver(channel="email", to="anna.andersson@example.com", subject="Din kod", text="Koden är 123456.", key="code:a")
    messaging.deliver(channel="sms", to="+46701740605", subject="", text="654321 är din kod.", key="code:b")


@pytest.mark.usefixtures("caught")
def test_it_shows_messages_newest_first_with_their_codes(client: Client) -> None:
    page = client.get(reverse("demo:inbox"))
    assert page.status_code == 200
    text = page.content.decode()
    assert text.index("654321") < text.index("+46701740605") or text.index("+46701740605") < text.index(
        "anna.andersson@example.com"
    )
    assert text.index("+46701740605") < text.index("123456")


@pytest.mark.usefixtures("caught")
def test_one_key_is_one_message() -> None:
    InboxMessenger().send(channel="sms", to="+46701740605", subject="", text="654321 är din kod.", key="code:b")
    assert DemoMessage.objects.count() == 2


@pytest.mark.usefixtures("caught")
@pytest.mark.parametrize(
    "told",
    [
        {"REMOTE_ADDR": "192.0.2.1"},
        {"REMOTE_ADDR": ""},
        {"HTTP_X_FORWARDED_FOR": "192.0.2.1"},
        {"HTTP_FORWARDED": "for=192.0.2.1"},
    ],
)
def test_it_is_not_there_for_anybody_elsewhere(client: Client, told: dict[str, str]) -> None:
    page = client.get(reverse("demo:inbox"), **told)  # type: ignore[arg-type]
    assert page.status_code == 404
    assert b"123456" not in page.content


@pytest.mark.usefixtures("caught")
def test_it_is_not_there_under_a_foreign_name(client: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert client.get(reverse("demo:inbox"), HTTP_HOST="rebound.example").status_code == 404


@pytest.mark.usefixtures("caught")
def test_it_is_not_there_outside_the_demo(client: Client, settings: Any) -> None:
    settings.DEMO = False
    assert client.get(reverse("demo:inbox")).status_code == 404


def test_it_takes_no_posts_and_is_never_cached(client: Client) -> None:
    assert client.post(reverse("demo:inbox")).status_code == 405
    assert "no-store" in client.get(reverse("demo:inbox"))["Cache-Control"]


@pytest.mark.parametrize(("language", "words"), [("sv", "Personalen och deras koder"), ("en", "Staff and their codes")])
def test_it_speaks_both_languages(client: Client, settings: Any, language: str, words: str) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    assert words in client.get(reverse("demo:inbox")).content.decode()


def test_messages_are_encrypted_at_rest() -> None:
    from django.db import connection

    InboxMessenger().send(channel="email", to="anna.andersson@example.com", subject="Hej", text="Koden är 123456.", key="x")
    with connection.cursor() as cursor:
        cursor.execute("SELECT demo_demomessage::text FROM demo_demomessage")
        (row,) = cursor.fetchone()
    assert "anna" not in row
    assert "123456" not in row


def test_there_is_somebody_for_every_role_with_a_password_and_a_second_factor() -> None:
    logins = staff.hire(known={}, now=timezone.now())
    assert {login["role"] for login in logins} == {"agent", "approver", "engineer", "officer", "administrator"}
    assert TOTPDevice.objects.filter(confirmed=True).count() == len(logins)
    assert len({login["password"] for login in logins}) == len(logins)


def test_hiring_again_keeps_passwords_that_are_written_down() -> None:
    logins = staff.hire(known={}, now=timezone.now())
    assert staff.hire(known={login["email"]: login for login in logins}, now=timezone.now()) == logins


def test_the_codes_shown_are_those_that_work_and_a_used_one_is_marked() -> None:
    staff.hire(known={}, now=timezone.now())
    at = timezone.now().timestamp()
    (first, *_) = staff_codes(at=at)
    assert not first.used
    assert 0 < first.seconds_left <= 30
    device = TOTPDevice.objects.get(user__email=first.email)
    totp = TOTP(unhexlify(device.key))
    totp.time = at
    assert first.code == f"{totp.token():06d}"
    assert device.verify_token(first.code)
    assert next(iter(staff_codes(at=at))).used
