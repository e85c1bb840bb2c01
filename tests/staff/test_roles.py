"""The table of roles is one table: in the code, in docs/roles.md, on every page."""

from pathlib import Path

import pytest
from django.core.management import call_command

from accounts import roles
from accounts.models import Role, Staff
from requests_app.desk.menu import SECTIONS
from requests_app.desk.steps import STEPS
from tests.factories import make_staff

DOC = Path(__file__).resolve().parents[2] / "docs" / "roles.md"


def test_the_page_in_the_docs_is_the_table():
    assert DOC.read_text() == roles.as_markdown(), "run: manage.py roles --markdown > docs/roles.md"


def test_the_command_prints_each_role_with_what_it_may_do(capsys):
    call_command("roles")
    printed = capsys.readouterr().out
    assert all(role.value in printed for role in Role)
    assert "request.approve_erasure" in printed


@pytest.mark.parametrize("step", STEPS.values(), ids=lambda step: step.key)
def test_every_step_asks_the_table(step):
    assert step.action in roles.TABLE


def test_every_page_of_the_menu_asks_the_table():
    assert {action for _label, pages in SECTIONS for _name, _text, action in pages} - {""} <= set(roles.TABLE)


def test_an_action_that_nobody_wrote_down_is_an_error():
    with pytest.raises(KeyError):
        roles.may(None, "request.invent")


def test_the_officer_changes_nothing_but_what_is_the_officers_alone():
    """Whether a person may know of a disclosure, and who is told of a breach; no case, no data, no map."""
    changing = {key for key, rule in roles.TABLE.items() if Role.OFFICER in rule.roles}
    assert changing == {
        "request.see",
        "request.read_words",
        "request.reveal_identity",
        "request.search",
        "store.see",
        "processing.see",
        "delivery.see",
        "audit.see",
        "audit.export",
        "record.see",
        "staff.see",
        "disclosure.see",
        "disclosure.clear",
        "breach.see",
        "breach.decide",
    }


@pytest.mark.parametrize("role", [Role.ENGINEER, Role.ADMINISTRATOR])
def test_the_engineer_and_the_administrator_see_no_people(role):
    assert not [key for key, rule in roles.TABLE.items() if role in rule.roles and key.startswith("request.")]


@pytest.mark.django_db
def test_a_superuser_without_a_role_may_nothing():
    root = Staff.objects.create_superuser("root@firma.example", "correct horse battery")
    assert not any(roles.may(root, action) for action in roles.TABLE)


@pytest.mark.django_db
def test_somebody_who_was_deactivated_may_nothing():
    former = make_staff(*Role)
    former.is_active = False
    assert not any(roles.may(former, action) for action in roles.TABLE)


@pytest.mark.django_db
def test_whoever_holds_two_roles_may_what_either_may():
    both = make_staff(Role.ENGINEER, Role.OFFICER)
    assert roles.may(both, "map.confirm")
    assert roles.may(both, "record.see")
    assert not roles.may(both, "request.approve")
