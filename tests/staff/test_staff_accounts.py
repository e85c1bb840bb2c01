"""An administrator manages colleagues' accounts: never their own, never the last administrator, never a password."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import messaging
from accounts import staff as business
from accounts.models import Role, Staff
from privacy.models import AuditEvent
from tests.factories import make_staff
from tests.mailbox import Mailbox

pytestmark = pytest.mark.django_db
LIST = reverse("admin:accounts_staff_changelist")
INVITE = reverse("admin:accounts_staff_invite")


def confirm(colleague, change):
    return reverse("admin:accounts_staff_confirm", args=[colleague.pk, change])


def test_a_colleague_is_invited_by_mail(desk):
    answer = desk.browser("ada").post(INVITE, {"name": "Nina Ny", "email": "Nina@Firma.example", "roles": ["agent", "approver"]})
    newcomer = Staff.objects.get(email="nina@firma.example")
    assert answer["Location"] == reverse("admin:accounts_staff_change", args=[newcomer.pk])
    assert newcomer.has_role(Role.APPROVER)
    assert Mailbox.kept[-1].to == "nina@firma.example"
    page = desk.browser("ada").get(answer["Location"]).content.decode()
    assert "The invitation was sent." in page


def test_the_page_shows_no_secret(desk):
    desk.browser("ada").post(INVITE, {"name": "Nina", "email": "nina@firma.example", "roles": ["agent"]})
    text = Mailbox.kept[-1].text
    password, code = (line.split()[-1] for line in text.splitlines() if line.strip().startswith(("password", "code")))
    page = (
        desk.browser("ada")
        .get(reverse("admin:accounts_staff_change", args=[Staff.objects.get(first_name="Nina").pk]))
        .content.decode()
    )
    assert password not in page
    assert code not in page


def test_an_address_is_not_invited_twice(desk):
    desk.person("bea")
    answer = desk.browser("ada").post(INVITE, {"name": "Bea", "email": "BEA@firma.example", "roles": ["officer"]})
    assert "email" in answer.context["form"].errors
    assert not desk.person("bea").has_role("officer")


def test_a_role_is_needed(desk):
    assert "roles" in desk.browser("ada").post(INVITE, {"name": "N", "email": "n@firma.example"}).context["form"].errors


def test_mail_that_does_not_leave_is_said(desk, monkeypatch):
    def refuse(**message):
        raise messaging.DeliveryFailed("no")

    monkeypatch.setattr(messaging, "deliver", refuse)
    answer = desk.browser("ada").post(INVITE, {"name": "N", "email": "n@firma.example", "roles": ["agent"]}, follow=True)
    assert "did not leave" in answer.content.decode()


def test_roles_are_changed(desk):
    bea = desk.person("bea")
    page = desk.browser("ada").get(confirm(bea, "roles")).content.decode()
    assert page.count("checked") == 1
    desk.browser("ada").post(confirm(bea, "roles"), {"roles": ["officer"]})
    assert set(bea.groups.values_list("name", flat=True)) == {"officer"}
    event = AuditEvent.objects.get(action="staff.roles_set")
    assert event.payload == {"staff": bea.pk, "before": ["approver"], "roles": ["officer"]}


def test_a_reset_ends_everything_the_colleague_had(desk):
    browser = desk.browser("bea")
    assert browser.get(reverse("admin:index")).status_code == 200
    desk.browser("ada").post(confirm(desk.person("bea"), "reset"))
    assert browser.get(reverse("admin:index")).status_code == 302
    assert not desk.person("bea").totpdevice_set.exists()
    assert Mailbox.kept[-1].to == "bea@firma.example"


def test_a_deactivated_colleague_is_out_at_once_and_stays_as_a_name(desk):
    browser = desk.browser("bea")
    desk.browser("ada").post(confirm(desk.person("bea"), "deactivate"))
    assert browser.get(reverse("admin:index")).status_code == 302
    assert Staff.objects.filter(pk=desk.person("bea").pk, is_active=False).exists()


def test_letting_in_again_starts_from_the_beginning(desk):
    bea = desk.person("bea")
    desk.browser("ada").post(confirm(bea, "deactivate"))
    desk.browser("ada").post(confirm(bea, "reactivate"))
    bea.refresh_from_db()
    assert bea.is_active
    assert not bea.totpdevice_set.exists()
    assert bea.staticdevice_set.exists()


@pytest.mark.parametrize("change", ["roles", "reset", "deactivate", "reactivate"])
def test_nobody_changes_their_own_account(desk, change):
    ada = desk.person("ada")
    assert desk.browser("ada").post(confirm(ada, change), {"roles": ["administrator", "approver"]}).status_code == 403
    assert not ada.has_role("approver")
    assert "/confirm/" not in desk.browser("ada").get(reverse("admin:accounts_staff_change", args=[ada.pk])).content.decode()


def without_other_administrators(desk):
    """`last` is the only administrator left; who acts has just lost the role in another window."""
    last = make_staff(Role.ADMINISTRATOR, email="last@firma.example")
    desk.person("ada").groups.clear()
    return last


def test_the_last_administrator_keeps_the_role(desk):
    last = without_other_administrators(desk)
    with pytest.raises(business.NotAllowed):
        business.set_roles(staff=last, roles=["agent"], acting_user=desk.person("ada"), now=timezone.now())
    assert last.has_role("administrator")


def test_the_last_administrator_is_not_deactivated(desk):
    last = without_other_administrators(desk)
    with pytest.raises(business.NotAllowed):
        business.deactivate_staff(staff=last, acting_user=desk.person("ada"), now=timezone.now())
    assert Staff.objects.get(pk=last.pk).is_active


def queries_of(browser, url):
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(url).status_code == 200
    return len(queries)


def test_the_list_costs_the_same_for_any_number(desk):
    browser = desk.browser("ada")
    browser.get(LIST)  # the first page of a sitting is noted in the session
    few = queries_of(browser, LIST)
    for _number in range(20):
        make_staff(Role.AGENT, Role.APPROVER)
    assert queries_of(browser, LIST) == few


def test_those_who_have_not_enrolled_can_be_filtered(desk):
    desk.person("bea")
    make_staff(Role.AGENT, email="invited@firma.example")
    page = desk.browser("ada").get(f"{LIST}?enrolled=no").content.decode()
    assert "invited@firma.example" in page
    assert "bea@firma.example" not in page


def test_the_officer_reads_the_list_and_finds_no_button(desk):
    page = desk.browser("olof").get(reverse("admin:accounts_staff_change", args=[desk.person("bea").pk])).content.decode()
    assert "/confirm/" not in page
