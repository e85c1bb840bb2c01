"""What a person has answered so far, kept encrypted in the session until it is sent.

A draft belongs to the signed-in person (accounts.signin.notes): it outlives a time-out for the same person and nobody else. Its
token makes a second submit of the same form recognisable.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from django.http import HttpRequest

from accounts import signin
from privacy.crypto import DecryptionError, decrypt, encrypt

REMEMBERED_SUBMISSIONS = 20


@dataclass
class Draft:
    token: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    answers: dict[str, Any] = field(default_factory=dict)  # by step
    holdings: dict[str, Any] | None = None  # what the stores answered for the rectification form
    outlook: dict[str, Any] | None = None  # what an erasure would do, as the stores answered; counts and no values
    mailbox: dict[str, Any] = field(default_factory=dict)  # new e-mail addresses: "to" and "code" of the one asked, "proved"
    identity_offered: bool = False  # the person was shown how to prove more, and came to the last page without it

    def answer(self, step: str, answers: dict[str, Any]) -> None:
        """Note the answers of a step; other ones than before make it another form: an older tab shows what no longer holds."""
        if self.answers.get(step) != answers:
            self.token = secrets.token_urlsafe(12)
        self.answers[step] = answers


def load(request: HttpRequest, right: str) -> Draft:
    token = signin.notes(request).get("drafts", {}).get(right)
    if token:
        try:
            return Draft(**json.loads(decrypt(token.encode())))
        except (DecryptionError, TypeError):
            pass  # written under a key that is gone, or by an older version: begin anew
    return Draft()


def save(request: HttpRequest, right: str, draft: Draft) -> None:
    text = json.dumps(asdict(draft), ensure_ascii=False)
    signin.notes(request).setdefault("drafts", {})[right] = encrypt(text.encode()).decode()
    request.session.modified = True


def drop(request: HttpRequest, right: str) -> None:
    signin.notes(request).get("drafts", {}).pop(right, None)
    request.session.modified = True


def remember_submission(request: HttpRequest, token: str, reference: str) -> None:
    sent = signin.notes(request).setdefault("sent", {})
    sent[token] = reference
    for oldest in list(sent)[:-REMEMBERED_SUBMISSIONS]:
        del sent[oldest]
    request.session.modified = True


def submitted_as(request: HttpRequest, token: str) -> str | None:
    """The reference of the request that this very form became, if it was sent before."""
    found: str | None = signin.notes(request).get("sent", {}).get(token)
    return found
