"""How a message leaves the house: one small protocol, a mail server, a gateway for text messages.

Which class carries what is a setting (INSYN_EMAIL_MESSENGER, INSYN_SMS_MESSENGER: dotted paths). `key` is the idempotency key:
a message delivered twice under one key is one message to whoever can tell (the gateway by its header, a mailbox by Message-ID).
"""

from __future__ import annotations

import json
import smtplib
from collections.abc import Mapping
from email.utils import parseaddr
from hashlib import sha256
from time import time
from typing import Protocol

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils.module_loading import import_string

from privacy.hooks import sign

EMAIL, SMS = "email", "sms"
GATEWAY_SECONDS = 10


class DeliveryFailed(Exception):
    """The message did not leave. The text names the channel and what to look at, never the recipient or the content."""


class Messenger(Protocol):
    def send(self, *, channel: str, to: str, subject: str, text: str, key: str) -> None:
        """Hand the message over, or raise DeliveryFailed."""


def deliver(*, channel: str, to: str, subject: str, text: str, key: str) -> None:
    """Send one message by the messenger that the settings name for its channel. Raises DeliveryFailed."""
    paths: Mapping[str, str] = {EMAIL: settings.INSYN_EMAIL_MESSENGER, SMS: settings.INSYN_SMS_MESSENGER}
    if not paths.get(channel):
        raise DeliveryFailed(f"no messenger is set for the channel {channel}: set INSYN_{channel.upper()}_MESSENGER")
    messenger: Messenger = import_string(paths[channel])()
    messenger.send(channel=channel, to=to, subject=subject, text=text, key=key)


class SmtpMessenger:
    """Plain-text mail by Django's e-mail backend."""

    def send(self, *, channel: str, to: str, subject: str, text: str, key: str) -> None:
        domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
        message = EmailMessage(
            subject=" ".join(subject.split()),  # a header holds no line break
            body=text,
            to=[to],
            headers={
                "Message-ID": f"<{sha256(key.encode()).hexdigest()[:32]}@{domain}>",
                "Auto-Submitted": "auto-generated",  # RFC 3834: no out-of-office answers, please
            },
        )
        try:
            message.send()
        except smtplib.SMTPException as error:
            # The driver's own text carries addresses; the reply code says as much to an operator.
            code = getattr(error, "smtp_code", "")
            raise DeliveryFailed(
                f"the mail server did not take the message ({type(error).__name__} {code})".replace(" )", ")")
            ) from None
        except OSError as error:
            raise DeliveryFailed(
                f"the mail server cannot be reached ({type(error).__name__}); look at EMAIL_HOST and EMAIL_PORT"
            ) from None


class HttpSmsGateway:
    """A signed POST to INSYN_SMS_GATEWAY_URL; any provider's API hangs behind a few lines of adapter there.

    Body: {"to", "text", "key"}. Headers: Idempotency-Key, X-Insyn-Timestamp, X-Insyn-Signature = `v1=` + HMAC-SHA-256 in hex of
    `timestamp + "." + body` under INSYN_SMS_GATEWAY_SECRET. Any 2xx means taken.
    """

    def send(self, *, channel: str, to: str, subject: str, text: str, key: str) -> None:
        import httpx2

        if not settings.INSYN_SMS_GATEWAY_SECRET:
            raise DeliveryFailed("set INSYN_SMS_GATEWAY_SECRET: anybody could sign with an empty one")
        body = json.dumps({"to": to, "text": text, "key": key}, ensure_ascii=False).encode()
        stamp = str(int(time()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            "X-Insyn-Timestamp": stamp,
            "X-Insyn-Signature": "v1=" + sign(body, stamp=stamp, secret=settings.INSYN_SMS_GATEWAY_SECRET),
        }
        try:
            answer = httpx2.post(settings.INSYN_SMS_GATEWAY_URL, content=body, headers=headers, timeout=GATEWAY_SECONDS)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise DeliveryFailed(
                f"the gateway for text messages cannot be reached ({type(error).__name__}); look at INSYN_SMS_GATEWAY_URL"
            ) from None
        if not answer.is_success:
            raise DeliveryFailed(f"the gateway for text messages answered {answer.status_code}")
