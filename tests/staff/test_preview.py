"""The package as the person will get it, seen before it is approved, and what staff leave out of it (Art. 15(4))."""

import json
import zipfile

import pytest
from django.urls import reverse

from privacy import audit, maps
from privacy.models import AuditEvent
from requests_app.case import withholding
from requests_app.delivering.package_reading import open_package
from requests_app.models import RightsRequest, StoreRun
from requests_app.running.workers import build_due, locate_due
from tests.factories import make_customer, make_request
from tests.privacy.shared_rows import Shop
from tests.staff.conftest import fresh
from tests.staff.test_steps import take

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(make_postgres_database, settings, tmp_path):
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"
    shop = Shop(make_postgres_database())
    shop.sql("UPDATE document SET co_owner_id = NULL WHERE owner_id = 1")  # nothing is contested here
    return shop


def asked(right="access"):
    case = make_request(make_customer("anna@example.se"), right)
    while locate_due():
        pass
    return fresh(case)


@pytest.fixture
def case(shop):
    return asked()


def look(desk, case, who="bea", **posted):
    return desk.browser(who).post(reverse("admin:requests_app_rightsrequest_preview", args=[case.pk]), posted)


def withhold(desk, case, *, columns=(), rows=(), ground="others", collection="document"):
    return look(desk, case, do="withhold", store="shop", collection=collection, column=columns, row=rows, ground=ground)


def table(answer, collection="document"):
    return next(item for item in answer.context["tables"] if item.table.place == ("shop", collection))


def column(answer, name, collection="document"):
    found = table(answer, collection)
    place = [column.name for column in found.table.columns].index(name)
    return [line.cells[place][1] for line in found.lines]


def row_of(answer, title):
    found = table(answer)
    return next(line.name for line in found.lines if title in [cell for _heading, cell in line.cells])


def package_of(desk, case):
    """What the person got: {file: content} of the data."""
    take(desk, "bea", case, "approve", reason="")
    while build_due():
        pass
    package = fresh(case).package
    with open_package(package.file_name, package.key) as reader, zipfile.ZipFile(reader) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    return package, files


def test_what_is_seen_is_what_the_person_gets(desk, case):
    seen = look(desk, case)
    assert seen.status_code == 200
    assert sorted(column(seen, "title")) == ["own", "with Bo", "with Cia"]
    assert column(seen, "email", "customer") == ["anna@example.se"]
    _package, files = package_of(desk, case)
    told = json.loads(files["contents.json"])
    assert [(part["collection"], part["rows"]) for part in told if part["store"] == "shop"] == [
        (item.table.place[1], item.table.rows) for item in seen.context["tables"] if item.table.place[0] == "shop"
    ]


def test_a_field_a_row_and_a_cell_are_left_out_of_the_package_that_is_made(desk, case):
    seen = look(desk, case)
    bo, cia = row_of(seen, "with Bo"), row_of(seen, "with Cia")
    withhold(desk, case, columns=["pages"], ground="secret")
    withhold(desk, case, rows=[bo])
    seen = withhold(desk, case, columns=["signed_by"], rows=[cia])
    assert sorted(column(seen, "title")) == ["own", "with Cia"]
    assert sorted(column(seen, "signed_by")) == ["Anna", "–"]
    assert "pages" not in {column.name for column in table(seen).table.columns}

    package, files = package_of(desk, case)
    rows = json.loads(files["data/shop/document.json"])
    assert sorted((row["title"], row["signed_by"]) for row in rows) == [("own", "Anna"), ("with Cia", None)]
    assert all("pages" not in row for row in rows)
    assert "with Bo" not in "".join(files.values())
    page = files["index.html"]
    assert "1 row is left out: it is about somebody else" in page
    assert "1 value is left out and its place is empty" in page
    assert "“Pages” is left out: it is a trade secret" in page
    assert package.contents["shop"]["document"]["withheld"] == 1
    assert package.contents["shop"]["document"]["fields_withheld"] == 1
    assert package.contents["shop"]["document"]["exported"] == 2


def test_all_fields_left_out_leave_no_row_and_the_person_is_told(desk, case):
    names = [column.name for column in table(look(desk, case)).table.columns]
    withhold(desk, case, columns=names, ground="secrecy")
    package, files = package_of(desk, case)
    assert json.loads(files["data/shop/document.json"]) == []
    assert package.contents["shop"]["document"]["withheld"] == 3
    assert "says that it must not be given to you" in files["index.html"]


def test_it_is_given_after_all_when_that_is_taken_back(desk, case):
    seen = withhold(desk, case, columns=["title"])
    ((key, _words),) = table(seen).left_out
    seen = look(desk, case, do="show", store="shop", key=[key])
    assert "title" in {column.name for column in table(seen).table.columns}
    assert StoreRun.objects.get(request=case).choices == {}


def test_what_is_left_out_is_part_of_what_is_approved(desk, case):
    from requests_app.cases import plan_digest

    before = plan_digest(case)
    withhold(desk, case, columns=["title"])
    assert plan_digest(case) != before
    take(desk, "bea", case, "approve", reason="")
    assert look(desk, case).status_code == 302  # it is decided: nobody looks any more
    with pytest.raises(withholding.NotAllowed):
        withholding.withhold(
            request=case,
            store="shop",
            collection="document",
            columns=["pages"],
            rows=[],
            ground="others",
            acting_user=desk.person("bea"),
            now=case.received_at,
        )


def test_every_look_and_choice_is_in_the_trail_without_a_value(desk, case):
    seen = look(desk, case)
    withhold(desk, case, columns=["signed_by"], rows=[row_of(seen, "with Bo")])
    events = [event for event in audit.events(case.reference) if event.action.startswith("package.")]
    assert [event.action for event in events] == ["package.previewed", "package.withheld", "package.previewed"]
    assert events[1].payload == {
        "store": "shop",
        "collection": "document",
        "fields": ["signed_by"],
        "rows": 1,
        "ground": "others",
    }
    assert all(event.actor == f"staff:{desk.person('bea').pk}" for event in events)


def test_the_page_could_run_nothing(desk, case, shop):
    shop.sql("UPDATE document SET title = '<script>alert(1)</script>' WHERE id = 10")
    answer = look(desk, case)
    policy = answer["Content-Security-Policy"]
    assert "sandbox allow-forms allow-same-origin" in policy
    assert "script-src 'none'" in policy
    assert "<script>alert" not in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]


def test_a_look_is_bounded_and_leaves_no_file(desk, case, shop, settings):
    shop.sql("INSERT INTO document SELECT 1000 + n, 1, NULL, 'many', 'Anna', 1 FROM generate_series(1, 200) n")
    found = table(look(desk, case))
    assert len(found.lines) == withholding.ROWS
    folder = settings.INSYN_PACKAGE_DIR
    assert not folder.exists() or not [path for path in folder.rglob("*") if path.is_file()]


def test_a_package_too_large_for_a_look_says_so(desk, case, monkeypatch):
    monkeypatch.setattr(withholding, "MOST_BYTES", 500)
    answer = look(desk, case)
    assert answer.status_code == 302
    page = desk.browser("bea").get(answer["Location"]).content.decode()
    assert "too large to be shown here" in page


@pytest.mark.parametrize(
    ("posted", "told"),
    [
        ({"column": ["title"]}, "on which ground"),
        ({"column": ["title"], "ground": "whim"}, "on which ground"),
        ({"ground": "others"}, "at least one field or one row"),
        ({"column": ["title"], "ground": "others", "store": "elsewhere"}, "no part in the request"),
    ],
)
def test_a_choice_that_is_none_changes_nothing(desk, case, posted, told):
    answer = look(desk, case, **{"do": "withhold", "store": "shop", "collection": "document"} | posted)
    assert told in answer.content.decode()
    assert StoreRun.objects.get(request=case).choices == {}


def test_nobody_looks_before_it_is_proved_who_asks(desk, shop):
    case = make_request(make_customer("anna@example.se"), "access", level=1)
    while locate_due():
        pass
    assert look(desk, fresh(case)).status_code == 302
    assert not AuditEvent.objects.filter(action="package.previewed").exists()


def test_who_entered_the_request_does_not_look(desk, case):
    RightsRequest.objects.filter(pk=case.pk).update(entered_by=desk.person("bea"))
    assert look(desk, case).status_code == 302
    assert not AuditEvent.objects.filter(action="package.previewed").exists()


@pytest.mark.parametrize("who", ["alice", "eva", "olof", "ada"])
def test_only_who_may_approve_sees_what_goes_out(desk, case, who):
    assert look(desk, case, who).status_code == 403
    assert not AuditEvent.objects.filter(action="package.previewed").exists()


def test_an_erasure_has_no_package_to_look_at(desk, shop):
    assert look(desk, asked("erasure")).status_code == 302


def test_a_store_that_is_away_is_said_and_nothing_is_shown(desk, case, shop):
    store = maps.Store.objects.get(key="shop")
    store.url = "postgresql://nobody@localhost:1/none"
    store.save()
    answer = look(desk, case)
    assert answer.status_code == 302
    assert "cannot be read now" in desk.browser("bea").get(answer["Location"]).content.decode()


def test_what_is_left_out_stays_so_when_the_store_is_searched_again(desk, case, shop):
    withhold(desk, case, columns=["title"])
    run = StoreRun.objects.get(request=case)
    from requests_app import cases

    cases.resume_run(run=run, acting_user=desk.person("alice"), now=case.received_at)
    while locate_due():
        pass
    assert "title" not in {column.name for column in table(look(desk, case)).table.columns}
