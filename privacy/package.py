"""The one call that makes a package out of parts: engine's ZIP, our page, the information of Art. 15."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, BinaryIO

from privacy.engine.package.export import Part, write_zip
from privacy.package_page import HtmlPage


def write(
    sink: BinaryIO,
    *,
    parts: Iterable[Part],
    information: Mapping[str, Any],
    language: str,
    now: datetime,
    heartbeat: Callable[[], None] = lambda: None,
) -> dict[str, dict[str, int]]:
    """Stream a person's package into `sink`; answers {store: {collection: rows}}.

    `information` is that of `privacy.information.information`; its `right` ("access", "portability") decides what the page says.
    """
    page = HtmlPage(language=language)
    return write_zip(sink, parts=parts, page=page, information=information, made_at=now, heartbeat=heartbeat)
