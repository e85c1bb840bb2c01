from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.urls import reverse
from django.utils import timezone

from accounts.invitations import send_invitation
from accounts.messaging import DeliveryFailed
from accounts.models import Role, Staff
from accounts.staff import Invitation, invite_staff

OPERATOR = "operator:invite_staff"


class Command(BaseCommand):
    help = (
        "Makes a member of staff's account, or completes it, and invites the person to set a password and an authenticator app. "
        "Run again before they have done so, it makes a new invitation; afterwards it only sets name and roles."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument(
            "--role", action="append", required=True, choices=Role.values, dest="roles", help="may be given several times"
        )
        parser.add_argument("--name", default="", help="given name and surname")
        parser.add_argument("--site", default="", metavar="URL", help="where the desk is reached, for the message (https://…)")

    def handle(self, *args: Any, email: str, roles: list[str], name: str, site: str, **options: Any) -> None:
        try:
            validate_email(email)
        except ValidationError:
            raise CommandError("EMAIL is no e-mail address: it has one @ with something on either side.") from None
        host = site or settings.INSYN_PUBLIC_URL
        if not settings.DEMO and not host:
            raise CommandError("Say where the desk is reached: give --site https://… or set INSYN_PUBLIC_URL.")
        staff, invitation = invite_staff(email=email, roles=roles, name=name, actor=OPERATOR, now=timezone.now())
        if invitation is None:
            self.stdout.write(f"Enrolled already, so no invitation was made. Roles now: {', '.join(sorted(set(roles)))}.")
        elif settings.DEMO:
            self._print(staff, invitation)
        else:
            self._send(invitation, host)

    def _print(self, staff: Staff, invitation: Invitation) -> None:
        self.stdout.write(f"Sign in at {reverse('admin:login')} with")
        self.stdout.write(f"  e-mail address  {staff.email}")
        self.stdout.write(f"  password        {invitation.password}")
        self.stdout.write(f"  code            {invitation.code}")
        self.stdout.write("Both work once. The next page asks for a password of your own and sets up an authenticator app.")

    def _send(self, invitation: Invitation, host: str) -> None:
        try:
            send_invitation(invitation, sign_in_url=host.rstrip("/") + reverse("admin:login"))
        except DeliveryFailed as error:
            raise CommandError(
                f"The account is there, but the invitation did not leave: {error}. Then run this command again."
            ) from None
        self.stdout.write("The invitation was sent to the person's own address.")
