"""The program that draws a file anew: reads it from standard input, writes a picture or a PDF of pictures to standard output.

It runs as a process of its own under limits of memory and time, with an empty environment and without Django, since it opens
what strangers made. Only pixels come through: no metadata, no script, no form, no attachment, no text. The exit status says
what was wrong (see `remaking`, which starts it).
"""

from __future__ import annotations

import io
import resource
import sys
from collections.abc import Iterator

MEGABYTE = 1024 * 1024
MEMORY = 1024 * MEGABYTE
CPU_SECONDS = 20
MOST_PIXELS = 64_000_000  # what the largest telephones take
LONGEST_SIDE = 3000
PDF_DPI = 150
PDF_LONGEST_SIDE = 2200  # A4 at 150 dots per inch, and somewhat more
MOST_PAGES = 20
UNREADABLE, TOO_MANY_PIXELS, TOO_MANY_PAGES, OTHER_KIND = 3, 4, 5, 6


class Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


def kind_of(content: bytes) -> str:
    """jpeg | png | pdf by the first bytes, which must be a header of one kind; else the empty string."""
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "pdf" if content.startswith(b"%PDF-") else ""


def remake(content: bytes) -> bytes:
    kind = kind_of(content)
    if kind == "pdf":
        return _pdf(content)
    if kind in ("jpeg", "png"):
        return _picture(content, kind)
    raise Refused(OTHER_KIND)


def _picture(content: bytes, kind: str) -> bytes:
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # counted here, before a pixel is decoded
    try:
        with Image.open(io.BytesIO(content), formats=[kind.upper()]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise Refused(TOO_MANY_PIXELS)
            if kind == "jpeg":
                picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            picture.load()
            upright = ImageOps.exif_transpose(picture)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError):
        raise Refused(UNREADABLE) from None
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    coloured = upright.convert("RGBA") if upright.has_transparency_data else upright.convert("RGB")
    clean = Image.new("RGB", coloured.size, "white")  # a new picture has nothing but its pixels
    clean.paste(coloured, mask=coloured if coloured.mode == "RGBA" else None)
    made = io.BytesIO()
    clean.save(made, format=kind.upper(), **({"quality": 88} if kind == "jpeg" else {"optimize": False}))
    return made.getvalue()


def _pdf(content: bytes) -> bytes:
    import pypdfium2
    from PIL import Image

    try:
        document = pypdfium2.PdfDocument(content)
        document.init_forms()  # else what was filled in would not be drawn; this build runs no script
        if len(document) > MOST_PAGES:
            raise Refused(TOO_MANY_PAGES)
        pages = [Image.open(io.BytesIO(page)) for page in _drawn(document)]
    except pypdfium2.PdfiumError:
        raise Refused(UNREADABLE) from None  # damaged, or locked by a password
    if not pages:
        raise Refused(UNREADABLE)
    made = io.BytesIO()
    pages[0].save(made, format="PDF", save_all=True, append_images=pages[1:], resolution=PDF_DPI)
    return made.getvalue()


def _drawn(document: object) -> Iterator[bytes]:
    for page in document:  # type: ignore[attr-defined]
        longest = max(*page.get_size(), 1.0)
        picture = page.render(scale=min(PDF_DPI / 72, PDF_LONGEST_SIDE / longest)).to_pil().convert("RGB")
        made = io.BytesIO()
        picture.save(made, format="JPEG", quality=85)
        yield made.getvalue()


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> int:
    _limit()
    try:
        made = remake(sys.stdin.buffer.read())
    except Refused as refusal:
        return refusal.status
    except MemoryError:
        return TOO_MANY_PIXELS
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
