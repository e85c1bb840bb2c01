"""Files that people send: only what can be drawn is taken, only pixels are kept, and nothing lies anywhere in plain text."""

import io
import os
import tempfile
import time
import zlib
from datetime import timedelta
from pathlib import Path

import pypdfium2
import pytest
from django.db import connections
from django.utils import timezone
from PIL import Image

from privacy import audit
from privacy.models import AuditEvent
from requests_app.files import remake, remaking, uploads
from requests_app.files.uploads import UploadRefused
from requests_app.keeping import maintenance
from requests_app.models import Upload
from tests.factories import make_request, make_staff
from tests.files import EICAR, SECRET, clamd, closed_port, pdf, picture, sent

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.INSYN_UPLOAD_DIR = tmp_path / "uploads"
    return settings.INSYN_UPLOAD_DIR


@pytest.fixture
def case():
    return make_request()


@pytest.fixture
def scanner(settings):
    with tempfile.TemporaryDirectory(prefix="clam", dir="/tmp") as name:
        settings.INSYN_CLAMAV = f"{name}/s"
        with clamd(Path(settings.INSYN_CLAMAV)) as server:
            yield server


def receive(case, content=None, purpose="evidence", **more):
    file = sent(picture() if content is None else content)
    return uploads.receive(request=case, purpose=purpose, file=file, now=timezone.now(), **more)


def content_of(upload):
    return b"".join(uploads.attachment(upload=upload, now=timezone.now()).streaming_content)


def refusal(case, content, **more):
    with pytest.raises(UploadRefused) as refused:
        receive(case, content, **more)
    assert not uploads.kept(case, "evidence").exists()
    return str(refused.value)


def files_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_picture_comes_back_upright_and_without_its_metadata(case):
    content = content_of(receive(case, picture(size=(400, 250), orientation=6)))
    assert SECRET.encode() not in content
    with Image.open(io.BytesIO(content)) as seen:
        assert (seen.format, seen.size) == ("JPEG", (250, 400))
        assert dict(seen.getexif()) == {}
        assert set(seen.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_a_png_stays_a_png_and_what_is_see_through_becomes_white(case):
    made = io.BytesIO()
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(made, format="PNG", pnginfo=None)
    with Image.open(io.BytesIO(content_of(receive(case, made.getvalue())))) as seen:
        assert (seen.format, seen.mode, seen.getpixel((3, 3))) == ("PNG", "RGB", (255, 255, 255))


def test_a_pdf_comes_back_as_pictures_of_its_pages_without_script_and_metadata(case):
    upload = receive(case, pdf(3))
    content = content_of(upload)
    assert upload.kind == "pdf"
    for gone in (SECRET.encode(), b"JavaScript", b"OpenAction"):
        assert gone not in content
    with pypdfium2.PdfDocument(content) as document:
        assert len(document) == 3
        assert document[0].render(scale=0.5).to_pil().convert("RGB").getpixel((80, 380)) == pytest.approx((0, 0, 255), abs=12)


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\x00 this program cannot be run",
        b"<html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a" + b"\0" * 50,
        b"PK\x03\x04" + b"\0" * 50,
        b" " * 100 + b"%PDF-1.7",
    ],
)
def test_other_kinds_are_refused_whatever_they_are_called(case, content):
    assert "Only JPEG, PNG and PDF" in refusal(case, content)


@pytest.mark.parametrize(
    "content", [picture()[:500], picture("PNG")[:200], b"%PDF-1.7 nothing", pdf()[:120], b"\xff\xd8\xff" + b"x" * 99]
)
def test_damaged_files_are_refused(case, content):
    assert "could not open" in refusal(case, content)


def test_a_picture_with_a_page_of_html_behind_it_loses_the_page(case):
    assert b"<script>" not in content_of(receive(case, picture() + b"<script>alert(1)</script>"))


def png_bomb(side):
    """A PNG of side × side pixels in a few kilobytes."""

    def chunk(name, data):
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    header = side.to_bytes(4, "big") * 2 + b"\x01\x00\x00\x00\x00"
    rows = zlib.compress((b"\0" + b"\0" * (-(-side // 8))) * side, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_pixel_bomb_is_refused_at_once(case):
    bomb = png_bomb(30000)
    assert len(bomb) < 1_000_000
    began = time.monotonic()
    assert "too large for us to open" in refusal(case, bomb)
    assert time.monotonic() - began < 15


def test_a_document_of_many_pages_is_refused(case):
    assert "too many pages" in refusal(case, pdf(remaking.MOST_PAGES + 1))
    assert receive(case, pdf(remaking.MOST_PAGES)).size


def test_what_takes_too_long_is_ended(case, monkeypatch):
    monkeypatch.setattr(remaking, "SECONDS", 0.01)
    assert "too large for us to open" in refusal(case, picture())


def test_what_wants_more_memory_than_it_may_have_is_refused_and_harms_nobody(case, monkeypatch, tmp_path):
    greedy = tmp_path / "greedy.py"
    source = (
        Path(remake.__file__)
        .read_text()
        .replace(
            "def remake(content: bytes) -> bytes:\n", "def remake(content: bytes) -> bytes:\n    content = b'x' * (4 * MEMORY)\n"
        )
    )
    greedy.write_text(source)
    monkeypatch.setattr(remake, "__file__", str(greedy))
    assert "too large for us to open" in refusal(case, picture())


def test_the_process_that_opens_strangers_files_has_none_of_our_secrets(case, monkeypatch, tmp_path):
    told = tmp_path / "told.py"
    told.write_text("import os, sys\nsys.stdin.buffer.read()\nsys.stdout.write(repr(sorted(os.environ)))\n")
    monkeypatch.setenv("INSYN_ENCRYPTION_KEYS", "secret")
    monkeypatch.setattr(remake, "__file__", str(told))
    assert b"INSYN" not in content_of(receive(case))


def test_a_large_file_and_an_empty_one_are_refused(case, settings):
    settings.INSYN_UPLOAD_MB = 1
    assert "at most 1 MB" in refusal(case, picture() + b"\0" * (1024 * 1024))
    assert "empty" in refusal(case, b"")


def test_a_request_takes_so_many_files_and_no_more(case):
    for _number in range(uploads.MOST_PER_PURPOSE):
        receive(case)
    with pytest.raises(UploadRefused, match="At most 5"):
        receive(case)
    receive(case, purpose="message")
    uploads.delete(uploads=uploads.kept(case, "evidence"), reason="decided", now=timezone.now())
    receive(case)


def test_refused_files_count_too(case, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_PER_DAY", 2)
    for _number in range(2):
        refusal(case, pdf()[:120])
    assert "many files today" in refusal(case, picture())
    Upload.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert receive(case).size


@pytest.mark.django_db(transaction=True)
def test_two_at_once_do_not_get_past_the_limit(monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(uploads, "MOST_PER_PURPOSE", 1)
    case = make_request()

    def one(_number):
        try:
            return receive(case)
        except UploadRefused:
            return None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        taken = [upload for upload in pool.map(one, range(3)) if upload]
    assert len(taken) == 1


def test_nothing_lies_on_the_disk_in_plain_text_and_names_say_nothing(case, folder):
    upload = receive(case)
    (name,) = files_in(folder)
    assert name == upload.file_name
    content = (folder / name).read_bytes()
    assert content.startswith(b"age-encryption.org/v1")
    assert b"\xff\xd8\xff" not in content
    assert "passport" not in name
    assert oct(os.stat(folder / name).st_mode & 0o777) == "0o600"
    key = Upload.objects.values_list("key", flat=True).get()
    assert key.startswith("AGE-SECRET-KEY-")


def test_it_is_handed_out_as_an_attachment_that_no_browser_runs_and_the_look_is_recorded(case):
    upload, agent = receive(case), make_staff("agent")
    response = uploads.attachment(upload=upload, acting_user=agent, now=timezone.now())
    list(response.streaming_content)
    assert response["Content-Disposition"] == f'attachment; filename="{case.reference}-{upload.pk}.jpg"'
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]
    event = AuditEvent.objects.get(chain=case.reference, action="upload.opened")
    assert (event.actor, event.payload) == (f"staff:{agent.pk}", {"upload": upload.pk})


def test_deleting_drops_the_key_the_file_and_says_so(case, folder, django_capture_on_commit_callbacks):
    upload = receive(case)
    with django_capture_on_commit_callbacks(execute=True):
        assert uploads.delete(uploads=[upload], reason="decided", now=timezone.now()) == 1
    assert files_in(folder) == []
    upload.refresh_from_db()
    assert (upload.key, upload.deleted_at is None) == (None, False)
    with pytest.raises(Upload.DoesNotExist):
        uploads.attachment(upload=upload, now=timezone.now())
    event = AuditEvent.objects.get(chain=case.reference, action="upload.deleted")
    assert event.payload == {"upload": upload.pk, "purpose": "evidence", "reason": "decided"}
    assert uploads.delete(uploads=[upload], reason="decided", now=timezone.now()) == 0
    assert audit.verify([case.reference]) == []


def test_the_nightly_run_deletes_proofs_in_time_and_leaves_messages(case, settings):
    now = timezone.now()
    proof, note = receive(case), receive(case, purpose="message")
    maintenance.nightly(now=now + timedelta(days=settings.INSYN_EVIDENCE_DAYS - 1))
    assert uploads.kept(case, "evidence").exists()
    maintenance.nightly(now=now + timedelta(days=settings.INSYN_EVIDENCE_DAYS, minutes=1))
    proof.refresh_from_db()
    note.refresh_from_db()
    assert proof.deleted_at
    assert note.deleted_at is None
    assert content_of(note)


def test_a_case_that_ends_takes_its_proofs_along(case):
    receive(case)
    type(case).objects.update(closed_at=timezone.now())
    uploads.delete_old(now=timezone.now())
    assert not uploads.kept(case, "evidence").exists()


def test_what_a_killed_process_left_is_swept(case, folder):
    receive(case)
    Upload.objects.update(key=None)
    uploads.delete_old(now=timezone.now() + timedelta(hours=3))
    assert files_in(folder) == []
    assert Upload.objects.get().deleted_at


def test_the_scanner_gets_the_file_as_it_was_sent(case, scanner):
    content = picture() + b"tail"
    receive(case, content)
    assert scanner.scanned == [content]


def test_what_the_scanner_warns_of_is_not_kept(case, scanner, folder):
    assert "scanner warns" in refusal(case, picture() + EICAR)
    assert files_in(folder) == []


@pytest.mark.parametrize("answer", [b"INSTREAM size limit exceeded. ERROR\0", b"stream: OK", b"stream: OKAY\0", b"\0"])
def test_an_answer_that_is_none_closes_the_door(case, scanner, answer):
    scanner.answer = answer
    if answer.strip(b"\0") == b"stream: OK":
        assert receive(case).size  # only the end is missing
    else:
        assert "scanner does not answer" in refusal(case, picture())


@pytest.mark.parametrize("address", ["/nowhere/clamd.sock", "port"])
def test_a_scanner_that_is_down_closes_the_door(case, settings, address):
    settings.INSYN_CLAMAV = f"127.0.0.1:{closed_port()}" if address == "port" else address
    assert "scanner does not answer" in refusal(case, picture())


def test_outside_the_demo_no_scanner_means_no_files(case, settings):
    settings.INSYN_UPLOADS_OPEN = False
    assert not uploads.are_open()
    assert "cannot be sent here" in refusal(case, picture())
