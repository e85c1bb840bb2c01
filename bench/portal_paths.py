"""The addresses of the portal that show a page, with a person, drafts, requests and a package that fill them."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bench import product

if TYPE_CHECKING:
    from bench.pages import Browser
    from requests_app.models import RightsRequest

PERSON = "customer-1@example.com"
WAITING = "customer-4@example.com"  # whose erasure waits for another request of theirs
FILLS = {
    "<slug:version>": "2026-12",
    "<slug:digest>": "0",
    "<str:name>": "theme.css",
    "<slug:right>": "access",
    "<slug:step>": "role",
    "<int:number>": "1",
}
LEAD_ELSEWHERE = {"language", "sign_out", "ask", "for_another", "eid", "eid_back"}
HAND_OUT_A_FILE = {"brand", "download", "download_as", "receipt", "message_file"}
OF_A_CHILD = {"child_consents"}  # the page of consents once more, for a guardian
OF_A_CLAIM = {"role", "evidence"}  # shown while what somebody asks for another waits for proof
OF_AN_ANSWER = {"package", "package_table", "package_delete"}
# Answers that lead to questions which are asked of some only.
ANSWERS = (
    ("access", "scope", {"scope": "categories"}),
    ("portability", "scope", {"scope": "period"}),
    ("restriction", "ground", {"ground": "a"}),
)


def fill(browser: Browser, proved: dict[str, str]) -> dict[str, str]:
    """Every address of the portal that shows a page, with the drafts and requests that it takes: label → path."""
    from requests_app.models import Right
    from requests_app.portal.flow import STEPS
    from requests_app.portal.urls import urlpatterns

    _an_older_policy()
    for right, step, answers in ANSWERS:
        browser.post(f"/ask/{right}/{step}/", answers, proved)
    _correct_something(browser, proved)
    paths = {}
    for pattern in urlpatterns:
        if pattern.name in LEAD_ELSEWHERE | HAND_OUT_A_FILE | OF_A_CHILD:
            continue
        path = "/" + str(pattern.pattern)
        for part, value in FILLS.items():
            path = path.replace(part, value)
        paths[str(pattern.name)] = path
    for right, steps in STEPS.items():
        paths |= {f"ask {right} {step.name}": f"/ask/{right}/{step.name}/" for step in steps}
    paths.pop("ask_step")
    for name, path in [(name, path) for name, path in paths.items() if name.startswith("ask ")]:
        if browser.ask(path, proved)[0] == 302:
            del paths[name]  # a question that these answers do not lead to
    paths["ask_check"] = f"/ask/{Right.OBJECTION}/check/"
    _put_in_references(paths, claim=_a_claim(browser, proved))
    paths |= {f"for_another {step}": f"/for-another/{step}/" for step in ("person", "right", "words")}
    for name in [name for name, path in paths.items() if "<" in path]:
        print(f"not measured: {name}, FILLS does not say what stands in {paths.pop(name)}", file=sys.stderr)
    return paths


def _an_older_policy() -> None:
    """So that the version in force changed something."""
    from django.utils import timezone

    from requests_app.models.consent import PolicyVersion

    now = timezone.now()
    older = {"in_force_at": now - timedelta(days=400), "put_by": "system", "told_at": now}
    PolicyVersion.objects.get_or_create(version="2026-11", defaults=older)


def _put_in_references(paths: dict[str, str], *, claim: str) -> None:
    """A page of a request is measured of an open and of an answered one, where both have it."""
    still_open, answered = _requested(PERSON, "restriction"), _an_answered_request()
    _requested(WAITING, "access")
    waits = _requested(WAITING, "erasure")
    for name, path in [(name, path) for name, path in paths.items() if "<str:reference>" in path]:
        del paths[name]
        if name in OF_A_CLAIM:
            paths[name] = path.replace("<str:reference>", claim)
        elif name == "waive":
            paths[name] = path.replace("<str:reference>", waits)
        else:
            if name not in OF_AN_ANSWER:
                paths[name] = path.replace("<str:reference>", still_open)
            paths[f"{name} (answered)"] = path.replace("<str:reference>", answered)


def ask_for_a_code_by_phone(browser: Browser, cookies: dict[str, str]) -> None:
    from django.utils import timezone

    from accounts import people
    from accounts.models import IdentityKind, VerificationMethod

    now = timezone.now()
    customer = people.find_or_create_customer(email=PERSON, language="sv", now=now)
    number = {"kind": IdentityKind.PHONE, "value": "+46701740635", "method": VerificationMethod.STAFF}
    people.add_identity(customer=customer, now=now, **number)
    choice = re.search(r'name="number"[^>]* value="([^"]+)"', browser.text("/identity/", cookies))
    browser.post("/identity/", {"number": choice[1] if choice else ""}, cookies)


def _correct_something(browser: Browser, proved: dict[str, str]) -> None:
    if first := re.search(r'name="fields_wrong"[^>]* value="([^"]+)"', browser.text("/ask/rectification/fields/", proved)):
        browser.post("/ask/rectification/fields/", {"fields_wrong": first[1]}, proved)


def _a_claim(browser: Browser, proved: dict[str, str]) -> str:
    """A request for another that waits for proof, and the same answers once more in a draft that is not sent."""

    def answer() -> None:
        browser.post("/for-another/role/", {"role": "trustee"}, proved)
        browser.post("/for-another/person/", {"name": "Karin Ek", "known_by": "customer-3@example.com"}, proved)
        browser.post("/for-another/right/", {"right": "access"}, proved)
        browser.post("/for-another/words/", {"words": ""}, proved)

    from requests_app.models import RightsRequest

    answer()
    token = re.search(r'name="token" value="([^"]+)"', browser.text("/for-another/check/", proved))
    browser.post("/for-another/check/", {"token": token[1] if token else ""}, proved)
    answer()
    return str(RightsRequest.objects.latest("pk").reference)


def _an_answered_request() -> str:
    """With a letter, a package and twenty older requests behind it."""
    from django.utils import timezone

    from requests_app.models import RightsRequest, State

    now = timezone.now()
    for _older in range(20):
        _requested(PERSON, "objection")
        RightsRequest.objects.filter(right="objection").update(state=State.COMPLETED, closed_at=now, answer="Hej!\n\nKlart.")
    reference = _requested(PERSON, "portability")
    case = RightsRequest.objects.get(reference=reference)
    RightsRequest.objects.filter(pk=case.pk).update(state=State.COMPLETED, closed_at=now, answer="Hej!\n\n" + "Klart. " * 200)
    _give_package(case, now)
    return reference


def _give_package(case: RightsRequest, now: datetime) -> None:
    """Sealed as the engine seals it: a table of 2,000 rows."""
    import pyrage

    from privacy import package
    from privacy.engine.package.export import Column, Part
    from requests_app.delivering import package_files
    from requests_app.models import Package

    columns = tuple(Column(name, {"sv": name, "en": name}, ("user.contact",)) for name in ("number", "at", "address"))
    rows = [(number, now, f"10.0.0.{number % 250}") for number in range(2000)]
    part = Part("shop", "login", columns, lambda: [rows[at : at + 500] for at in range(0, 2000, 500)], store_name="Shop")
    about = {"right": "portability", "language": "sv", "purposes": [], "stores": [], "rights": [], "controller": {}}
    identity, name = pyrage.x25519.Identity.generate(), package_files.new_name()
    with package_files.sealed(name, identity.to_public()) as sink:
        package.write(sink, parts=[part], information=about, language="sv", now=now)
    Package.objects.create(
        request=case,
        state="ready",
        file_name=name,
        key=str(identity),
        sha256=sink.sha256,
        size=sink.size,
        created_at=now,
        ready_at=now,
        expires_at=now + timedelta(days=14),
    )


def _requested(email: str, right: str) -> str:
    from requests_app.models import RightsRequest

    (pk,) = product.submit([email], right)
    return str(RightsRequest.objects.get(pk=pk).reference)
