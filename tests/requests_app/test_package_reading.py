"""A package is read from anywhere, gives exactly what was written, and a file that was touched gives nothing."""

import random
from pathlib import Path
from typing import Any

import pyrage
import pytest

from requests_app.delivering import package_files
from requests_app.delivering.package_files import CHUNK, Spoilt
from requests_app.delivering.package_reading import SEALED, open_package

SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.INSYN_PACKAGE_DIR = tmp_path / "packages"
    return settings.INSYN_PACKAGE_DIR


def written(data: bytes) -> str:
    """Seals the data in the file `p`; answers its key."""
    identity = pyrage.x25519.Identity.generate()
    with package_files.sealed("p", identity.to_public()) as sink:
        sink.write(data)
    return str(identity)


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", SIZES)
def test_it_gives_what_was_written_from_any_place(size: int) -> None:
    data = noise(size)
    with open_package("p", written(data)) as reader:
        assert reader.size == size
        assert reader.read() == data
        places = random.Random(1)
        for _time in range(50):
            at, length = places.randint(0, size + 10), places.randint(0, 2 * CHUNK)
            reader.seek(at)
            found = b""
            while len(found) < length and (more := reader.read(length - len(found))):
                found += more
            assert found == data[at : at + length]


@pytest.mark.parametrize("size", SIZES[1:])
def test_a_file_that_was_cut_is_found_at_once(folder: Path, size: int) -> None:
    key = written(noise(size))
    whole = (folder / "p").read_bytes()
    for left in {len(whole) - 1, len(whole) - SEALED, len(whole) - size // 2}:
        if 0 < left < len(whole):
            (folder / "p").write_bytes(whole[:left])
            with pytest.raises(Spoilt):
                open_package("p", key)


def test_a_chunk_that_was_changed_moved_or_left_out_gives_nothing(folder: Path) -> None:
    data = noise(4 * CHUNK)
    key = written(data)
    whole = (folder / "p").read_bytes()
    begin = len(whole) - 4 * SEALED
    chunks = [whole[begin + n * SEALED : begin + (n + 1) * SEALED] for n in range(4)]
    changed = bytearray(whole)
    changed[begin + 5] ^= 1
    for touched in (bytes(changed), whole[:begin] + chunks[1] + chunks[0] + chunks[2] + chunks[3]):
        (folder / "p").write_bytes(touched)
        with open_package("p", key) as reader, pytest.raises(Spoilt):
            reader.read()
    (folder / "p").write_bytes(whole[:begin] + chunks[0] + chunks[1] + chunks[3])
    with pytest.raises(Spoilt):
        open_package("p", key)


def test_a_changed_header_another_key_and_no_file_are_refused(folder: Path) -> None:
    key = written(b"secret")
    whole = (folder / "p").read_bytes()
    with pytest.raises(Spoilt, match="does not open"):
        open_package("p", str(pyrage.x25519.Identity.generate()))
    end = whole.index(b"\n--- ")
    for at in range(20, end + 40, 7):
        changed = bytearray(whole)
        changed[at] ^= 1
        (folder / "p").write_bytes(bytes(changed))
        with pytest.raises(Spoilt):
            open_package("p", key)
    (folder / "p").unlink()
    with pytest.raises(Spoilt, match="gone"):
        open_package("p", key)
