"""How often anybody may try to sign in as staff: counted in the database before a password is looked at.

An account that does not exist is counted like one that does, so that the limit tells nothing about who works here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Q

from accounts.models import StaffSignInAttempt
from privacy.crypto import keyed_hash

WINDOW = timedelta(minutes=15)
KEPT = timedelta(days=1)
# The narrow limit stops a guesser; the wide ones stop many guessers without letting one of them lock a colleague out at once.
PER_ACCOUNT_AND_ADDRESS = 10
PER_ACCOUNT = 50
PER_ADDRESS = 100


def count_attempt(*, email: str, address: str, now: datetime) -> bool:
    """Count this attempt; answers whether it is within the limits."""
    account, place = _lookups(email, address)
    StaffSignInAttempt.objects.filter(at__lt=now - KEPT).delete()
    StaffSignInAttempt.objects.create(account_lookup=account, address_lookup=place, at=now)
    both = Q(account_lookup=account, address_lookup=place)
    seen = StaffSignInAttempt.objects.filter(Q(account_lookup=account) | Q(address_lookup=place), at__gt=now - WINDOW).aggregate(
        both=Count("pk", filter=both),
        account=Count("pk", filter=Q(account_lookup=account)),
        address=Count("pk", filter=Q(address_lookup=place)),
    )
    return bool(seen["both"] <= PER_ACCOUNT_AND_ADDRESS and seen["account"] <= PER_ACCOUNT and seen["address"] <= PER_ADDRESS)


def forget_attempts(*, email: str, address: str) -> None:
    """After a sign-in that worked, from this address."""
    account, place = _lookups(email, address)
    StaffSignInAttempt.objects.filter(account_lookup=account, address_lookup=place).delete()


def _lookups(email: str, address: str) -> tuple[str, str]:
    return (
        keyed_hash(email.strip().lower(), purpose="staff sign-in account")[1],
        keyed_hash(address, purpose="staff sign-in address")[1],
    )
