"""An invitation opens one page, where a password is chosen and an app is set up; nothing else, and only once."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import messaging
from accounts.models import Role, Staff
from accounts.second_factor import qr_svg
from privacy.models import AuditEvent
from tests.mailbox import Mailbox
from tests.staff.conftest import code_of

pytestmark = pytest.mark.django_db
LOGIN, ENROL, INDEX = reverse("admin:login"), reverse("admin:enrol"), reverse("admin:index")
EMAIL = "ny@firma.example"
OWN = "my own long phrase 7"


def invite(capsys, *roles, email=EMAIL, name="Nina Ny"):
    """(password, code) as the command prints them."""
    call_command("invite_staff", email, *(f"--role={role}" for role in roles or ("agent",)), f"--name={name}")
    printed = capsys.readouterr().out
    password, code = re.search(r"password +(\S+)", printed), re.search(r"code +(\S+)", printed)
    return (password[1], code[1]) if password else printed


def come_in(password, code, email=EMAIL):
    client = Client()
    client.cookies["django_language"] = "en"
    return client, client.post(LOGIN, {"username": email, "password": password, "otp_token": code})


def enrol(client, code=None, password=OWN):
    device = TOTPDevice.objects.get(user__email=EMAIL)
    return client.post(ENROL, {"code": code or code_of(device), "new_password1": password, "new_password2": password})


def test_the_whole_way_in(capsys):
    client, answer = come_in(*invite(capsys, "agent", "approver"))
    assert answer["Location"] == ENROL
    before = client.session.session_key
    assert enrol(client)["Location"] == INDEX
    assert client.get(INDEX).status_code == 200
    assert client.session.session_key != before
    newcomer = Staff.objects.get(email=EMAIL)
    assert newcomer.get_full_name() == "Nina Ny"
    assert newcomer.has_role(Role.APPROVER)
    assert newcomer.check_password(OWN)
    assert not StaticToken.objects.exists()


def test_until_then_every_other_page_is_closed(capsys):
    client, _answer = come_in(*invite(capsys))
    for url in (INDEX, reverse("admin:requests_app_rightsrequest_changelist"), reverse("admin:password_change")):
        answer = client.get(url)
        assert answer.status_code == 302
        assert answer["Location"].startswith(LOGIN)
    assert client.get(LOGIN)["Location"] == ENROL


def test_the_page_shows_a_picture_and_a_key_and_no_script(capsys):
    client, _answer = come_in(*invite(capsys))
    page = client.get(ENROL).content.decode()
    assert "<svg" in page
    assert 'class="key"' in page
    assert "<script" not in page
    assert "style=" not in page
    assert "no-store" in client.get(ENROL)["Cache-Control"]


def test_the_picture_holds_what_it_should():
    svg = qr_svg("otpauth://totp/x?secret=ABC", label="A <label>")
    assert "A &lt;label&gt;" in svg
    assert "style" not in svg


def test_the_enrolment_page_is_closed_to_everybody_else(desk):
    assert Client().get(ENROL)["Location"] == LOGIN
    assert desk.browser("alice").get(ENROL)["Location"] == LOGIN


def test_a_wrong_code_of_the_app_changes_nothing(capsys):
    password, code = invite(capsys)
    client, _answer = come_in(password, code)
    answer = enrol(client, code="000000")
    assert answer.status_code == 200
    assert "code" in answer.context["form"].errors
    assert Staff.objects.get(email=EMAIL).check_password(password)
    assert not TOTPDevice.objects.get(user__email=EMAIL).confirmed


@pytest.mark.parametrize("weak", ["short", "password1234", "123456789012"])
def test_a_weak_password_is_refused(capsys, weak):
    client, _answer = come_in(*invite(capsys))
    assert enrol(client, password=weak).status_code == 200
    assert not TOTPDevice.objects.get(user__email=EMAIL).confirmed


def test_the_code_works_once(capsys):
    invitation = invite(capsys)
    come_in(*invitation)
    _client, answer = come_in(*invitation)
    assert answer.status_code == 200


def test_the_code_is_worth_nothing_without_the_password(capsys):
    _password, code = invite(capsys)
    _client, answer = come_in("a wrong one", code)
    assert answer.status_code == 200


def test_an_invitation_lasts_a_week(capsys):
    password, code = invite(capsys)
    with time_machine.travel(timezone.now() + timedelta(days=7, minutes=1), tick=False):
        _client, answer = come_in(password, code)
        assert answer.status_code == 200


def test_inviting_again_makes_the_first_invitation_worthless(capsys):
    first, second = invite(capsys), invite(capsys)
    assert come_in(*first)[1].status_code == 200
    with time_machine.travel(timezone.now() + timedelta(seconds=5), tick=False):  # the failure slows the next attempt
        assert come_in(*second)[1].status_code == 302
    assert Staff.objects.filter(email=EMAIL).count() == 1


def test_inviting_somebody_enrolled_only_sets_roles(capsys):
    client, _answer = come_in(*invite(capsys, "agent"))
    enrol(client)
    printed = invite(capsys, "officer")
    assert "Enrolled already" in printed
    newcomer = Staff.objects.get(email=EMAIL)
    assert newcomer.has_role(Role.OFFICER)
    assert not newcomer.has_role(Role.AGENT)
    assert newcomer.check_password(OWN)


def test_an_invitation_does_not_open_a_second_way_past_the_app(capsys):
    client, _answer = come_in(*invite(capsys))
    enrol(client)
    newcomer = Staff.objects.get(email=EMAIL)
    newcomer.staticdevice_set.create(name="invitation").token_set.create(token="abcdefgh")
    _client, answer = come_in(OWN, "abcdefgh")
    assert answer.status_code == 200


def test_guessing_the_code_is_slowed_down(capsys):
    password, code = invite(capsys)
    for _attempt in range(3):
        come_in(password, "aaaa-aaaa-aaaa-aaaa")
    assert come_in(password, code)[1].status_code == 200


def test_what_happened_is_in_the_audit_log_without_a_name(capsys):
    client, _answer = come_in(*invite(capsys))
    enrol(client)
    events = AuditEvent.objects.filter(chain="system")
    assert list(events.values_list("action", flat=True)) == ["staff.invited", "staff.enrolled"]
    assert EMAIL not in str(list(events.values_list("payload", "actor")))


def test_outside_the_demo_nothing_is_printed_but_sent(capsys, settings):
    settings.DEMO = False
    call_command("invite_staff", EMAIL, "--role=agent", "--site=https://insyn.example")
    printed = capsys.readouterr().out
    assert "sent" in printed
    message = Mailbox.kept[-1]
    assert message.to == EMAIL
    assert "https://insyn.example/admin/login/" in message.text
    code = re.search(r"\b([a-z2-7]{4}(?:-[a-z2-7]{4}){3})\b", message.text)[1]
    assert code not in printed


def test_mail_that_does_not_leave_is_said_with_what_to_do(settings, monkeypatch):
    settings.DEMO = False

    def refuse(**message):
        raise messaging.DeliveryFailed("the mail server cannot be reached")

    monkeypatch.setattr(messaging, "deliver", refuse)
    with pytest.raises(CommandError, match="Then run this command again"):
        call_command("invite_staff", EMAIL, "--role=agent")


@pytest.mark.parametrize("arguments", [["not-an-address", "--role=agent"], [EMAIL, "--role=boss"], [EMAIL]])
def test_wrong_usage_is_told(arguments):
    with pytest.raises(CommandError):
        call_command("invite_staff", *arguments)
    assert not Staff.objects.exists()


def test_it_asks_where_the_desk_is_before_anything_is_made(settings):
    settings.DEMO, settings.INSYN_PUBLIC_URL = False, ""
    with pytest.raises(CommandError, match="--site"):
        call_command("invite_staff", EMAIL, "--role=agent")
    assert not Staff.objects.exists()
