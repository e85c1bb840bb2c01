"""A package on its way to its person: in the form they chose, from whatever byte on, so that a broken-off download goes on."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from accounts.models import Customer
from privacy import audit
from requests_app.case.steps import CUSTOMER
from requests_app.delivering import delivery, package_parts
from requests_app.delivering.package_files import Spoilt
from requests_app.delivering.package_parts import Part
from requests_app.delivering.package_reading import PackageReader, open_package
from requests_app.models import Package, RightsRequest

# What a package can be downloaded as: the ending of the file's name, and what is taken of the package.
FORMS: dict[str, tuple[str, Callable[[PackageReader], Part]]] = {
    "all": (".zip", package_parts.whole),
    "html": (".html", package_parts.page),
    "json": ("-json.zip", lambda reader: package_parts.files_ending(reader, ".json")),
    "csv": ("-csv.zip", lambda reader: package_parts.files_ending(reader, ".csv")),
}


@dataclass(frozen=True)
class Download:
    """One form of one package. Its bytes never change, so its `etag` is strong (RFC 9110 §8.8.3)."""

    package: Package
    form: str
    part: Part
    name: str

    @property
    def size(self) -> int:
        return self.part.size

    @property
    def etag(self) -> str:
        return f'"{self.package.sha256[:40]}-{self.form}"'

    @property
    def content_type(self) -> str:
        # Not text/html: no browser is to show it in our name, and nothing on the way compresses it, which would shift its bytes.
        return "application/octet-stream" if self.form == "html" else "application/zip"

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Raises Spoilt in the middle where the file was changed meanwhile, and TakenBack where the package was."""
        with open_package(self.package.file_name, self.package.key or "") as reader:
            yield from delivery.while_ready(self.package, package_parts.read(reader, self.part, start, end))


def prepare_download(*, request: RightsRequest, customer: Customer, form: str, now: datetime) -> Download:
    """What the owner may download now; NotAllowed with what to tell. The caller has checked the identity level."""
    package = delivery.ready_package(request=request, customer=customer, now=now)
    ending, choose = FORMS[form]
    try:
        with open_package(package.file_name, package.key or "") as reader:
            part = choose(reader)
    except (Spoilt, zipfile.BadZipFile) as error:
        raise delivery.unreadable(package, Spoilt(str(error))) from None
    return Download(package, form, part, delivery.file_name(request, ending))


def record_download(*, download: Download, start: int, now: datetime, by_whom: Mapping[str, str]) -> None:
    """Before the first byte goes. What goes on after a break is no second download, but it is written down all the same.

    `by_whom` is what the log says of who it is and of their proof.
    """
    package = download.package
    payload = {"sha256": package.sha256, "size": download.size, "form": download.form} | dict(by_whom)
    with transaction.atomic():
        if start == 0:
            Package.objects.filter(pk=package.pk).update(downloads=F("downloads") + 1)
        action, more = ("package.resumed", {"from": start}) if start else ("package.downloaded", {})
        audit.record(chain=package.request.reference, actor=CUSTOMER, action=action, payload=payload | more, now=now)
