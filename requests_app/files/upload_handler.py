"""Takes uploaded files into memory, up to a limit for the whole form: nothing that a customer sends lies on a disk in plain text.

Django's own handlers would write a large file to a temporary one. What is beyond the limit is read and dropped, so that the
page can say that the file is too large.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload

FORM_OVERHEAD = 1024 * 1024


class MemoryOnly(FileUploadHandler):
    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803
        content_length: int,
        boundary: Any,
        encoding: str | None = None,
    ) -> None:
        self._left = self._limit
        self._absurd = content_length > 3 * self._limit + FORM_OVERHEAD

    @property
    def _limit(self) -> int:
        return int(settings.INSYN_UPLOAD_MB) * 1024 * 1024

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._absurd:
            raise StopUpload(connection_reset=True)  # nobody means that: it is not even read
        self._file, self._over = BytesIO(), False

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._over = self._over or len(raw_data) > self._left
        if self._over:
            self._file = BytesIO()
        else:
            self._left -= len(raw_data)
            self._file.write(raw_data)

    def file_complete(self, file_size: int) -> InMemoryUploadedFile:
        """The size is the one that was sent, though a file that is too large has no content any more."""
        self._file.seek(0)
        return InMemoryUploadedFile(
            file=self._file,
            field_name=self.field_name,
            name=self.file_name,
            content_type=self.content_type,
            size=file_size,
            charset=self.charset,
            content_type_extra=self.content_type_extra,
        )
