"""A code is six digits, single use, for ten minutes and five attempts, and there are only so many of them."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts import codes, messaging
from accounts.models import VerificationCode
from privacy.engine.identity import InvalidIdentity
from tests.factories import make_customer
from tests.mailbox import Mailbox, last_code

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
ANNA = "anna@example.se"


def send(target=ANNA, *, at=NOW, address="192.0.2.1", channel=messaging.EMAIL, language="en", **more):
    return codes.send_code(channel=channel, target=target, address=address, language=language, now=at, **more)


def check(code, digits, *, at=NOW, **more):
    return codes.check_code(public_id=code.public_id, digits=digits, now=at, **more)


def other_than(digits):
    return f"{(int(digits) + 1) % 10**6:06d}"


def test_it_is_six_digits_and_works_once():
    code = send()
    digits = last_code(ANNA)
    assert re.fullmatch(r"[0-9]{6}", digits)
    assert check(code, digits).target == ANNA
    with pytest.raises(codes.CodeNoLongerWorks):
        check(code, digits)


def test_the_database_holds_neither_the_code_nor_the_address_in_clear():
    send()
    with connection.cursor() as cursor:
        cursor.execute("SELECT c::text FROM accounts_verificationcode c")
        row = cursor.fetchone()[0]
    assert last_code(ANNA) not in row
    assert ANNA not in row
    assert "192.0.2.1" not in row


def test_it_ends_after_ten_minutes_to_the_second():
    code = send()
    with pytest.raises(codes.CodeNoLongerWorks):
        check(code, last_code(ANNA), at=NOW + timedelta(minutes=10))
    assert check(code, last_code(ANNA), at=NOW + timedelta(minutes=9, seconds=59))


def test_a_newer_code_ends_the_older_one():
    older, digits = send(), last_code(ANNA)
    newer = send(at=NOW + timedelta(minutes=1))
    with pytest.raises(codes.CodeNoLongerWorks):
        check(older, digits, at=NOW + timedelta(minutes=1))
    assert check(newer, last_code(ANNA), at=NOW + timedelta(minutes=1))


def test_five_wrong_attempts_end_it_even_for_the_right_digits():
    code = send()
    digits = last_code(ANNA)
    for left in (4, 3, 2, 1):
        with pytest.raises(codes.WrongCode) as wrong:
            check(code, other_than(digits))
        assert wrong.value.attempts_left == left
    with pytest.raises(codes.TooManyAttempts):
        check(code, other_than(digits))
    with pytest.raises(codes.TooManyAttempts):
        check(code, digits)


def test_the_fifth_attempt_may_be_right():
    code = send()
    digits = last_code(ANNA)
    for _attempt in range(4):
        with pytest.raises(codes.WrongCode):
            check(code, other_than(digits))
    assert check(code, digits)


def test_the_attempt_is_counted_before_the_digits_are_compared(monkeypatch):
    code = send()

    def compare(first, second):
        assert VerificationCode.objects.get(pk=code.pk).attempts == 1
        return False

    monkeypatch.setattr(codes.hmac, "compare_digest", compare)
    with pytest.raises(codes.WrongCode):
        check(code, "000000")


@pytest.mark.django_db(transaction=True)
def test_the_attempt_cannot_be_rolled_back_by_a_caller():
    code = send()
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        check(code, "000000")


@pytest.mark.django_db(transaction=True)
def test_many_guesses_at_once_get_no_more_than_five():
    code = send()
    digits = other_than(last_code(ANNA))

    def guess(_number):
        try:
            check(code, digits)
        except codes.CodeRefused as refused:
            return type(refused)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(16)))
    assert len(answers) == 16
    assert VerificationCode.objects.get(pk=code.pk).attempts == 5


@pytest.mark.django_db(transaction=True)
def test_the_right_digits_in_two_tabs_at_once_work_once():
    code = send()
    digits = last_code(ANNA)

    def enter(_tab):
        try:
            check(code, digits)
        except codes.CodeNoLongerWorks:
            return 0
        finally:
            connection.close()
        return 1

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(enter, range(2))) == 1


def test_a_code_of_a_customer_works_for_that_customer_only():
    anna, bo = make_customer(), make_customer()
    code = send("070-123 45 67", channel=messaging.SMS, customer=anna)
    digits = last_code("+46701234567")
    for somebody in (bo, None):
        with pytest.raises(codes.CodeNoLongerWorks):
            check(code, digits, customer=somebody)
    assert check(code, digits, customer=anna)


def test_it_goes_to_the_canonical_address_whatever_was_typed():
    """Otherwise whoever owns strasse@ could prove straße@ (CVE-2019-19844)."""
    send("  ANNA@Example.SE ")
    assert Mailbox.kept[-1].to == ANNA
    send("straße@example.se")
    assert Mailbox.kept[-1].to == "strasse@example.se"


@pytest.mark.parametrize("target", ["", "anna", "a@b@c", "anna@example.se\x00"])
def test_what_is_no_address_is_refused_before_anything_is_written(target):
    with pytest.raises(InvalidIdentity):
        send(target)
    assert not VerificationCode.objects.exists()


@pytest.mark.parametrize(
    ("setting", "targets", "addresses"),
    [
        ("INSYN_CODES_PER_IDENTITY_HOUR", [ANNA] * 4, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]),
        ("INSYN_CODES_PER_ADDRESS_HOUR", [f"{n}@example.se" for n in range(4)], ["192.0.2.1"] * 4),
        ("INSYN_CODES_TOTAL_HOUR", [f"{n}@example.se" for n in range(4)], [f"192.0.2.{n}" for n in range(4)]),
    ],
)
def test_there_are_limits_per_target_per_address_and_in_total(settings, setting, targets, addresses):
    setattr(settings, setting, 3)
    for target, address in list(zip(targets, addresses, strict=True))[:3]:
        send(target, address=address)
    with pytest.raises(codes.TooManyCodes):
        send(targets[3], address=addresses[3])
    assert len(Mailbox.kept) == 3
    assert send(targets[3], address=addresses[3], at=NOW + timedelta(hours=1, seconds=1))


def test_somebody_without_an_address_is_not_counted_together_with_others(settings):
    settings.INSYN_CODES_PER_ADDRESS_HOUR = 1
    send("a@example.se", address="")
    send("b@example.se", address="")


def test_too_many_wrong_guesses_in_a_day_close_the_target(settings):
    settings.INSYN_CODE_FAILURES_PER_IDENTITY_DAY = 10
    for number in range(2):
        code = send(at=NOW + timedelta(hours=2 * number))
        for _attempt in range(5):
            with pytest.raises(codes.CodeRefused):
                check(code, other_than(last_code(ANNA)), at=NOW + timedelta(hours=2 * number))
    with pytest.raises(codes.TooManyCodes):
        send(at=NOW + timedelta(hours=4))
    assert send(at=NOW + timedelta(hours=27))


@pytest.mark.django_db(transaction=True)
def test_the_limit_holds_for_many_at_once(settings):
    settings.INSYN_CODES_PER_IDENTITY_HOUR = 3

    def ask(_number):
        try:
            send()
        except codes.TooManyCodes:
            return 0
        finally:
            connection.close()
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(12))) == 3


def test_the_same_statements_and_the_same_message_for_known_and_unknown(django_assert_num_queries):
    make_customer(ANNA)
    seen = []
    for target in (ANNA, "nobody@example.se"):
        with django_assert_num_queries(7) as captured:
            send(target)
        seen.append([re.sub(r"'[^']*'(::\w+)?|\d+", "?", query["sql"]) for query in captured.captured_queries])
    assert seen[0] == seen[1]
    first, second = Mailbox.kept
    assert first.subject == second.subject
    assert re.sub(r"\d{6}", "######", first.text) == re.sub(r"\d{6}", "######", second.text)


def test_the_message_keeps_the_code_out_of_the_subject_and_is_in_the_readers_language():
    send(language="en")
    english = Mailbox.kept[-1]
    assert not re.search(r"\d", english.subject)
    assert "10 minutes" in english.text
    send(at=NOW + timedelta(minutes=1), language="sv")
    assert Mailbox.kept[-1].key != english.key


def test_a_text_message_ends_so_that_the_phone_can_fill_it_in():
    send("070-123 45 67", channel=messaging.SMS, host="insyn.example:443")
    text = Mailbox.kept[-1].text
    assert text.endswith(f"\n\n@insyn.example #{last_code('+46701234567')}")


def test_old_codes_are_forgotten():
    send(at=timezone.now() - timedelta(days=3))
    kept = send("bo@example.se", at=timezone.now())
    assert codes.forget_old_codes(now=timezone.now()) == 1
    assert VerificationCode.objects.get() == kept
