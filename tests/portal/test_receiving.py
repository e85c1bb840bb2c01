"""Receiving the package: read in the browser, downloaded in any form and onwards from where it broke off, taken back."""

import io
import json
import random
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from privacy import audit
from requests_app.delivering import delivery, package_files, package_tables
from requests_app.models import OutboxItem, Package
from tests.factories import make_customer, make_request, sign_in_customer
from tests.requests_app.packages import give_package, part

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings) -> Path:
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"
    return settings.INSYN_PACKAGE_DIR


@pytest.fixture
def case(anna):
    return make_request(anna, "access")


@pytest.fixture
def package(case):
    logins = [(number, date(2026, 1 + number % 6, 1), f"10.0.0.{number}") for number in range(120)]
    noise = random.Random(1)
    return give_package(
        case,
        part([("Anna <b>Öberg</b>", "anna@example.se"), (EVIL, None)], "name", "email"),
        part(logins, "number", "at", "address", collection="login", purpose="To keep others out."),
        part([(noise.randbytes(40).hex(),) for _number in range(6000)], "value", collection="noise", store="billing"),
    )


def path_of(case, rest=""):
    return f"/requests/{case.reference}/package/{rest}"


def body(response) -> bytes:
    return b"".join(response.streaming_content)


def told(case):
    return [event.action for event in audit.events(case.reference) if event.action.startswith("package.")]


# --- reading ----------------------------------------------------------------------------------------------------------


def test_the_package_lists_its_tables_and_its_files(annas_proved, case, package, django_assert_max_num_queries):
    with django_assert_max_num_queries(12):
        page = annas_proved.get(path_of(case, "read/")).content.decode()
    for text in ("6,122 rows about you", "CRM", "BILLING", "Login", "120 rows", "Contact", "/package/as/csv/"):
        assert text in page
    assert "/package/read/2/" in page


def test_a_table_shows_its_rows_escaped_and_by_the_page(annas_proved, case, package, django_assert_max_num_queries):
    page = annas_proved.get(path_of(case, "read/1/")).content.decode()
    assert "Anna &lt;b&gt;Öberg&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<img" not in page
    assert "<script" not in page
    with django_assert_max_num_queries(12):
        second = annas_proved.get(path_of(case, "read/2/?page=2")).content.decode()
    assert "Rows 51 to 100 of 120." in second
    assert "10.0.0.50" in second
    assert "10.0.0.49<" not in second
    assert '?page=3"' in second
    assert "Later rows" not in annas_proved.get(path_of(case, "read/2/?page=3")).content.decode()


def test_the_chart_tells_the_same_as_the_table_beside_it(annas_proved, case, package):
    page = annas_proved.get(path_of(case, "read/2/")).content.decode()
    assert page.count("<rect x=") == 6
    assert re.search(r'<th scope="row">March 2026</th><td>20</td>', page)
    assert "“At”" in page
    assert " style=" not in page
    assert "<rect" not in annas_proved.get(path_of(case, "read/1/")).content.decode().split("</header>")[1]


def test_a_search_finds_words_in_any_case_and_stands_in_no_address(annas_proved, case, package):
    found = annas_proved.post(path_of(case, "read/1/"), {"q": "öBERG ANNA"})
    page = found.content.decode()
    assert "1 row found; 2 of 2 rows were searched." in page
    assert 'value="öBERG ANNA"' in page
    assert not re.search(r'(href|action)="[^"]*(q=|BERG)', page)
    assert "0 rows found" in annas_proved.post(path_of(case, "read/1/"), {"q": "nobody"}).content.decode()
    assert EVIL not in annas_proved.post(path_of(case, "read/1/"), {"q": EVIL}).content.decode()


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ("14:12", [1]),  # as the time is shown here, not as it is written in the file
        ("2026-03-05", [1]),
        ("yes", [1]),
        ("no", [2, 3]),
        ("STRASSE", [3]),
        ("straße ö", [3]),
        ('say "hi"', [2]),
        ("back\\slash", [2]),
        ("the-very-end", [3]),
        ("hi the-very-end", []),
        ("none", []),
    ],
)
def test_a_search_finds_what_is_shown_and_what_is_cut(annas_proved, case, words, rows):
    afternoon = datetime(2026, 3, 5, 13, 12, tzinfo=UTC)
    texts = ["plain", 'say "hi" back\\slash', "Storgatan, Straße ö " + "x" * 600 + " the-very-end"]
    shown = [(afternoon, True, texts[0]), (None, False, texts[1]), (None, False, texts[2])]
    give_package(case, part(shown, "at", "active", "text"))
    found = annas_proved.post(path_of(case, "read/1/"), {"q": words}).context["found"]
    assert [number for number, _cells in found.rows] == rows


def test_a_search_goes_on_where_the_page_ended(annas_proved, case, package):
    first = annas_proved.post(path_of(case, "read/2/"), {"q": "10.0.0"})
    assert first.context["next_from"] == 50
    second = annas_proved.post(path_of(case, "read/2/"), {"q": "10.0.0", "from": "50"})
    assert second.context["found"].rows[0][0] == 51
    assert second.context["next_from"] == 100
    assert annas_proved.post(path_of(case, "read/2/"), {"q": "10.0.0", "from": "100"}).context["next_from"] == 0


def test_a_search_that_takes_too_long_says_how_far_it_came(annas_proved, case, package, monkeypatch):
    monkeypatch.setattr(package_tables, "SECONDS", -1)
    monkeypatch.setattr(package_tables, "LOOKED_AT_A_TIME", 1000)
    found = annas_proved.post(path_of(case, "read/3/"), {"q": "nothing of the kind"}).content.decode()
    assert "0 rows found; 0 of 6,000 rows were searched." in found
    assert "too far down" in annas_proved.get(path_of(case, "read/3/?page=9")).content.decode()


def test_every_row_of_a_large_table_is_reached(case, package):
    with package_tables.open_tables(package, language="en") as tables:
        table = tables.all[2]
        seen = []
        while len(seen) < table.rows:
            found = tables.rows(table, start=len(seen), limit=700)
            seen += [cells[0] for _number, cells in found.rows]
    with package_tables.open_package(package.file_name, package.key) as reader, zipfile.ZipFile(reader) as archive:
        assert seen == [row["value"] for row in json.loads(archive.read("data/billing/noise.json"))]


def test_a_row_too_long_to_be_held_is_said_to_be(annas_proved, case, monkeypatch):
    monkeypatch.setattr(package_tables, "LONGEST_ROW", 1000)
    give_package(case, part([("short",), ("x" * 5000,), ("after",)], "text"))
    page = annas_proved.get(path_of(case, "read/1/")).content.decode()
    assert "Row 2 is too long to be shown here." in page
    assert "after" in page


@pytest.mark.parametrize("query", ["?page=0", "?page=-3", "?page=x", "?page=99999999999999", "?page=²"])
def test_a_page_that_is_none_breaks_nothing(annas_proved, case, package, query):
    assert annas_proved.get(path_of(case, f"read/1/{query}")).status_code == 200


def test_a_table_that_is_none_is_not_found(annas_proved, case, package):
    for number in (0, 4, 10**12):
        assert annas_proved.get(path_of(case, f"read/{number}/")).status_code == 404


def test_pages_with_content_are_sandboxed_without_scripts(annas_proved, case, package):
    for rest in ("read/", "read/1/"):
        response = annas_proved.get(path_of(case, rest))
        policy = response["Content-Security-Policy"]
        assert "sandbox allow-forms allow-same-origin allow-downloads" in policy
        assert "allow-scripts" not in policy
        assert "script-src 'none'" in policy
        assert "no-store" in response["Cache-Control"]


def test_reading_is_written_down_once_in_a_sitting(annas_proved, case, package):
    for rest in ("read/", "read/1/", "read/2/"):
        annas_proved.get(path_of(case, rest))
    assert told(case) == ["package.read"]


def test_a_package_from_before_is_downloaded_instead(annas_proved, case, package, monkeypatch):
    monkeypatch.setattr(package_tables, "CONTENTS", "not-there.json")
    assert annas_proved.get(path_of(case, "read/"))["Location"] == f"/requests/{case.reference}/"


def test_nothing_of_it_is_ever_on_a_disk(annas_proved, case, package, folder):
    before = {path: path.stat().st_size for path in folder.iterdir()}
    annas_proved.get(path_of(case, "read/2/"))
    annas_proved.post(path_of(case, "read/3/"), {"q": "a"})
    body(annas_proved.get(path_of(case, "as/csv/")))
    assert {path: path.stat().st_size for path in folder.iterdir()} == before


# --- downloading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["all", "html", "json", "csv"])
def test_every_form_is_whole_and_goes_on_from_any_byte(annas_proved, case, package, form):
    path = path_of(case, f"as/{form}/")
    response = annas_proved.get(path, headers={"accept-encoding": "gzip"})
    whole = body(response)
    assert "Content-Encoding" not in response
    assert response.status_code == 200
    assert int(response["Content-Length"]) == len(whole)
    assert response["Accept-Ranges"] == "bytes"
    if form == "html":
        assert whole.startswith(b"<!DOCTYPE html>")
    else:
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            assert archive.testzip() is None
            endings = {name.rpartition(".")[2] for name in archive.namelist() if name.startswith("data/")}
            assert endings == ({"json", "csv"} if form == "all" else {form})
            assert "information.json" in archive.namelist()
    places = random.Random(form)
    for _time in range(6):
        start = places.randrange(len(whole))
        rest = annas_proved.get(path, headers={"range": f"bytes={start}-", "if-range": response["ETag"]})
        assert rest.status_code == 206
        assert rest["Content-Range"] == f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        assert body(rest) == whole[start:]


@pytest.mark.parametrize(
    ("asked", "status", "content_range"),
    [
        ("bytes=0-0", 206, "bytes 0-0/{size}"),
        ("bytes=-10", 206, "bytes {tail}-{last}/{size}"),
        ("bytes=5-99999999999", 206, "bytes 5-{last}/{size}"),
        ("bytes={size}-", 416, "bytes */{size}"),
        ("bytes=-0", 416, "bytes */{size}"),
        ("bytes=0-1,5-6", 200, None),
        ("bytes=9-5", 200, None),
        ("lines=1-2", 200, None),
        ("bytes=-", 200, None),
    ],
)
def test_ranges_are_answered_as_the_standard_says(annas_proved, case, package, asked, status, content_range):
    size = package.size
    numbers = {"size": size, "last": size - 1, "tail": size - 10}
    response = annas_proved.get(path_of(case), headers={"range": asked.format(**numbers)})
    assert response.status_code == status
    assert response.get("Content-Range") == (content_range and content_range.format(**numbers))
    if status != 416:
        assert len(body(response)) == int(response["Content-Length"])


@pytest.mark.parametrize("condition", ['"another"', "Wed, 21 Oct 2026 07:28:00 GMT", "W/{etag}"])
def test_what_was_begun_of_another_file_begins_anew(annas_proved, case, package, condition):
    etag = annas_proved.head(path_of(case))["ETag"]
    response = annas_proved.get(path_of(case), headers={"range": "bytes=5-", "if-range": condition.format(etag=etag)})
    assert response.status_code == 200


def test_going_on_is_no_second_download_but_is_written_down(annas_proved, case, package):
    assert annas_proved.head(path_of(case)).status_code == 200
    assert told(case) == []
    body(annas_proved.get(path_of(case)))
    body(annas_proved.get(path_of(case), headers={"range": "bytes=100-"}))
    assert Package.objects.get().downloads == 1
    assert told(case) == ["package.downloaded", "package.resumed"]


def test_a_form_that_is_none_is_not_found(annas_proved, case, package):
    assert annas_proved.get(path_of(case, "as/exe/")).status_code == 404


# --- who, and until when ----------------------------------------------------------------------------------------------

PATHS = ["", "as/json/", "read/", "read/1/", "delete/"]


@pytest.mark.parametrize("rest", PATHS)
def test_it_takes_the_second_proof_and_its_own_person(annas, bos, anna, case, package, rest):
    assert annas.get(path_of(case, rest))["Location"].startswith("/identity/?next=")
    sign_in_customer(bos, make_customer("bo@example.se"), level=2)
    assert bos.get(path_of(case, rest)).status_code == 404
    assert bos.post(path_of(case, rest)).status_code in (404, 405)
    assert Package.objects.get().state == "ready"
    assert told(case) == []


@pytest.mark.parametrize("rest", PATHS)
def test_what_is_expired_revoked_spoilt_or_not_there_is_told_on_the_page_of_the_request(
    annas_proved, case, package, folder, rest
):
    changes = (
        {"expires_at": timezone.now() - timedelta(minutes=1)},
        {"state": "revoked", "key": None},
        {"state": "expired", "key": None},
        {"state": "building", "key": None},
    )
    for change in changes[1 if rest == "delete/" else 0 :]:
        columns = {"state": "ready", "key": package.key, "expires_at": package.expires_at} | change
        Package.objects.filter(pk=package.pk).update(expires_at=columns["expires_at"], state=columns["state"])
        assert annas_proved.get(path_of(case, rest))["Location"] == f"/requests/{case.reference}/"
    Package.objects.all().delete()
    assert annas_proved.get(path_of(case, rest))["Location"] == f"/requests/{case.reference}/"


@pytest.mark.parametrize("rest", ["", "as/csv/", "read/"])
def test_a_file_that_was_cut_or_is_gone_gives_nothing(annas_proved, case, package, folder, rest):
    path = folder / package.file_name
    path.write_bytes(path.read_bytes()[:-5])
    assert annas_proved.get(path_of(case, rest))["Location"] == f"/requests/{case.reference}/"
    path.unlink()
    assert annas_proved.get(path_of(case, rest))["Location"] == f"/requests/{case.reference}/"
    assert "Contact us" in annas_proved.get(f"/requests/{case.reference}/").content.decode()


# --- taking it back ---------------------------------------------------------------------------------------------------


def test_its_person_deletes_it_after_a_question_and_once(annas_proved, case, package, folder, django_capture_on_commit_callbacks):
    assert "Delete the package?" in annas_proved.get(path_of(case, "delete/")).content.decode()
    assert Package.objects.get().state == "ready"
    OutboxItem.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True):
        for _tab in range(2):
            assert annas_proved.post(path_of(case, "delete/"))["Location"] == f"/requests/{case.reference}/"
    gone = Package.objects.get()
    assert (gone.state, gone.key) == ("revoked", None)
    assert not list(folder.iterdir())
    assert told(case) == ["package.revoked"]
    assert audit.events(case.reference).get(action="package.revoked").actor == "customer"
    assert OutboxItem.objects.filter(key__contains="package_deleted").count() == 1
    assert annas_proved.get(path_of(case))["Location"] == f"/requests/{case.reference}/"


def test_a_package_made_before_an_erasure_is_taken_back_with_a_notice(
    annas_proved, case, package, folder, anna, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        delivery.revoke_packages(customer=anna, reason="erasure", now=timezone.now())
    assert not list(folder.iterdir())
    assert OutboxItem.objects.filter(key__contains="package_revoked").exists()
    assert annas_proved.get(path_of(case, "read/1/"))["Location"] == f"/requests/{case.reference}/"
    assert package_files.folder() == folder


# --- while it is on its way -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["deleted", "revoked", "expired"])
@pytest.mark.parametrize("form", ["all", "csv"])
def test_a_download_under_way_ends_when_the_package_is_taken_back(
    annas_proved, anna, case, package, monkeypatch, django_capture_on_commit_callbacks, how, form
):
    monkeypatch.setattr(delivery, "LOOK_AGAIN_SECONDS", 0)
    chunks = iter(annas_proved.get(path_of(case, f"as/{form}/")).streaming_content)
    assert next(chunks)
    if how == "deleted":
        delivery.delete_package(request=case, customer=anna, now=timezone.now())
    elif how == "revoked":
        delivery.revoke_packages(customer=anna, reason="erasure", now=timezone.now())
    else:
        Package.objects.update(expires_at=timezone.now())
    with pytest.raises(delivery.TakenBack):
        next(chunks)


def test_a_download_asks_once_a_second_and_not_for_every_chunk(annas_proved, case, package, django_assert_num_queries):
    response = annas_proved.get(path_of(case, "as/all/"))
    with django_assert_num_queries(0):
        assert len(body(response)) == package.size
