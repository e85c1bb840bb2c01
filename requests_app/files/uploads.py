"""Files that people send with a request: taken, opened, deleted. Public functions: `receive`, `attachment`, `delete`, `kept`.

What arrives is scanned, drawn anew (`remaking`) and written encrypted under a random name; what was sent is kept nowhere. It is
handed out as an attachment alone, and every look is written in the case's audit chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pyrage
import structlog
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _

from accounts.models import Staff
from privacy import audit
from requests_app.case.steps import CUSTOMER, SYSTEM, locked, staff_actor
from requests_app.delivering import package_files
from requests_app.files import remaking, virus_scan
from requests_app.models import RightsRequest, Upload

log = structlog.get_logger("insyn.uploads")

MOST_PER_PURPOSE = 5  # kept at the same time, of one request
MOST_PER_DAY = 30  # taken or refused, of one person: each costs time to scan and to draw
MEDIA_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "pdf": "application/pdf"}
ENDINGS = {"jpeg": "jpg", "png": "png", "pdf": "pdf"}
# A row without a file is a file that is still being looked at; after this long nobody does any more.
LONGEST_LOOK = timedelta(hours=1)


class UploadRefused(Exception):
    """The file was not taken and nothing of it is kept. The text says why and what to do, for the person who sent it."""


def are_open() -> bool:
    """Whether files can be sent at all: outside the demo only where a virus scanner is set."""
    return bool(settings.INSYN_UPLOADS_OPEN)


def kept(request: RightsRequest, purpose: str) -> QuerySet[Upload]:
    """The files of this request that can be opened, the oldest first."""
    return Upload.objects.filter(request=request, purpose=purpose, deleted_at=None, key__isnull=False).order_by("pk")


def receive(
    *,
    request: RightsRequest,
    purpose: str,
    file: UploadedFile,
    now: datetime,
    acting_user: Staff | None = None,
    by_whom: Mapping[str, str] = MappingProxyType({}),
) -> Upload:
    """Take one file from the person (no acting user) or from staff. Whether this request takes files is the caller's rule.

    Raises UploadRefused. It takes a second or so and holds no transaction meanwhile.
    """
    if not are_open():
        raise UploadRefused(_("Files cannot be sent here. Reach us another way instead."))
    actor = staff_actor(acting_user) if acting_user else CUSTOMER
    kind = _kind(file)
    upload = _begin(request, purpose, kind, acting_user, "by" in by_whom, now)
    try:
        _seal(upload, _remade(file))
        with transaction.atomic():
            upload.save(update_fields=["key", "size"])
            payload = {"upload": upload.pk, "purpose": purpose, "kind": kind, "size": upload.size} | dict(by_whom)
            audit.record(chain=request.reference, actor=actor, action="upload.received", payload=payload, now=now)
    except BaseException:
        package_files.remove([upload.file_name], where=_folder())
        Upload.objects.filter(pk=upload.pk).update(key=None, deleted_at=now)
        raise
    return upload


def attachment(*, upload: Upload, now: datetime, acting_user: Staff | None = None) -> StreamingHttpResponse:
    """The file as a response that no browser shows or runs; the look is recorded first. Who may look is the caller's rule.

    Raises Upload.DoesNotExist when the file is deleted or gone.
    """
    if upload.key is None or upload.deleted_at is not None:
        raise Upload.DoesNotExist
    try:
        package_files.require_there(upload.file_name, where=_folder())
    except package_files.Spoilt:
        log.error("upload_file_gone", upload=upload.pk)
        raise Upload.DoesNotExist from None
    reference = upload.request.reference
    with transaction.atomic():
        actor = staff_actor(acting_user) if acting_user else CUSTOMER
        audit.record(chain=reference, actor=actor, action="upload.opened", payload={"upload": upload.pk}, now=now)
    identity = pyrage.x25519.Identity.from_str(upload.key)
    content = package_files.opened(upload.file_name, identity, where=_folder())
    response = StreamingHttpResponse(content, content_type=MEDIA_TYPES[upload.kind])
    response.headers["Content-Length"] = str(upload.size)
    response.headers["Content-Disposition"] = f'attachment; filename="{reference}-{upload.pk}.{ENDINGS[upload.kind]}"'
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def delete(
    *,
    uploads: Iterable[Upload],
    reason: str,
    now: datetime,
    actor: str = SYSTEM,
    by_whom: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Delete files, keys first; answers how many. `reason` is a word for the audit log. Joins the caller's transaction."""
    with transaction.atomic():
        wanted = [upload.pk for upload in uploads]
        rows = list(
            Upload.objects.filter(pk__in=wanted, deleted_at=None)
            .select_related("request")
            .select_for_update(of=("self",))
            .order_by("pk")
        )
        Upload.objects.filter(pk__in=[row.pk for row in rows]).update(key=None, deleted_at=now)
        why = {"reason": reason} | dict(by_whom)
        told = [
            audit.Entry(row.request.reference, "upload.deleted", {"upload": row.pk, "purpose": row.purpose} | why) for row in rows
        ]
        audit.record_many(told, actor=actor, now=now)
        # Not before the commit: a file without its row's word would be one that nobody can explain.
        transaction.on_commit(partial(package_files.remove, [row.file_name for row in rows], where=_folder()))
    return len(rows)


def delete_old(*, now: datetime) -> int:
    """What no decision deleted in time: proofs after INSYN_EVIDENCE_DAYS or with the end of their case; and what nobody names."""
    proofs = Upload.objects.filter(deleted_at=None, purpose__in=(Upload.Purpose.EVIDENCE, Upload.Purpose.ROLE))
    too_old = Q(created_at__lte=now - timedelta(days=settings.INSYN_EVIDENCE_DAYS))
    gone = delete(uploads=proofs.filter(too_old | Q(request__closed_at__isnull=False)), reason="expired", now=now)
    Upload.objects.filter(deleted_at=None, key=None, created_at__lte=now - LONGEST_LOOK).update(deleted_at=now)
    names = set(Upload.objects.filter(deleted_at=None).values_list("file_name", flat=True))
    package_files.sweep(keep=names, now=now, where=_folder())
    return gone


def _folder() -> Path:
    return Path(settings.INSYN_UPLOAD_DIR)


def _kind(file: UploadedFile) -> str:
    """By content: what the sender calls it proves nothing."""
    if not file.size:
        raise UploadRefused(_("The file is empty. Choose another one."))
    if file.size > settings.INSYN_UPLOAD_MB * 1024 * 1024:
        raise UploadRefused(_too_large())
    file.seek(0)
    kind = remaking.kind_of(file.read(16))
    if not kind:
        raise UploadRefused(_("Only JPEG, PNG and PDF files can be sent. Take a photo of the paper, or save it as PDF."))
    return kind


def _begin(
    request: RightsRequest, purpose: str, kind: str, acting_user: Staff | None, by_representative: bool, now: datetime
) -> Upload:
    """The row that counts the attempt. Raises UploadRefused when there are enough."""
    with locked(request) as row:
        theirs = _sent_by(row, acting_user, by_representative)
        if acting_user is None and theirs.filter(created_at__gt=now - timedelta(days=1)).count() >= MOST_PER_DAY:
            raise UploadRefused(_("You have sent many files today. Try again tomorrow, or reach us another way."))
        if theirs.filter(request=row, purpose=purpose, deleted_at=None).count() >= MOST_PER_PURPOSE:
            raise UploadRefused(_("At most %(count)d files can be sent here.") % {"count": MOST_PER_PURPOSE})
        return Upload.objects.create(
            request=row,
            purpose=purpose,
            kind=kind,
            file_name=package_files.new_name(),
            uploaded_by=acting_user,
            created_at=now,
        )


def _sent_by(row: RightsRequest, acting_user: Staff | None, by_representative: bool) -> QuerySet[Upload]:
    """The files of whoever sends one now: of the person, of who acts for them in any request, or of staff.

    Each is counted alone: nobody uses up what another may send, or learns from it how much that was.
    """
    sent = Upload.objects.filter(uploaded_by=acting_user)
    if acting_user is not None:
        return sent.filter(request=row)
    # Proof is sent by who asks; a file that is still being looked at has no message yet and counts for both.
    proof = Q(purpose__in=(Upload.Purpose.EVIDENCE, Upload.Purpose.ROLE))
    if by_representative:
        brought = sent.filter(request__representation__representative=row.representation.representative_id)
        return brought.filter(proof | Q(message=None) | Q(message__by_representative=True))
    own = ~proof & (Q(message=None) | Q(message__by_representative=False))
    return sent.filter(Q(request__representation=None) | own, request__customer=row.customer_id)


def _remade(file: UploadedFile) -> bytes:
    file.seek(0)
    content = file.read()
    if settings.INSYN_CLAMAV:
        try:
            clean = virus_scan.is_clean(content)
        except virus_scan.ScannerDown:
            log.error("virus_scanner_down")
            raise UploadRefused(
                _("We cannot take files just now, since our virus scanner does not answer. Try again in a while.")
            ) from None
        if not clean:
            raise UploadRefused(_("Our virus scanner warns of this file, so we have not kept it. Choose another one."))
    try:
        return remaking.remade(content)
    except remaking.NotRemade as error:
        raise UploadRefused(_why(error.reason)) from None


def _why(reason: str) -> str:
    if reason == "large":
        return _("The picture or document is too large for us to open. Make it smaller, or take a new photo of it.")
    if reason == "pages":
        return _("The document has too many pages. At most %(count)d can be sent.") % {"count": remaking.MOST_PAGES}
    return _("We could not open the file. It may be damaged, or locked with a password.")


def _too_large() -> str:
    return _("The file is too large. It may have at most %(megabytes)d MB.") % {"megabytes": settings.INSYN_UPLOAD_MB}


def _seal(upload: Upload, content: bytes) -> None:
    """Write it encrypted; the caller writes the key down."""
    identity = pyrage.x25519.Identity.generate()
    with package_files.sealed(upload.file_name, identity.to_public(), where=_folder()) as sink:
        sink.write(content)
    upload.key, upload.size = str(identity), sink.size
