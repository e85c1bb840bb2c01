"""Keeps the pictures that the documents show: `python -m tests.portal.pictures DRAWN KEPT` (scripts/screenshots)."""

import sys
from pathlib import Path

from PIL import Image

LARGEST = 100_000  # bytes
# Name in the documents: what the walks and the long look drew, and how tall the picture may be.
KEPT = {
    "portal-start": ("start.en.light.desktop", 1180),
    "portal-start-phone": ("start.sv.light.phone", 1500),
    "portal-erasure-phone": ("what an erasure would do 2.sv.light.phone", 1900),
    "portal-request": ("a question is answered.en.light.desktop", 1500),
    "portal-package": ("requests_REF_package_read_1.en.light.desktop", 1300),
    "desk-record": ("desk_record.en.light.desktop", 1500),
    "desk-log": ("desk_log.en.light.desktop", 1000),
    "desk-store": ("desk_store.en.light.desktop", 1400),
    "desk-package": ("desk_preview, leaving out.en.light.desktop", 1300),
    "desk-start": ("desk_day, start.en.light.desktop", 1500),
    "desk-queue": ("desk_day, queue.en.light.desktop", 1000),
    "desk-note": ("desk_day, case.en.light.desktop", 1100),
    "desk-plan": ("desk_day, plan.en.light.desktop", 1500),
    "portal-consents-phone": ("consents, one given.sv.dark.phone", 1500),
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
