"""One kind of files of a package as a ZIP of its own, or its page alone, without packing anything anew.

A ZIP is its members one after the other and a directory of where they begin. A part is the bytes of some members as they lie in
the package, with a directory that fits: so its length and every byte of it are known beforehand, and a download of it goes on
where it broke off. It relies on the form in which `stream_zip` writes with ZIP_64: every size and place in the ZIP64 field.
"""

from __future__ import annotations

import itertools
import struct
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from requests_app.delivering.package_files import CHUNK, Spoilt
from requests_app.delivering.package_reading import PackageReader

PAGE, INFORMATION = "index.html", "information.json"
ENTRY, ENTRY_SIZE = b"PK\x01\x02", 46  # of the directory
ZIP64 = struct.pack("<HH", 1, 24)  # original size, packed size, place
PLACE = 4 + 16
DIRECTORY_END = struct.Struct("<4sQHHIIQQQQ")
LOCATOR = struct.Struct("<4sIQI")
END = struct.Struct("<4sHHHHIIH")

Piece = bytes | tuple[int, int]  # bytes as they are, or (place in the package, how many)


@dataclass(frozen=True)
class Part:
    """Bytes of which any may be asked for; `member` is the file whose unpacked content they are, where they are that."""

    size: int
    pieces: Sequence[Piece] = ()
    member: str = ""


def whole(reader: PackageReader) -> Part:
    return Part(reader.size, [(0, reader.size)])


def page(reader: PackageReader) -> Part:
    with zipfile.ZipFile(reader) as archive:
        return Part(archive.getinfo(PAGE).file_size, member=PAGE)


def files_ending(reader: PackageReader, ending: str) -> Part:
    """A ZIP of the data in one kind of file, and of the information that goes with all of them."""
    with zipfile.ZipFile(reader) as archive:
        names = {
            name for name in archive.namelist() if name == INFORMATION or (name.startswith("data/") and name.endswith(ending))
        }
        places = [*sorted(info.header_offset for info in archive.infolist()), archive.start_dir]
        lengths = dict(zip(places, (after - place for place, after in itertools.pairwise(places)), strict=False))
        reader.seek(archive.start_dir)
        entries = _entries(reader.read())
        pieces: list[Piece] = []
        directory, at = b"", 0
        for name, entry, place in entries:
            if name in names:
                pieces.append((place, lengths[place]))
                directory += _moved(entry, at)
                at += lengths[place]
    pieces.append(directory + _end(len(pieces), len(directory), at))
    return Part(sum(_length(piece) for piece in pieces), pieces)


def read(reader: PackageReader, part: Part, start: int, end: int) -> Iterator[bytes]:
    """The bytes of the part from `start` to `end` (not included), in chunks."""
    if part.member:
        with zipfile.ZipFile(reader) as archive, archive.open(part.member) as file:
            file.seek(start)
            yield from _chunks(file, end - start)
        return
    at = 0
    for piece in part.pieces:
        begin, stop = max(start - at, 0), min(end - at, _length(piece))
        at += _length(piece)
        if begin >= stop:
            continue
        if isinstance(piece, bytes):
            yield piece[begin:stop]
        else:
            reader.seek(piece[0] + begin)
            yield from _chunks(reader, stop - begin)


def _chunks(file: IO[bytes] | PackageReader, left: int) -> Iterator[bytes]:
    while left > 0 and (chunk := file.read(min(left, CHUNK))):
        left -= len(chunk)
        yield chunk


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1]


# --- the directory of a ZIP -------------------------------------------------------------------------------------------


def _entries(directory: bytes) -> Iterator[tuple[str, bytes, int]]:
    """(name, entry as it lies there, place of the member) of every member."""
    at = 0
    while directory[at : at + 4] == ENTRY:
        name_size, extra_size, comment_size = struct.unpack_from("<HHH", directory, at + 28)
        size = ENTRY_SIZE + name_size + extra_size + comment_size
        entry = directory[at : at + size]
        extra = ENTRY_SIZE + name_size
        if entry[extra : extra + 4] != ZIP64:
            raise Spoilt("the directory of the package has another form than ours")
        (place,) = struct.unpack_from("<Q", entry, extra + PLACE)
        yield entry[ENTRY_SIZE:extra].decode(), entry, place
        at += size


def _moved(entry: bytes, place: int) -> bytes:
    changed = bytearray(entry)
    (name_size,) = struct.unpack_from("<H", entry, 28)
    struct.pack_into("<Q", changed, ENTRY_SIZE + name_size + PLACE, place)
    return bytes(changed)


def _end(members: int, size: int, place: int) -> bytes:
    return (
        DIRECTORY_END.pack(b"PK\x06\x06", 44, 45, 45, 0, 0, members, members, size, place)
        + LOCATOR.pack(b"PK\x06\x07", 0, place + size, 1)
        + END.pack(b"PK\x05\x06", 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    )
