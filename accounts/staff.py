"""What may happen to a member of staff's account: invited, enrolled, given roles, reset, deactivated, let in again."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils.translation import gettext as _
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Role, Staff
from accounts.second_factor import confirm_device, forget_devices, is_enrolled, issue_invitation_code
from privacy import audit

SYSTEM = "system"  # the audit chain of what belongs to no case


class NotAllowed(Exception):
    """The change would lock everybody out or serve its maker; the text says what to do instead."""


@dataclass(frozen=True)
class Invitation:
    """Both secrets are shown or sent once and stored only as a hash and a single-use token."""

    staff: Staff
    password: str
    code: str


def invite_staff(
    *, email: str, roles: Iterable[str], name: str = "", actor: str, now: datetime
) -> tuple[Staff, Invitation | None]:
    """Make or complete the account. Answers the invitation, or None for somebody who has a second factor already.

    Run again for somebody who has not enrolled, it makes a new invitation and the old one stops working.
    """
    roles = sorted(set(roles))
    with transaction.atomic():
        staff, created = Staff.objects.select_for_update().get_or_create(
            email=Staff.objects.normalize_email(email).lower(), defaults={"is_staff": True}
        )
        if name:
            staff.first_name, _space, staff.last_name = name.strip().partition(" ")
        staff.is_staff = True
        staff.save()
        _give_roles(staff, roles)
        invitation = None if is_enrolled(staff) else _new_invitation(staff)
        action = "staff.invited" if invitation else "staff.roles_set"
        audit.record(
            chain=SYSTEM, actor=actor, action=action, payload={"staff": staff.pk, "roles": roles, "new": created}, now=now
        )
    return staff, invitation


@transaction.atomic
def enrol_staff(*, staff: Staff, code: str, password: str, now: datetime) -> TOTPDevice | None:
    """Confirm the prepared app and set the person's own password; None when the app does not show this code."""
    validate_password(password, staff)
    device = confirm_device(staff=staff, code=code)
    if device is None:
        return None
    staff.set_password(password)
    staff.save(update_fields=["password"])
    audit.record(chain=SYSTEM, actor=f"staff:{staff.pk}", action="staff.enrolled", payload={"staff": staff.pk}, now=now)
    return device


@transaction.atomic
def set_roles(*, staff: Staff, roles: Iterable[str], acting_user: Staff, now: datetime) -> None:
    roles = sorted(set(roles))
    _not_oneself(staff, acting_user)
    if Role.ADMINISTRATOR not in roles:
        _leave_an_administrator(without=staff)
    before = sorted(staff.groups.values_list("name", flat=True))
    _give_roles(staff, roles)
    _record("staff.roles_set", staff, acting_user, now, before=before, roles=roles)


@transaction.atomic
def reset_second_factor(*, staff: Staff, acting_user: Staff, now: datetime) -> Invitation:
    """Forget the person's app and password, which ends every session, and make a new invitation."""
    _not_oneself(staff, acting_user)
    forget_devices(staff)
    invitation = _new_invitation(staff)
    _record("staff.second_factor_reset", staff, acting_user, now)
    return invitation


@transaction.atomic
def deactivate_staff(*, staff: Staff, acting_user: Staff, now: datetime) -> None:
    """The account stays, as the name behind past decisions; nobody can use it."""
    _not_oneself(staff, acting_user)
    _leave_an_administrator(without=staff)
    if Staff.objects.filter(pk=staff.pk, is_active=True).update(is_active=False):
        _record("staff.deactivated", staff, acting_user, now)


@transaction.atomic
def reactivate_staff(*, staff: Staff, acting_user: Staff, now: datetime) -> Invitation:
    """Let somebody in again, from the start: what they knew or carried before opens nothing."""
    _not_oneself(staff, acting_user)
    Staff.objects.filter(pk=staff.pk).update(is_active=True)
    staff.is_active = True
    forget_devices(staff)
    invitation = _new_invitation(staff)
    _record("staff.reactivated", staff, acting_user, now)
    return invitation


def _new_invitation(staff: Staff) -> Invitation:
    password = secrets.token_urlsafe(15)
    staff.set_password(password)
    staff.save(update_fields=["password"])
    return Invitation(staff=staff, password=password, code=issue_invitation_code(staff))


def _give_roles(staff: Staff, roles: Iterable[str]) -> None:
    unknown = set(roles) - set(Role.values)
    if unknown:
        raise NotAllowed(_("There is no such role: %(roles)s.") % {"roles": ", ".join(sorted(unknown))})
    staff.groups.set([Group.objects.get_or_create(name=role)[0] for role in roles])


def _not_oneself(staff: Staff, acting_user: Staff) -> None:
    if staff.pk == acting_user.pk:
        raise NotAllowed(_("Nobody changes their own account here: ask another administrator."))


def _leave_an_administrator(*, without: Staff) -> None:
    others = Staff.objects.select_for_update().filter(is_active=True, groups__name=Role.ADMINISTRATOR).exclude(pk=without.pk)
    if not others:
        raise NotAllowed(_("This is the last administrator: make another one first."))


def _record(action: str, staff: Staff, acting_user: Staff, now: datetime, **more: object) -> None:
    audit.record(chain=SYSTEM, actor=f"staff:{acting_user.pk}", action=action, payload={"staff": staff.pk, **more}, now=now)
