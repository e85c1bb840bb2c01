"""The company's colours: what follows from them, and whether people can read what is in them (WCAG 2.2, 1.4.3 and 1.4.11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

TEXT, SHAPE = 4.5, 3.0  # the least contrast of text, and of lines and focus rings
# What links and buttons stand on, as static/portal/portal.css has it (a test compares).
LIGHT = {"--paper": "#f7f5ee", "--surface": "#fffefb", "--wash": "#e9f0ea"}
DARK = {"--paper": "#0f1816", "--surface": "#17231f", "--wash": "#1c2d28"}
WHITE, BLACK = "#ffffff", "#000000"


@dataclass(frozen=True)
class Colours:
    """As the settings name them, in `#rrggbb`."""

    brand: str
    ink: str
    accent: str
    link: str
    link_dark: str

    @property
    def brand_dark(self) -> str:
        """The brand where the page is dark: deeper, unless what is written on it is dark itself."""
        return mix(self.brand, BLACK, 0.5) if luminance(self.ink) > luminance(self.brand) else self.brand

    def tokens(self) -> dict[str, dict[str, str]]:
        """The custom properties that differ from portal.css, for light and dark."""
        light = {
            "--brand": self.brand,
            "--brand-ink": self.ink,
            "--brand-soft": self._soft(self.brand),
            "--accent": self.accent,
            "--link": self.link,
            "--button": self.link,
            "--button-over": mix(self.link, BLACK, 0.3),
            "--button-ink": WHITE,
        }
        dark = {
            "--brand": self.brand_dark,
            "--brand-soft": self._soft(self.brand_dark),
            "--link": self.link_dark,
            "--button": self.link_dark,
            "--button-over": mix(self.link_dark, WHITE, 0.3),
            "--button-ink": mix(self.link_dark, BLACK, 0.9),
        }
        return {"light": light, "dark": dark}

    def _soft(self, brand: str) -> str:
        """The quieter words on the brand: as near to it as they can be read."""
        soft = mix(self.ink, brand, 0.22)
        return soft if contrast(soft, brand) >= TEXT else self.ink


def of_the_company() -> Colours:
    return Colours(
        brand=settings.INSYN_BRAND_COLOR,
        ink=settings.INSYN_BRAND_INK,
        accent=settings.INSYN_BRAND_ACCENT,
        link=settings.INSYN_BRAND_LINK,
        link_dark=settings.INSYN_BRAND_LINK_DARK,
    )


def too_faint(colours: Colours) -> Iterator[str]:
    """One sentence for each setting whose colour cannot be told well enough from what it stands on."""
    brands = {"INSYN_BRAND_COLOR": colours.brand, "INSYN_BRAND_COLOR as it is where the page is dark": colours.brand_dark}
    yield from _faint("INSYN_BRAND_INK", colours.ink, TEXT, brands)
    yield from _faint("INSYN_BRAND_ACCENT", colours.accent, SHAPE, brands)
    pages = {f"the page ({name})": colour for name, colour in LIGHT.items()}
    yield from _faint("INSYN_BRAND_LINK", colours.link, TEXT, pages | {"the words of a button": WHITE})
    pages = {f"the dark page ({name})": colour for name, colour in DARK.items()}
    yield from _faint("INSYN_BRAND_LINK_DARK", colours.link_dark, TEXT, pages)


def _faint(name: str, colour: str, least: float, grounds: dict[str, str]) -> Iterator[str]:
    """The worst of the grounds is told: what helps there helps everywhere."""
    ground = min(grounds, key=lambda one: contrast(colour, grounds[one]))
    found = contrast(colour, grounds[ground])
    if found < least:
        yield f"{name} ({colour}) has a contrast of {found:.2f}:1 to {ground}, {grounds[ground]}; it needs {least:g}:1."


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    shares = [part / 255 for part in _parts(colour)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def mix(one: str, other: str, share: float) -> str:
    """`one` with this share of `other` in it."""
    mixed = (round(a + (b - a) * share) for a, b in zip(_parts(one), _parts(other), strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _parts(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
