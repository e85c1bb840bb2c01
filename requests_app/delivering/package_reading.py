"""Reading an encrypted package from anywhere in it, without decrypting what comes before.

age encrypts in chunks of 64 KiB, each sealed by itself (ChaCha20-Poly1305 with the chunk's number as its nonce), so the chunk
that holds a byte can be opened alone: that makes a broken-off download go on at once, and one table of a package readable. The
last chunk is sealed as the last; it is opened first, so a file that was cut is found before anything of it is given.
`pyrage`, which writes the files, reads them from the beginning only. https://age-encryption.org/v1
"""

from __future__ import annotations

import base64
import hmac
import io
import itertools
from hashlib import sha256
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from requests_app.delivering import package_files
from requests_app.delivering.package_files import CHUNK, Spoilt

TAG = 16
SEALED: Final = CHUNK + TAG
NONCE = 16  # what the payload's key is derived with
LONGEST_LINE, MOST_LINES = 1024, 64  # of the header
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def open_package(name: str, key: str) -> PackageReader:
    """The plain bytes of a package, seekable; `key` is its age secret key. Raises Spoilt where the file was touched."""
    try:
        file = (package_files.folder() / name).open("rb")
    except FileNotFoundError:
        raise Spoilt("the file of the package is gone") from None
    try:
        return PackageReader(file, key)
    except BaseException:
        file.close()
        raise


class PackageReader(io.RawIOBase):
    """Holds one chunk in memory. Every chunk is authenticated before a byte of it is given."""

    def __init__(self, file: BinaryIO, key: str) -> None:
        self._file = file
        self._key = _payload_key(file, key)
        self._begin = file.tell()
        sealed = file.seek(0, io.SEEK_END) - self._begin
        self._chunks = max(1, -(-sealed // SEALED))
        self.size = sealed - self._chunks * TAG
        self._at, self._held, self._number = 0, b"", -1
        self._hold(self._chunks - 1)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._at >= self.size:
            return 0
        self._hold(self._at // CHUNK)
        found = self._held[self._at % CHUNK :][: len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def close(self) -> None:
        self._held = b""
        self._file.close()
        super().close()

    def _hold(self, number: int) -> None:
        if number == self._number:
            return
        self._file.seek(self._begin + number * SEALED)
        nonce = number.to_bytes(11, "big") + (b"\x01" if number == self._chunks - 1 else b"\x00")
        try:
            self._held = self._key.decrypt(nonce, self._file.read(SEALED), None)
        except InvalidTag:
            raise Spoilt("the file of the package was cut or changed") from None
        self._number = number


def _payload_key(file: BinaryIO, key: str) -> ChaCha20Poly1305:
    """Read the header, which must be the one that our key was written for; the file stands at the first chunk afterwards."""
    secret = X25519PrivateKey.from_private_bytes(_secret_bytes(key))
    lines: list[bytes] = []
    while not (line := file.readline(LONGEST_LINE)).startswith(b"--- "):
        if not line or len(lines) > MOST_LINES:
            raise Spoilt("the file of the package is no age file")
        lines.append(line)
    file_key = _file_key(lines, secret)
    header = b"".join(lines) + b"---"
    expected = hmac.new(_derived(file_key, salt=b"", info=b"header"), header, sha256).digest()
    if not hmac.compare_digest(expected, _unpadded(line.split()[-1])):
        raise Spoilt("the header of the package's file was changed")
    return ChaCha20Poly1305(_derived(file_key, salt=file.read(NONCE), info=b"payload"))


def _file_key(lines: list[bytes], secret: X25519PrivateKey) -> bytes:
    ours = secret.public_key().public_bytes_raw()
    for line, body in itertools.pairwise(lines):
        if not line.startswith(b"-> X25519 "):
            continue
        try:
            share = _unpadded(line.split()[2])
            shared = secret.exchange(X25519PublicKey.from_public_bytes(share))
            wrapping = _derived(shared, salt=share + ours, info=b"age-encryption.org/v1/X25519")
            return ChaCha20Poly1305(wrapping).decrypt(bytes(12), _unpadded(body.strip()), None)
        except (IndexError, ValueError, InvalidTag):
            continue  # for somebody else
    raise Spoilt("the key does not open the file of the package")


def _derived(secret: bytes, *, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), length=32, salt=salt, info=info).derive(secret)


def _unpadded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise Spoilt("the header of the package's file was changed") from None


def _secret_bytes(key: str) -> bytes:
    """The 32 bytes of AGE-SECRET-KEY-1…, whose checksum nobody typed wrong: pyrage wrote it, and the database kept it whole."""
    digits = key.lower().removeprefix("age-secret-key-1")[:-6]
    number = 0
    for digit in digits:
        number = number * 32 + _BECH32.index(digit)
    return (number >> (len(digits) * 5 - 256)).to_bytes(32, "big")
