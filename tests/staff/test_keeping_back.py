"""What staff keep from an erasure (Art. 17(3)): approved with the plan, carried out, told, and gone on its day."""

from datetime import datetime, time, timedelta

import pytest
from django.utils import timezone

from privacy import audit, returning
from privacy.models import Remnant
from requests_app import cases
from requests_app.case.keeping_back import keep_back
from requests_app.models import State, StoreRun
from requests_app.running.scans import scan_due
from requests_app.running.workers import locate_due, run_due
from tests.factories import make_customer, make_request
from tests.privacy.shared_rows import Shop
from tests.staff.conftest import fresh
from tests.staff.test_steps import offered, step_url, take

pytestmark = pytest.mark.django_db(transaction=True)
TODAY = timezone.localdate()
UNTIL = TODAY + timedelta(days=400)


@pytest.fixture
def shop(make_postgres_database, settings, tmp_path):
    settings.INSYN_LEDGER_FILE = tmp_path / "ledger.jsonl"
    shop = Shop(make_postgres_database())
    shop.sql("UPDATE document SET co_owner_id = NULL WHERE owner_id = 1")  # nothing is contested here
    return shop


def searched(case):
    while locate_due():
        pass
    return fresh(case)


def asked(email="anna@example.se"):
    return searched(make_request(make_customer(email), "erasure"))


@pytest.fixture
def case(shop):
    return asked()


def form_of(desk, case, who="alice"):
    return desk.browser(who).get(step_url(case, "keep-back")).context["form"]


def place(form, *path):
    return next(name for name, found in form.places.items() if found == path)


def keep(desk, case, *paths, ground="e", until=UNTIL, reason="A claim is before the court.", who="alice"):
    form = form_of(desk, case, who)
    names = [place(form, *path) for path in paths]
    answer = take(
        desk, who, case, "keep-back", kept=names, ground=ground, until=until.isoformat() if until else "", reason=reason
    )
    searched(case)
    return answer


def erase(desk, case):
    take(desk, "alice", case, "propose", reason="")
    code = desk.browser("bea").get(step_url(case, "approve-erasure")).context
    sent = {"digest": code["form"]["digest"].initial, "plan_code": code["plan_code"], "otp_token": desk.code("bea")}
    take(desk, "bea", case, "approve-erasure", **sent)
    while run_due() or scan_due():
        pass
    return fresh(case)


def night(day):
    returning.run(now=timezone.make_aware(datetime.combine(day, time(3))))


TITLE = ("shop", "document", "title")


def test_a_field_is_kept_readable_and_the_rest_of_the_row_is_not(desk, case, shop):
    keep(desk, case, TITLE)
    assert fresh(case).runs.get().finding["document"]["erase"]["kept"] == [
        {"rows": 3, "basis": "GDPR art. 17.3 e", "until": UNTIL.isoformat(), "fields": ["title"]}
    ]
    done = erase(desk, case)
    assert done.state == State.COMPLETED
    assert sorted(shop.column("SELECT title FROM document WHERE id < 13")) == ["own", "with Bo", "with Cia"]
    assert not {"Anna", "Bo", "Cia"} & set(shop.column("SELECT signed_by FROM document WHERE id < 13"))
    assert not shop.column("SELECT id FROM customer WHERE email = 'anna@example.se'")
    assert "legal claims" in done.answer
    assert "3 records kept until" in done.answer


def test_it_goes_by_itself_on_its_day_and_not_before(desk, case, shop):
    keep(desk, case, TITLE)
    erase(desk, case)
    assert Remnant.objects.get().due_on == UNTIL
    night(UNTIL - timedelta(days=1))
    assert len(shop.column("SELECT id FROM document WHERE id < 13")) == 3
    night(UNTIL)
    assert shop.column("SELECT id FROM document WHERE id < 13") == []
    assert Remnant.objects.get().state == Remnant.State.GONE


def test_the_night_of_a_new_map_does_not_forget_it(desk, case, shop):
    keep(desk, case, TITLE)
    erase(desk, case)
    from tests.privacy.shared_rows import MAP

    shop.load(MAP.replace("[user.behavior]", "[user.content]"))
    night(TODAY + timedelta(days=1))
    assert sorted(shop.column("SELECT title FROM document WHERE id < 13")) == ["own", "with Bo", "with Cia"]


def test_whole_rows_and_two_grounds_keep_to_the_later_day(desk, case, shop):
    later = UNTIL + timedelta(days=30)
    keep(desk, case, TITLE)
    keep(desk, case, ("shop", "document", ""), ground="b", until=later, reason="The tax agency asked.")
    done = erase(desk, case)
    assert sorted(shop.column("SELECT signed_by FROM document WHERE id < 13")) == ["Anna", "Bo", "Cia"]
    assert Remnant.objects.get().due_on == later
    assert done.state == State.COMPLETED


def test_nobody_elses_erasure_keeps_anything_because_of_it(desk, case, shop):
    keep(desk, case, TITLE)
    bo = asked("bo@example.se")
    take(desk, "alice", bo, "propose", reason="")
    for one in (case, bo):
        code = None
        if fresh(one).state == State.TRIAGE:
            take(desk, "alice", one, "propose", reason="")
        code = desk.browser("bea").get(step_url(one, "approve-erasure")).context
        desk.devices["bea"].throttle_reset()
        desk.devices["bea"].last_t = -1
        desk.devices["bea"].save()
        sent = {"digest": code["form"]["digest"].initial, "plan_code": code["plan_code"], "otp_token": desk.code("bea")}
        take(desk, "bea", one, "approve-erasure", **sent)
    while run_due() or scan_due():
        pass
    assert shop.column("SELECT id FROM document WHERE id = 13") == []
    assert len(shop.column("SELECT id FROM document WHERE id < 13")) == 3


def test_it_is_part_of_the_plan_and_can_be_taken_back(desk, case):
    before = cases.plan_digest(case)
    keep(desk, case, TITLE)
    assert cases.plan_digest(case) != before
    form = form_of(desk, case)
    ((name, words),) = form.fields["dropped"].choices
    assert words.startswith("shop.document.title: legal claims")
    take(desk, "alice", case, "keep-back", dropped=[name])
    searched(case)
    assert cases.plan_digest(case) == before
    assert fresh(case).runs.get().finding["document"]["erase"].get("kept", []) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ground": ""}, "ground"),
        ({"ground": "z"}, "ground"),
        ({"until": None}, "until"),
        ({"until": TODAY}, None),
        ({"until": TODAY + timedelta(days=5000)}, None),
        ({"reason": " "}, "reason"),
    ],
)
def test_without_ground_day_and_reason_nothing_is_kept(desk, case, wrong, field):
    answer = keep(desk, case, TITLE, **wrong)
    errors = answer.context["form"].errors
    assert list(errors) == [field or "__all__"]
    assert StoreRun.objects.get(request=case).choices == {}


def test_a_field_that_is_none_is_refused(desk, case):
    for path in (("shop", "document", "colour"), ("shop", "none", ""), ("elsewhere", "document", "title")):
        with pytest.raises(cases.NotAllowed):
            keep_back(
                request=case,
                kept=[path],
                dropped=[],
                ground="e",
                until=UNTIL,
                reason="A claim.",
                acting_user=desk.person("alice"),
                now=timezone.now(),
            )


def test_it_is_decided_while_the_case_is_assessed_and_by_no_one_else(desk, case):
    assert "keep-back" in offered(desk, "alice", case)
    assert "keep-back" not in offered(desk, "olof", case)
    take(desk, "alice", case, "propose", reason="")
    assert "keep-back" not in offered(desk, "alice", case)


def test_the_trail_names_the_fields_and_the_ground_and_no_value(desk, case):
    keep(desk, case, TITLE)
    (event,) = (event for event in audit.events(case.reference) if event.action == "erasure.kept_back")
    assert event.payload == {"fields": ["shop.document.title"], "dropped": 0, "ground": "e", "until": UNTIL.isoformat()}
    assert fresh(case).details["kept_back"][0]["reason"] == "A claim is before the court."
