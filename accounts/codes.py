"""Six digits to a mailbox or a phone: single use, ten minutes, five attempts, each counted before it is compared.

Nothing here looks whether anybody is known under the address: known and unknown get the same statements and the same message.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Q, Sum
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import messaging
from accounts.models import Customer, IdentityKind, VerificationCode, new_public_id
from privacy.crypto import keyed_hash
from privacy.engine.identity import canonical

DIGITS = 6
CODES_LOCK = 0x1A5B  # any number of our own: what the advisory lock below is called
KIND_OF_CHANNEL = {messaging.EMAIL: IdentityKind.EMAIL, messaging.SMS: IdentityKind.PHONE}


class TooManyCodes(Exception):
    """A limit is reached: per target, per client address or in total. The message is the same for all three."""


class CodeRefused(Exception):
    """The code proves nothing; the classes below say why."""


class WrongCode(CodeRefused):
    def __init__(self, attempts_left: int) -> None:
        super().__init__("wrong code")
        self.attempts_left = attempts_left


class CodeNoLongerWorks(CodeRefused):
    """Used, expired, or replaced by a newer one."""


class TooManyAttempts(CodeRefused):
    """All attempts are spent: only a new code helps."""


def send_code(
    *, channel: str, target: str, address: str, language: str, now: datetime, customer: Customer | None = None, host: str = ""
) -> VerificationCode:
    """Make a code, invalidate the older ones of this target, and send it; `host` lets phones fill it in by themselves.

    It goes to the *canonical* form of the address: were it sent to another spelling, whoever owns that mailbox could claim
    ours (CVE-2019-19844). Raises InvalidIdentity, TooManyCodes, DeliveryFailed; the limits count what was not delivered, too.
    """
    target = canonical(KIND_OF_CHANNEL[channel], target)
    target_lookup = keyed_hash(f"{channel}:{target}", purpose="code-target")[1]
    address_lookup = keyed_hash(address, purpose="code-address")[1] if address else ""
    digits = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    public_id = new_public_id()
    with transaction.atomic():
        _refuse_beyond_limits(target_lookup, address_lookup, now)
        VerificationCode.objects.filter(target_lookup=target_lookup, used_at=None, expires_at__gt=now).update(expires_at=now)
        code = VerificationCode.objects.create(
            public_id=public_id,
            channel=channel,
            target_lookup=target_lookup,
            target=target,
            address_lookup=address_lookup,
            code_hash=_code_hash(public_id, digits),
            customer=customer,
            created_at=now,
            expires_at=now + timedelta(minutes=settings.INSYN_CODE_MINUTES),
        )
    subject, text = _message(channel, digits, language=language, host=host)
    messaging.deliver(channel=channel, to=target, subject=subject, text=text, key=f"code:{public_id}")
    return code


def check_code(*, public_id: str, digits: str, now: datetime, customer: Customer | None = None) -> VerificationCode:
    """Spend one attempt and answer the code if the digits are right; a code of a customer works for that customer only.

    The attempt is committed before anything is compared (`durable`: never inside another transaction, whose rollback would
    give it back). Raises WrongCode, CodeNoLongerWorks, TooManyAttempts.
    """
    mine = VerificationCode.objects.filter(public_id=public_id, customer=customer)
    with transaction.atomic(durable=True):
        alive = mine.filter(used_at=None, expires_at__gt=now, attempts__lt=settings.INSYN_CODE_ATTEMPTS)
        counted = alive.update(attempts=F("attempts") + 1)
    code = mine.first()
    if code is None or code.used_at is not None or code.expires_at <= now:
        raise CodeNoLongerWorks
    if not counted:
        raise TooManyAttempts
    if not hmac.compare_digest(code.code_hash, _code_hash(public_id, digits, version=code.code_hash.partition(":")[0])):
        if code.attempts >= settings.INSYN_CODE_ATTEMPTS:
            raise TooManyAttempts
        raise WrongCode(settings.INSYN_CODE_ATTEMPTS - code.attempts)
    if mine.filter(pk=code.pk, used_at=None, expires_at__gt=now).update(used_at=now) != 1:
        raise CodeNoLongerWorks  # another tab was faster with the same code, or a newer one was asked for
    return code


def forget_old_codes(*, now: datetime) -> int:
    """Delete what neither proves anything nor counts towards a limit any more; answers how many."""
    return VerificationCode.objects.filter(expires_at__lt=now - timedelta(days=1)).delete()[0]


def _code_hash(public_id: str, digits: str, *, version: str | None = None) -> str:
    """`version:hmac`, bound to one row: the same digits elsewhere hash to something else."""
    return ":".join(keyed_hash(f"{public_id}:{digits}", purpose="code", version=version))


def _refuse_beyond_limits(target_lookup: str, address_lookup: str, now: datetime) -> None:
    """Count and refuse, one sender at a time: without the lock two at once would both still see room."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CODES_LOCK])
    hour, day = now - timedelta(hours=1), now - timedelta(days=1)
    target = VerificationCode.objects.filter(target_lookup=target_lookup, created_at__gt=day).aggregate(
        sent=Count("pk", filter=Q(created_at__gt=hour)), failures=Sum("attempts", filter=Q(used_at=None), default=0)
    )
    everybody = VerificationCode.objects.filter(created_at__gt=hour).aggregate(
        sent=Count("pk"), from_address=Count("pk", filter=Q(address_lookup=address_lookup) & ~Q(address_lookup=""))
    )
    if (
        target["sent"] >= settings.INSYN_CODES_PER_IDENTITY_HOUR
        or target["failures"] >= settings.INSYN_CODE_FAILURES_PER_IDENTITY_DAY
        or everybody["from_address"] >= settings.INSYN_CODES_PER_ADDRESS_HOUR
        or everybody["sent"] >= settings.INSYN_CODES_TOTAL_HOUR
    ):
        raise TooManyCodes


def _message(channel: str, digits: str, *, language: str, host: str) -> tuple[str, str]:
    """(subject, text). The code stands in the text only: a subject shows on locked screens and in lists."""
    minutes, company = settings.INSYN_CODE_MINUTES, settings.INSYN_COMPANY_NAME
    with translation.override(language):
        valid = ngettext("It works once, for %(minutes)d minute.", "It works once, for %(minutes)d minutes.", minutes) % {
            "minutes": minutes
        }
        if channel == messaging.SMS:
            text = _("%(code)s is your code for your data protection request to %(company)s.") % {
                "code": digits,
                "company": company,
            }
            text = f"{text} {valid} " + _("Never give it to anybody.")
            # The last line is the format of origin-bound one-time codes: the browser offers the code, on our page only.
            return "", f"{text}\n\n@{host.partition(':')[0]} #{digits}" if host else text
        subject = _("Your code for %(company)s") % {"company": company}
        text = "\n\n".join(
            (
                _("Your code is: %(code)s") % {"code": digits},
                valid,
                _("Enter it on the page where you asked for it. Never give it to anybody, not even to us."),
                _(
                    "Did you not ask for a code? Then somebody may have mistyped an address. "
                    "Do nothing: without the code nothing happens."
                ),
                company,
            )
        )
        return subject, text
