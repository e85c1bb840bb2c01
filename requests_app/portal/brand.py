"""The company's look on every page: a small stylesheet of its colours, and its logo. Both are served by us and cached for good.

Their addresses carry a digest of what they hold, so that a change shows at once.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from requests_app.portal import colours

THEME, LOGO = "theme.css", "logo"
LARGEST_LOGO = 20_000  # bytes: it is part of every first visit
MAGIC = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
SVG = "{http://www.w3.org/2000/svg}"
# A picture shows itself and does nothing: what may act, or load from elsewhere, has no place in it.
SVG_FORBIDDEN = {"script", "foreignObject", "iframe", "object", "embed", "set", "animate", "animateTransform", "handler"}


class UnusableLogo(Exception):
    """The text says what is wrong with the file."""


@dataclass(frozen=True)
class Logo:
    content: bytes
    content_type: str


@require_safe
def brand_file(request: HttpRequest, digest: str, name: str) -> HttpResponse:
    """The stylesheet or the logo; the digest only makes the address new when they are."""
    if name == THEME:
        response = HttpResponse(theme(), content_type="text/css; charset=utf-8")
    elif name == LOGO and (found := logo()):
        response = HttpResponse(found.content, content_type=found.content_type)
        response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    else:
        raise Http404
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def addresses() -> dict[str, str]:
    """What the base template links: empty where the company has none of its own."""
    own = colours.of_the_company() != colours.Colours(*settings.INSYN_BRAND_DEFAULTS)
    found = logo()
    return {
        "theme_url": _address(THEME, theme().encode()) if own else "",
        "logo_url": _address(LOGO, found.content) if found else "",
    }


def _address(name: str, content: bytes) -> str:
    return reverse("portal:brand", args=[sha256(content).hexdigest()[:12], name])


def theme() -> str:
    tokens = colours.of_the_company().tokens()
    light, dark = ("".join(f"{name}:{value};" for name, value in tokens[kind].items()) for kind in ("light", "dark"))
    return f":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"


def logo() -> Logo | None:
    """The company's logo; None where none is set or it cannot be used, which `check` reports."""
    if not settings.INSYN_BRAND_LOGO:
        return None
    try:
        return read_logo(Path(settings.INSYN_BRAND_LOGO))
    except UnusableLogo:
        return None


@lru_cache(maxsize=8)
def read_logo(path: Path) -> Logo:
    """A PNG, a JPEG or an SVG that cannot do anything. Raises UnusableLogo."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusableLogo(f"{path} cannot be read ({error.strerror})") from None
    if len(content) > LARGEST_LOGO:
        raise UnusableLogo(f"{path} has {len(content)} bytes; at most {LARGEST_LOGO} keep every page light")
    for start, content_type in MAGIC.items():
        if content.startswith(start):
            return Logo(content, content_type)
    _refuse_unsafe_svg(path, content)
    return Logo(content, "image/svg+xml")


def _refuse_unsafe_svg(path: Path, content: bytes) -> None:
    if b"<!ENTITY" in content:
        raise UnusableLogo(f"{path} declares entities, which a picture does not need")
    try:
        root = ET.fromstring(content)  # noqa: S314 - without entities there is nothing to expand, and the file is the operator's
    except ET.ParseError:
        raise UnusableLogo(f"{path} is neither PNG, JPEG nor well-formed SVG") from None
    if root.tag != f"{SVG}svg":
        raise UnusableLogo(f"{path} is neither PNG, JPEG nor SVG")
    for element in root.iter():
        name = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
        if name in SVG_FORBIDDEN:
            raise UnusableLogo(f"{path} holds <{name}>: take it out, a logo needs no such thing")
        for attribute, value in element.attrib.items():
            short = attribute.rpartition("}")[2].lower()
            if short.startswith("on") or (short == "href" and not value.startswith(("#", "data:image/"))):
                raise UnusableLogo(f"{path} holds the attribute {short} on <{name}>: it may neither act nor load anything")
