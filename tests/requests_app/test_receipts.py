"""The receipt of an erasure: what it says, who gets it, and that nobody changes a letter of it unseen."""

import base64
import io
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pypdfium2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from privacy import audit, signing
from requests_app.delivering import receipt_checks, receipts
from requests_app.delivering.receipt_checks import MARK, NotGenuine, check_code, check_pdf, code_of
from requests_app.delivering.receipts import facts_of, issue_receipt
from requests_app.errors import NotAllowed
from requests_app.models import RightsRequest, RunState, State, StoreRun
from tests.factories import NOW, make_customer, make_request, make_store, sign_in_customer

pytestmark = pytest.mark.django_db
BASIS = "bokföringslagen 7 kap. 2 §"
REPORT = {
    "customer": {"rows": 1, "deleted": 1},
    "invoice": {
        "rows": 1500,
        "deleted": 1200,
        "erased_earlier": 10,
        "anonymized": 40,
        "kept": [{"rows": 250, "basis": BASIS, "until": "2034-01-01"}, {"rows": 2, "basis": BASIS, "until": None}],
    },
    "ticket": {"rows": 3, "undecided_contested": 2, "waiting": 1, "pinned": 1},
    "empty": {"rows": 0, "deleted": 0},
}


@pytest.fixture
def case(db):
    make_store("billing"), make_store("crm")
    request = make_request(make_customer("anna@example.se", language="en"), "erasure", ground="a", now=NOW)
    StoreRun.objects.filter(request=request, store__key="billing").update(state=RunState.DONE, report={"collections": REPORT})
    StoreRun.objects.filter(request=request, store__key="crm").update(state=RunState.DONE, report={"collections": {}})
    RightsRequest.objects.filter(pk=request.pk).update(
        state=State.COMPLETED, closed_at=NOW + timedelta(days=9), answer="Done.", outcome="fulfilled"
    )
    request.refresh_from_db()
    return request


@pytest.fixture
def pdf(case):
    return issue_receipt(request=case, customer=case.customer, now=NOW)


@pytest.fixture
def owner(client, case):
    client.cookies["django_language"] = "en"
    sign_in_customer(client, case.customer, level=2)
    return client


def ours():
    return list(signing.trusted_keys().values())


def text_of(pdf):
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "\n".join(page.get_textpage().get_text_range() for page in document)
    finally:
        document.close()


def test_it_is_set_once_however_often_it_is_fetched(owner, case, monkeypatch):
    cache.clear()
    setting, asked = receipts._set, []
    monkeypatch.setattr(receipts, "_set", lambda *words: asked.append(words) or setting(*words))
    fetched = {owner.get(f"/requests/{case.reference}/receipt/").content for _time in range(3)}
    assert len(asked) == 1
    assert len(fetched) == 1
    assert check_pdf(fetched.pop(), keys=ours())
    RightsRequest.objects.filter(pk=case.pk).update(language="sv")
    owner.get(f"/requests/{case.reference}/receipt/")
    assert len(asked) == 2


# --- what it says -----------------------------------------------------------------------------------------------------


def test_it_says_what_was_erased_and_what_is_kept_until_when(case, pdf):
    text = " ".join(text_of(pdf).split())
    for part in (
        case.reference,
        "5 March 2026",
        "14 March 2026",
        "1,210 records erased",
        "40 records made anonymous",
        f"250 records kept until 1 January 2034: {BASIS}",
        f"2 records kept, and we will tell you until when: {BASIS}",
        "2 left as they are",
        "Nothing was held here.",
    ):
        assert part in text, part


def test_it_names_nobody(case, pdf):
    for secret in ("anna", "example.se", case.customer.public_id):
        assert secret not in text_of(pdf).lower()
        assert secret.encode() not in pdf
    assert facts_of(case) == facts_of(case)


def test_its_code_sums_it_up(case, pdf):
    found = check_pdf(pdf, keys=ours())
    assert (found.reference, found.received_on, found.answered_on) == (case.reference, "2026-03-05", "2026-03-14")
    assert (found.erased, found.anonymized, found.kept, found.left) == (1211, 40, 252, 3)
    assert found.kept_until == "2034-01-01"
    assert found.facts == receipt_checks.digest_of(facts_of(case))
    printed = "".join(text_of(pdf).split()).partition("INSYN1.")[2]
    assert check_code("INSYN1." + printed[: len(code_of(found)) - len("INSYN1.")], keys=ours()) == found


def test_it_is_swedish_for_who_asked_in_swedish(case):
    RightsRequest.objects.filter(pk=case.pk).update(language="sv")
    case.refresh_from_db()
    assert "mars 2026" in text_of(issue_receipt(request=case, customer=case.customer, now=NOW))


def test_words_of_a_map_are_never_markup(case):
    report = {'#panic("x") *b* <script>': {"deleted": 1}, "$x": {"deleted": 1}}
    StoreRun.objects.filter(request=case, store__key="billing").update(report={"collections": report})
    assert '#panic("x") *b* <script>' in text_of(issue_receipt(request=case, customer=case.customer, now=NOW))


def test_it_is_written_down_that_it_was_issued(case, pdf):
    event = audit.events(case.reference).get(action="receipt.issued")
    assert (event.actor, event.payload) == ("customer", {"facts": receipt_checks.digest_of(facts_of(case))})


# --- whether it is genuine --------------------------------------------------------------------------------------------


def test_a_change_of_any_byte_is_found(pdf):
    places = {0, 1, len(pdf) // 2, len(pdf) - 1, len(pdf) - 2, pdf.index(MARK) + 5, *range(7, len(pdf), len(pdf) // 60)}
    for at in places:
        changed = bytearray(pdf)
        changed[at] ^= 1
        with pytest.raises(NotGenuine):
            check_pdf(bytes(changed), keys=ours())


def test_what_is_added_or_taken_away_is_found(pdf):
    code, signature = pdf.rpartition(MARK)[2].split()
    other = b"%PDF-1.7 another" + MARK + code + b" " + signature + b"\n"
    for changed in (
        pdf + b"\n",
        pdf + b"x",
        b" " + pdf,
        pdf[:-1],
        pdf[:-30],
        pdf + pdf,
        other,
        b"",
        b"%PDF",
        MARK,
        MARK + b" \n",
    ):
        with pytest.raises(NotGenuine):
            check_pdf(changed, keys=ours())


def test_a_changed_code_is_found(case, pdf):
    code = code_of(check_pdf(pdf, keys=ours()))
    _prefix, facts, signature = code.split(".")
    better = base64.urlsafe_b64encode(base64.urlsafe_b64decode(facts + "==").replace(b"1211", b"9999")).rstrip(b"=").decode()
    for changed in (
        f"INSYN1.{better}.{signature}",
        f"INSYN2.{facts}.{signature}",
        f"INSYN1.{facts}.{signature}=",
        facts,
        "",
        "..",
        "å",
    ):
        with pytest.raises(NotGenuine):
            check_code(changed, keys=ours())
    assert check_code("\n ".join(code[at : at + 10] for at in range(0, len(code), 10)), keys=ours())


def test_somebody_elses_key_is_not_ours_and_an_earlier_one_of_ours_is(case, pdf, settings):
    stranger = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(NotGenuine):
        check_pdf(pdf, keys=[stranger])
    before = next(iter(signing.trusted_keys()))
    settings.INSYN_CHECKPOINT_KEY = base64.b64encode(bytes(range(32))).decode()
    with pytest.raises(NotGenuine):
        check_pdf(pdf, keys=ours())
    settings.INSYN_CHECKPOINT_PUBLIC_KEYS = [before]
    assert check_pdf(pdf, keys=ours())


def test_a_signature_of_one_thing_is_none_of_another(pdf):
    code = code_of(check_pdf(pdf, keys=ours()))
    facts = base64.urlsafe_b64decode(code.split(".")[1] + "==")
    for purpose in ("receipt file", "checkpoint", ""):
        assert not signing.is_signed(facts, signing.sign(facts, purpose=purpose), purpose="receipt", keys=ours())


def test_the_command_tells_genuine_from_changed_without_our_secrets(pdf, tmp_path: Path, capsys, monkeypatch, settings):
    key = next(iter(signing.trusted_keys()))
    settings.INSYN_CHECKPOINT_KEY = "nonsense"
    path = tmp_path / "r.pdf"
    path.write_bytes(pdf)
    call_command("receipt", "verify", str(path), "--public-key", key)
    told = capsys.readouterr().out
    assert told.startswith("genuine\nreference: ")
    path.write_bytes(pdf.replace(b"%PDF-1.7", b"%PDF-1.6"))
    with pytest.raises(CommandError, match="NOT genuine"):
        call_command("receipt", "verify", str(path), "--public-key", key)
    monkeypatch.setattr("sys.stdin", io.StringIO(pdf.rpartition(MARK)[2].split()[0].decode()))
    call_command("receipt", "verify", "-", "--public-key", key)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("receipt", "verify", str(tmp_path / "none.pdf"), "--public-key", key)
    with pytest.raises(CommandError, match="32 bytes"):
        call_command("receipt", "verify", str(path), "--public-key", "short")


def test_openssl_alone_can_check_it_as_the_documentation_says(pdf, tmp_path: Path):
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("no openssl on PATH")
    raw = base64.b64decode(next(iter(signing.trusted_keys())))
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + raw)
    signed, _blank, signature = pdf.rstrip(b"\n").rpartition(b" ")
    (tmp_path / "sig").write_bytes(base64.urlsafe_b64decode(signature + b"=="))
    command = [openssl, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin", "-in", "msg"]
    for content, genuine in ((signed + b" ", True), (signed + b"x", False)):
        (tmp_path / "msg").write_bytes(b"insyn receipt file\0" + content)
        done = subprocess.run([*command, "-sigfile", "sig"], cwd=tmp_path, capture_output=True, check=False)
        assert (done.returncode == 0) == genuine, done.stderr


# --- who gets it, and the public page -----------------------------------------------------------------------------------


def test_its_person_downloads_it_from_the_page_of_the_request(owner, case):
    page = owner.get(f"/requests/{case.reference}/").content.decode()
    assert f"/requests/{case.reference}/receipt/" in page
    response = owner.get(f"/requests/{case.reference}/receipt/")
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == f'attachment; filename="receipt-{case.reference}.pdf"'
    assert "no-store" in response["Cache-Control"]
    assert check_pdf(response.content, keys=ours()).reference == case.reference


def test_nobody_else_gets_it_and_nobody_with_one_proof(client, case):
    path = f"/requests/{case.reference}/receipt/"
    assert client.get(path)["Location"].startswith("/sign-in/")
    sign_in_customer(client, case.customer, level=1)
    assert client.get(path)["Location"].startswith("/identity/")
    sign_in_customer(client, make_customer(), level=2)
    assert client.get(path).status_code == 404
    with pytest.raises(NotAllowed):
        issue_receipt(request=case, customer=make_customer(), now=NOW)
    assert not audit.events(case.reference).filter(action="receipt.issued").exists()


@pytest.mark.parametrize("change", [{"state": State.TRIAGE}, {"state": State.REFUSED}, {"right": "access"}, {"answer": None}])
def test_without_an_answered_erasure_there_is_none(owner, case, change):
    RightsRequest.objects.filter(pk=case.pk).update(**change)
    assert "/receipt/" not in owner.get(f"/requests/{case.reference}/").content.decode()
    assert owner.get(f"/requests/{case.reference}/receipt/")["Location"] == f"/requests/{case.reference}/"


def check(client, **fields):
    client.cookies["django_language"] = "en"
    return client.post("/receipt/", fields)


def upload(content):
    return SimpleUploadedFile("receipt.pdf", content, "application/pdf")


def test_anybody_checks_a_receipt_by_file_or_code(client, case, pdf, django_assert_num_queries):
    code = code_of(check_pdf(pdf, keys=ours()))
    for fields in ({"file": upload(pdf)}, {"code": code}, {"code": f" {code[:40]}\n{code[40:]}", "file": upload(pdf)}):
        with django_assert_num_queries(0):
            page = check(client, **fields).content.decode()
        assert "The receipt is genuine" in page
        assert case.reference in page
        assert "1,211" in page
        assert "the last until 1 January 2034" in page


def test_what_is_changed_or_mixed_is_not_genuine(client, case, pdf):
    RightsRequest.objects.filter(pk=case.pk).update(closed_at=NOW + timedelta(days=10))
    case.refresh_from_db()
    other = issue_receipt(request=case, customer=case.customer, now=NOW)
    other_code = code_of(check_pdf(other, keys=ours()))
    for fields in ({"file": upload(pdf + b" ")}, {"code": "INSYN1.x.y"}, {"file": upload(pdf), "code": other_code}):
        page = check(client, **fields).content.decode()
        assert "This is not a genuine receipt" in page
        assert "The receipt is genuine" not in page


def test_the_page_asks_for_one_of_them_and_takes_no_giants(client):
    assert check(client).status_code == 422
    assert check(client, file=upload(b"x" * (receipt_checks.LONGEST_FILE + 1))).status_code == 422
    assert check(client, code="x" * (receipt_checks.LONGEST_CODE + 1)).status_code == 422


def test_the_template_sees_no_file_outside_its_folder(case, monkeypatch, tmp_path: Path):
    import typst

    folder = tmp_path / "templates"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "erasure.typ").write_text('#read("../secret")')
    monkeypatch.setattr(receipts, "TEMPLATE", folder / "erasure.typ")
    with pytest.raises(typst.TypstError):
        issue_receipt(request=case, customer=case.customer, now=NOW)


def test_the_page_calls_neither_way_optional_since_one_is_needed(client):
    client.cookies["django_language"] = "en"
    page = client.get("/receipt/").content.decode()
    assert "One of them is enough" in page
    assert "(optional)" not in page
    assert "problems__list" in client.post("/receipt/", {}).content.decode()
