"""Every address of the portal, once: who gets in. The tests of access, weight and looks all read this table.

A new address is one line here; until it stands here, tests fail (test_who_may_see.py).
"""

from dataclasses import dataclass, field
from enum import StrEnum

from django.urls import URLPattern

from requests_app.portal.urls import urlpatterns

NOBODYS = "K7MW-3QXD-9TBF"  # a reference that no request has


class Who(StrEnum):
    EVERYBODY = "everybody"
    SIGNED_IN = "who is signed in"
    PROVED = "who is signed in and proved it twice"
    OWNER = "who sent the request"
    OWNER_PROVED = "who sent the request and proved it twice"
    CONTROLLER = "who is the controller of what the request is about, and proved it twice"
    GUARDIAN = "who is accepted as the guardian of the child that the request is about"


@dataclass(frozen=True)
class Page:
    who: Who
    only_posts: bool = False  # it does something and shows nothing of its own
    fills: dict[str, str] = field(default_factory=dict)  # what stands in its address, where FILLS does not know


PAGES: dict[str, Page] = {
    "start": Page(Who.EVERYBODY),
    "notice": Page(Who.EVERYBODY),
    "notice_version": Page(Who.EVERYBODY),
    "notice_versions": Page(Who.EVERYBODY),
    "notice_changes": Page(Who.EVERYBODY),
    "cookies": Page(Who.EVERYBODY),
    "contact": Page(Who.EVERYBODY),
    "receipt_check": Page(Who.EVERYBODY),
    "brand": Page(Who.EVERYBODY),
    "language": Page(Who.EVERYBODY, only_posts=True),
    "sign_in": Page(Who.EVERYBODY),
    "sign_in_code": Page(Who.EVERYBODY),
    "sign_out": Page(Who.EVERYBODY, only_posts=True),
    "identity": Page(Who.SIGNED_IN),
    "identity_code": Page(Who.SIGNED_IN),
    "identity_other": Page(Who.SIGNED_IN),
    "eid": Page(Who.SIGNED_IN),
    "eid_back": Page(Who.SIGNED_IN),
    "ask": Page(Who.SIGNED_IN),
    "ask_check": Page(Who.SIGNED_IN),
    "ask_step": Page(Who.SIGNED_IN),
    "consents": Page(Who.SIGNED_IN),
    "consent_disclosure": Page(Who.PROVED),
    "for_another": Page(Who.SIGNED_IN),
    "for_another_check": Page(Who.SIGNED_IN),
    "for_another_step": Page(Who.SIGNED_IN, fills={"<slug:step>": "role"}),
    "forwarded": Page(Who.SIGNED_IN),
    "forwarded_one": Page(Who.CONTROLLER),
    "requests": Page(Who.SIGNED_IN),
    "request": Page(Who.OWNER),
    "sent": Page(Who.OWNER),
    "progress": Page(Who.OWNER),
    "withdraw": Page(Who.OWNER),
    "messages": Page(Who.OWNER),
    "message_file": Page(Who.OWNER, fills={"<int:upload>": "1"}),
    "evidence": Page(Who.OWNER),
    "role": Page(Who.OWNER),
    "child_consents": Page(Who.GUARDIAN),
    "waive": Page(Who.OWNER_PROVED),
    "download": Page(Who.OWNER_PROVED),
    "download_as": Page(Who.OWNER_PROVED, fills={"<slug:form>": "csv"}),
    "receipt": Page(Who.OWNER_PROVED),
    "package": Page(Who.OWNER_PROVED),
    "package_table": Page(Who.OWNER_PROVED, fills={"<int:number>": "1"}),
    "package_delete": Page(Who.OWNER_PROVED),
}
FILLS = {
    "<slug:right>": "access",
    "<slug:step>": "scope",
    "<slug:version>": "2026-12",
    "<slug:digest>": "0",
    "<str:name>": "theme.css",
}


def names(*who: Who) -> list[str]:
    return [name for name, page in PAGES.items() if page.who in who]


def path_of(name: str, case=None) -> str:
    """The path of one of the addresses, about `case` where it is about one."""
    pattern: URLPattern = next(one for one in urlpatterns if one.name == name)
    path = "/" + str(pattern.pattern)
    fills = FILLS | {"<str:reference>": case.reference if case else NOBODYS} | PAGES[name].fills
    for part, value in fills.items():
        path = path.replace(part, value)
    assert "<" not in path, f"say in `fills` of {name} what stands in {path}"
    return path
