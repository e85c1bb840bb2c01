"""A download over HTTP that goes on where it broke off (RFC 9110 §14): one range at a time, and only of the very same bytes."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from requests_app.delivering.handing_out import Download

RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


def answer_with(request: HttpRequest, download: Download, *, record: Callable[[int], None]) -> HttpResponseBase:
    """200, 206 or 416; `record` is told from which byte on something goes out, before it does."""
    asked = _asked(request, download)
    if asked is None:
        start, end, status = 0, download.size, 200
    else:
        start, end = asked
        status = 206
        if start >= end:
            refused = HttpResponse(status=416, content_type="text/plain")
            refused.headers["Content-Range"] = f"bytes */{download.size}"
            return _headed(refused, download, length=0)
    if request.method == "HEAD":
        response: HttpResponseBase = HttpResponse(status=status, content_type=download.content_type)
    else:
        record(start)
        response = StreamingHttpResponse(download.read(start, end), status=status, content_type=download.content_type)
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{download.size}"
    response.headers["Content-Disposition"] = f'attachment; filename="{download.name}"'
    return _headed(response, download, length=end - start)


def _headed(response: HttpResponseBase, download: Download, *, length: int) -> HttpResponseBase:
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = download.etag
    response.headers["Content-Length"] = str(length)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _asked(request: HttpRequest, download: Download) -> tuple[int, int] | None:
    """(from, to not included) of the range that is asked for; None for all of it, as where several or none of ours are asked for.

    `If-Range` with anything but our strong tag, a date included, means that the reader may hold the beginning of something else.
    """
    found = RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    if not found or request.headers.get("If-Range", download.etag) != download.etag:
        return None
    first, last = found.groups()
    if first:
        end = min(int(last) + 1, download.size) if last else download.size
        return None if last and int(last) < int(first) else (int(first), end)
    if not last:
        return None
    return max(download.size - int(last), 0), download.size if int(last) else 0
