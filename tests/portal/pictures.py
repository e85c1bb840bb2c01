"""Keeps the pictures that the documents show: `python -m tests.portal.pictures DRAWN KEPT` (scripts/screenshots)."""

import sys
from pathlib import Path

from PIL import Image

LARGEST = 100_000  # bytes
# Name in the documents: what test_every_page.py drew, and how tall the picture may be.
KEPT = {
    "portal-start": ("start.sv.light.desktop", 1180),
    "portal-start-phone-en": ("start.en.light.phone", 1500),
    "portal-question": ("ask_erasure_ground.sv.light.desktop", 1000),
    "portal-question-phone-dark-en": ("ask_access_scope.en.dark.phone", 1500),
    "portal-request": ("request moving 2.sv.light.desktop", 1100),
    "portal-request-phone-en": ("package_ready.en.light.phone", 1500),
}


def keep(drawn: Path, kept: Path) -> None:
    for name, (source, tallest) in KEPT.items():
        with Image.open(drawn / f"{source}.png") as picture:
            small = picture.convert("RGB").crop((0, 0, picture.width, min(picture.height, tallest)))
            target = kept / f"{name}.png"
            small.quantize(48, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(target, optimize=True)
        if (size := target.stat().st_size) > LARGEST:
            sys.exit(f"{target} has {size} bytes; at most {LARGEST}")
        print(f"{target}: {size} bytes")


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
