"""What the person reads: the case rebuilt from its audit events, and each store's answer in plain words."""

from datetime import timedelta

import pytest
from django.utils.translation import override

from requests_app import cases
from requests_app.case.answers import StoreAnswer, human_answers
from requests_app.case.timeline import TOLD, timeline
from requests_app.models import LIFT, Right, RunState, StoreRun
from requests_app.running.workers import locate_due, run_due
from tests.factories import NOW, make_request, make_staff, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_english():
    with override("en"):
        yield


def told(request):
    return [(entry.kind, entry.title) for entry in timeline(request)]


def test_the_whole_road(engine, clock):
    make_store("crm")
    request = make_request(right="rectification", level=1, now=NOW)
    locate_due(clock=clock)
    cases.ask_identity(request=request, acting_user=make_staff("agent"), doubt="A secret doubt.", now=clock.forward(days=1))
    cases.record_identity_level(request=request, level=2, now=clock.forward(days=2))
    cases.extend_deadline(request=request, acting_user=make_staff("agent"), reason="Many systems.", now=clock.forward(days=1))
    cases.approve_request(request=request, acting_user=make_staff("approver"), reason="You are right.", now=clock())
    run_due(clock=clock)
    request.refresh_from_db()
    assert told(request) == [
        ("submitted", "Your request was received"),
        ("work", "We assess your request"),
        ("identity", "We asked you for more proof of identity"),
        ("identity", "Your identity was proved"),
        ("clock", "The time for our answer runs again"),
        ("work", "We assess your request"),
        ("clock", "We need more time"),
        ("work", "Your request was approved"),
        ("work", "Your request is being carried out"),
        ("answer", "Your request was answered"),
    ]
    texts = {entry.title: entry.text for entry in timeline(request)}
    assert "Many systems." in texts["We need more time"]
    assert "You are right." in texts["Your request was answered"]
    assert "2026" in texts["The time for our answer runs again"]
    assert [entry.at for entry in timeline(request)] == sorted(entry.at for entry in timeline(request))


def test_work_inside_the_house_is_not_told(engine, clock):
    make_store("crm")
    agent = make_staff("agent")
    request = make_request(right="rectification", level=1, now=NOW)
    before = told(request)
    locate_due(clock=clock)
    cases.assign_request(request=request, assignee=agent, acting_user=agent, now=NOW)
    assert told(request) == before
    cases.ask_identity(request=request, acting_user=agent, doubt="A secret doubt.", now=NOW)
    assert "doubt" not in str(timeline(request))
    assert str(agent.pk) not in [entry.title for entry in timeline(request)]


def test_a_refusal_is_read_in_full():
    request = make_request(now=NOW)
    cases.refuse_request(request=request, acting_user=make_staff("approver"), reason="No contract.", now=NOW)
    assert "Integritetsskyddsmyndigheten" in timeline(request)[-1].text


def test_it_is_told_in_the_readers_language():
    request = make_request(now=NOW)
    with override("en"):
        assert timeline(request)[0].title == "Your request was received"
    assert all(entry.title for entry in TOLD.values())


# --- what each store answered -----------------------------------------------------------------------------------------


def answer(right="erasure", **columns):
    request = make_request(right="restriction" if right == LIFT else right, now=NOW)
    store = make_store("billing", name="Invoicing")
    StoreRun.objects.create(request=request, store=store, right=right, subject="x", located_at=NOW, **columns)
    return human_answers(request)


def report(**counts):
    return {"state": RunState.DONE, "finding": {"invoice": {}}, "report": {"collections": {"invoice_line": counts}}}


def test_what_a_law_keeps_is_named_with_law_and_date():
    kept = [{"rows": 3, "basis": "bokföringslagen 7 kap. 2 §", "until": "2034-01-01", "fields": ["number"]}]
    (store,) = answer(**report(deleted=2, anonymized=1, pinned=1, kept=kept))
    assert store.store == "Invoicing"
    assert store.lines[:3] == (
        "Invoice line: 2 records erased",
        "Invoice line: 1 record made anonymous",
        "Invoice line: 1 of them kept without your data, since others' records hang on it",
    )
    assert store.lines[3:] == ("Invoice line: 3 records kept until 1 January 2034: bokföringslagen 7 kap. 2 §",)


def test_rows_kept_by_one_law_until_several_days_share_a_line():
    law = {"basis": "bokföringslagen 7 kap. 2 §", "fields": ["number"]}
    kept = [{"rows": rows, "until": f"{year}-01-01", **law} for rows, year in ((30, 2034), (5, 2028), (2, 2031))]
    kept += [{"rows": 1, "until": None, **law}, {"rows": 1, "until": "2030-01-01", "basis": "another law"}]
    (store,) = answer(**report(kept=kept))
    first, last = "1 January 2028", "1 January 2034"
    assert store.lines == (
        f"Invoice line: 37 records kept, the first of them until {first} and the last until {last}: bokföringslagen 7 kap. 2 §",
        "Invoice line: 1 record kept, and we will tell you until when: bokföringslagen 7 kap. 2 §",
        "Invoice line: 1 record kept until 1 January 2030: another law",
    )


def test_rows_without_a_date_say_so():
    (store,) = answer(**report(kept=[{"rows": 1, "basis": "a law", "until": None}]))
    assert store.lines == ("Invoice line: 1 record kept, and we will tell you until when: a law",)


def residue(column, rows, *, mapped=False):
    return {"column": column, "rows": rows, "mapped": mapped}


def test_what_an_erasure_left_behind_is_said_plainly():
    columns = report(deleted=2)
    columns["residue"] = [residue("ticket.body", 2), residue("log.line", 1)]
    (store,) = answer(**columns)
    assert store.lines[-1] == (
        "Your e-mail address, phone number or customer number still stands in 3 places here. A person here looks at it."
    )
    assert "body" not in " ".join(store.lines)


def test_nothing_left_is_not_said_of_a_store_where_something_is():
    (store,) = answer(**report() | {"report": {"collections": {}}, "residue": [residue("ticket.body", 1)]})
    assert len(store.lines) == 1
    assert "still stands in 1 place here" in store.lines[0]


def test_what_a_law_keeps_is_not_said_to_be_left_behind():
    columns = report(kept=[{"rows": 1, "basis": "a law", "until": None}])
    columns["residue"] = [residue("invoice_line.email", 1, mapped=True)]
    (store,) = answer(**columns)
    assert not any("still stands" in line for line in store.lines)


KEPT = {"rows": 2, "basis": "a law", "until": None, "fields": ["email"]}


@pytest.mark.parametrize(
    ("counts", "column", "rows", "left"),
    [
        ({"kept": [KEPT]}, "invoice_line.email", 2, 0),
        ({"kept": [KEPT]}, "invoice_line.email", 3, 1),  # one more than the law keeps
        ({"kept": [KEPT]}, "invoice_line.note", 1, 1),  # what the law keeps is not this
        ({"contested": 2, "remaining": 1}, "invoice_line.note", 1, 0),
        ({"contested": 2, "remaining": 1}, "invoice_line.note", 2, 1),
        ({"contested": 2, "anonymized": 2, "remaining": 0}, "invoice_line.note", 2, 2),  # the part was taken out, and yet
        ({"contested": 2, "remaining": 1, "kept": [KEPT]}, "invoice_line.email", 3, 0),
    ],
)
def test_rows_that_stay_for_a_reason_hide_no_others_of_their_table(counts, column, rows, left):
    columns = report(**counts) | {"residue": [residue(column, rows, mapped=True)]}
    (store,) = answer(**columns)
    said = [line for line in store.lines if "still stands" in line]
    assert said == ([line for line in said if f"in {left} place" in line] if left else [])
    assert len(said) == (left > 0)


@pytest.mark.parametrize(
    ("right", "counts", "line"),
    [
        (Right.ACCESS, {"exported": 5, "rows": 6}, "5 records are in your package"),
        (Right.ACCESS, {"contested": 1}, "1 record withheld, since it is about somebody else too"),
        (Right.RECTIFICATION, {"changed": 1, "rows": 3}, "1 record corrected"),
        (Right.RECTIFICATION, {"kept": 2}, "2 records not changed, since a law forbids it"),
        (Right.RESTRICTION, {"rows": 4, "changed": 0}, "4 records restricted"),
        (LIFT, {"rows": 4}, "4 records free again"),
        (Right.OBJECTION, {"rows": 1}, "marketing stopped for 1 record"),
    ],
)
def test_each_right_has_its_words(right, counts, line):
    (store,) = answer(right=right, **report(**counts))
    assert store.lines == (f"Invoice line: {line}",)


@pytest.mark.parametrize("right", [*Right, LIFT])
def test_a_store_without_details_still_answers(right):
    (store,) = answer(right=right, **report())
    assert len(store.lines) == 1


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        ({"state": RunState.LOCATING}, "We are looking for your data here."),
        ({"state": RunState.READY, "finding": {}}, "Nothing about you was found here."),
        ({"state": RunState.READY, "finding": {"invoice": {"rows": 3, "contested": 1}}}, "Invoice: 2 records about you"),
        ({"state": RunState.QUEUED, "finding": {"invoice": {"rows": 3}}}, "This part is being carried out."),
        ({"state": RunState.BLOCKED, "finding": {"a": {}}, "error": "E"}, "A member of staff is looking into this part."),
    ],
)  # fmt: skip
def test_every_state_has_words_and_none_tells_of_errors(columns, line):
    assert answer(**columns) == [StoreAnswer("Invoicing", (line,))]


def test_collections_are_called_as_the_data_map_calls_them():
    request = make_request(now=NOW)
    store = make_store("billing")
    collection = "{name: invoice_line, fields: [], meta: {}}"
    labels = "{privacy: {collections: {invoice_line: {label: {sv: Fakturarader, en: Lines of invoices}}}}}"
    source = f"dataset: [{{fides_key: billing, name: billing, meta: {labels}, collections: [{collection}]}}]"
    store.versions.update(source=source)
    StoreRun.objects.create(request=request, store=store, right="erasure", subject="x", located_at=NOW, **report(deleted=1))
    assert human_answers(request)[0].lines == ("Lines of invoices: 1 record erased",)
    with override("sv"):
        assert human_answers(request)[0].lines[0].startswith("Fakturarader: ")


def test_it_takes_few_queries(django_assert_max_num_queries):
    for number in range(5):
        make_store(f"store-{number}")
    request = make_request(now=NOW + timedelta(days=1))
    with django_assert_max_num_queries(3):
        human_answers(request)
        timeline(request)
