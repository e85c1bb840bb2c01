"""A package as the engine writes it, sealed and ready, without stores behind it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pyrage
from django.utils import timezone

from privacy import package
from privacy.engine.package.export import Column, Part
from requests_app.delivering import package_files
from requests_app.models import Package, RightsRequest


def part(rows: Iterable[Sequence[Any]], *names: str, collection: str = "customer", store: str = "crm", **more: Any) -> Part:
    columns = tuple(Column(name, {"en": name.capitalize(), "sv": name.capitalize()}, ("user.contact",)) for name in names)
    kept = list(rows)
    batches = [kept[at : at + 500] for at in range(0, len(kept), 500)]
    return Part(store, collection, columns, lambda: batches, store_name=store.upper(), **more)


def give_package(case: RightsRequest, *parts: Part, **columns: Any) -> Package:
    """The case's package with these parts, ready to be handed out."""
    now = timezone.now()
    identity = pyrage.x25519.Identity.generate()
    name = package_files.new_name()
    with package_files.sealed(name, identity.to_public()) as sink:
        information = {"right": "access", "language": "en", "purposes": [], "stores": [], "rights": [], "controller": {}}
        package.write(sink, parts=parts, information=information, language="en", now=now)  # type: ignore[arg-type]
    columns = {"created_at": now, "ready_at": now, "expires_at": now + timedelta(days=14)} | columns
    facts = {"file_name": name, "key": str(identity), "sha256": sink.sha256, "size": sink.size}
    return Package.objects.create(request=case, state="ready", **facts, **columns)
