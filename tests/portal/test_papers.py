"""Proof of identity as a file: for a request that waits for it, seen by staff alone, gone with the decision."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from privacy.models import AuditEvent
from requests_app import cases
from requests_app.files import uploads
from requests_app.models import State, Upload
from tests.factories import make_request, make_staff
from tests.files import SECRET, pdf, picture

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.INSYN_UPLOAD_DIR = tmp_path / "uploads"
    return settings.INSYN_UPLOAD_DIR


@pytest.fixture
def waiting(anna):
    return make_request(anna, "access", level=1)


def page_of(case):
    return f"/requests/{case.reference}/evidence/"


def send(browser, case, content=None, name="körkort anna.jpg"):
    file = SimpleUploadedFile(name, picture() if content is None else content, content_type="image/jpeg")
    return browser.post(page_of(case), {"file": file})


def kept(case):
    return list(uploads.kept(case, "evidence"))


def test_it_is_sent_listed_and_taken_back(annas, waiting):
    page = annas.get(page_of(waiting)).content.decode()
    assert "never has to be certified" in page
    assert "Cover the rest" in page
    assert "I am done" not in page
    assert send(annas, waiting)["Location"] == page_of(waiting)
    page = annas.get(page_of(waiting)).content.decode()
    assert "JPEG" in page
    assert "körkort" not in page
    (upload,) = kept(waiting)
    annas.post(page_of(waiting), {"remove": upload.pk})
    assert kept(waiting) == []
    assert "The file is deleted" in annas.get(page_of(waiting)).content.decode()


@pytest.mark.parametrize("remove", ["", "x", "-1", "9" * 30, "999"])
def test_taking_back_what_is_not_there_changes_nothing(annas, waiting, remove):
    send(annas, waiting)
    annas.post(page_of(waiting), {"remove": remove})
    assert len(kept(waiting)) == 1


def test_nobody_takes_back_another_requests_file(annas, bos, waiting):
    send(annas, waiting)
    (upload,) = kept(waiting)
    bo = make_request(bos_customer(bos), "access", level=1)
    bos.post(page_of(bo), {"remove": upload.pk})
    assert kept(waiting) == [upload]
    assert bos.post(page_of(waiting), {"remove": upload.pk}).status_code == 404


def test_who_only_reads_the_mailbox_does_not_take_back_what_was_sent_in_another_sitting(annas, anna, waiting):
    from django.test import Client

    from tests.factories import sign_in_customer

    send(annas, waiting)
    (upload,) = kept(waiting)
    other = Client()
    other.cookies["django_language"] = "en"
    sign_in_customer(other, anna, level=1)
    page = other.get(page_of(waiting)).content.decode()
    assert "Sent on another visit" in page
    assert 'name="remove"' not in page
    other.post(page_of(waiting), {"remove": upload.pk})
    assert kept(waiting) == [upload]
    sign_in_customer(other, anna, level=2)
    other.post(page_of(waiting), {"remove": upload.pk})
    assert kept(waiting) == []
    assert "A file was taken back" in annas.get(f"/requests/{waiting.reference}/").content.decode()


def bos_customer(bos):
    from accounts.models import Customer

    return Customer.objects.get(pk=bos.session["customer"]["id"])


def test_what_is_wrong_with_a_file_is_said_at_the_field(annas, waiting):
    page = annas.post(page_of(waiting), {}).content.decode()
    assert "There is a problem" in page
    assert "Choose a file of at most 10 MB" in page
    assert "Only JPEG, PNG and PDF" in send(annas, waiting, b"GIF89a" + b"\0" * 20).content.decode()
    assert "could not open" in send(annas, waiting, pdf()[:100]).content.decode()
    assert kept(waiting) == []


def test_a_file_that_is_too_large_is_told_and_never_written_to_a_disk(annas, waiting, settings, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda *a, **k: pytest.fail("written to a disk"))
    settings.INSYN_UPLOAD_MB = 1
    assert "at most 1 MB" in send(annas, waiting, picture() + b"\0" * 2_000_000).content.decode()
    send(annas, waiting, picture() + b"\0" * 900_000)
    assert len(kept(waiting)) == 1
    # Nobody means this one: it is not read at all.
    assert "Choose a file" in send(annas, waiting, io.BytesIO(b"\xff\xd8\xff").getvalue() + b"\0" * 5_000_000).content.decode()


def test_a_request_that_does_not_wait_takes_none(annas, anna):
    case = make_request(anna, "restriction", level=1)
    assert send(annas, case)["Location"] == f"/requests/{case.reference}/"
    assert not Upload.objects.exists()


def test_without_a_scanner_the_page_names_the_other_ways(annas, waiting, settings):
    settings.INSYN_UPLOADS_OPEN = False
    assert "Files cannot be sent here" in annas.get(page_of(waiting)).content.decode()
    assert "Send a paper" not in annas.get("/identity/other/").content.decode()
    assert send(annas, waiting).status_code == 200
    assert not Upload.objects.exists()


def test_the_other_ways_lead_here(annas, waiting):
    assert f'href="{page_of(waiting)}"' in annas.get("/identity/other/").content.decode()


def test_accepting_it_deletes_it_and_counts_for_this_request_alone(annas, anna, waiting):
    other = make_request(anna, "portability", level=1)
    send(annas, waiting)
    cases.record_identity_level(
        request=waiting, level=2, note="Såg ett körkort.", acting_user=make_staff("agent"), now=timezone.now()
    )
    waiting.refresh_from_db()
    other.refresh_from_db()
    assert (waiting.state, other.state, other.identity_level) == (State.TRIAGE, State.IDENTIFYING, 1)
    assert kept(waiting) == []
    assert AuditEvent.objects.get(action="upload.deleted").payload["reason"] == "accepted"


def test_refusing_it_deletes_it_and_the_person_reads_why(annas, waiting):
    send(annas, waiting)
    cases.ask_identity(request=waiting, acting_user=make_staff("agent"), doubt="The paper has expired.", now=timezone.now())
    assert kept(waiting) == []
    assert "The paper has expired." in annas.get(page_of(waiting)).content.decode()


def test_what_staff_accepted_is_not_shown_as_a_doubt(annas, waiting):
    cases.record_identity_level(request=waiting, level=1, note="Ringde upp.", acting_user=make_staff("agent"), now=timezone.now())
    assert "Ringde upp." not in annas.get(page_of(waiting)).content.decode()


def test_who_proves_it_by_a_code_meanwhile_needs_no_copy_with_us(annas, waiting):
    send(annas, waiting)
    cases.record_identity_level(request=waiting, level=2, now=timezone.now())
    assert kept(waiting) == []


def test_the_person_finds_the_sending_in_what_has_happened(annas, waiting):
    send(annas, waiting)
    page = annas.get(f"/requests/{waiting.reference}/").content.decode()
    assert "A file was sent" in page


def test_it_is_in_the_persons_own_data_and_its_key_is_not(annas, anna, waiting):
    from requests_app.keeping import own_data

    send(annas, waiting)
    (row,) = own_data.own_of([anna])[anna.pk]["requests_app_upload"]
    assert row["kind"] == "jpeg"
    assert "AGE-SECRET" not in str(row)
    assert SECRET not in str(row)
