"""A place for bytes that must wait their turn: in memory while small, then in a file that nobody can read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

IN_MEMORY = 256 * 1024
CHUNK = 256 * 1024


class Spool:
    """Bytes written first and read once afterwards.

    The file has no name, is encrypted (AES-256-CTR) with a key that lives in this object alone, and ends with it: a machine that
    loses power, or a backup that copies the temporary folder, holds no personal data.
    """

    def __init__(self) -> None:
        self._small = bytearray()
        self._file: IO[bytes] | None = None
        self._cipher = Cipher(algorithms.AES(os.urandom(32)), modes.CTR(bytes(16)))  # one key, one stream: no nonce is used twice
        self._encryptor: CipherContext | None = None

    def write(self, data: bytes) -> None:
        if self._file is None and len(self._small) + len(data) <= IN_MEMORY:
            self._small += data
            return
        if self._file is None or self._encryptor is None:
            self._file, self._encryptor = tempfile.TemporaryFile(), self._cipher.encryptor()  # noqa: SIM115 - closed in close()
            self._file.write(self._encryptor.update(bytes(self._small)))
            self._small.clear()
        self._file.write(self._encryptor.update(data))

    def read(self) -> Iterator[bytes]:
        """Everything that was written, in chunks."""
        if self._file is None:
            if self._small:
                yield bytes(self._small)
            return
        self._file.seek(0)
        decryptor = self._cipher.decryptor()
        while chunk := self._file.read(CHUNK):
            yield decryptor.update(chunk)

    def close(self) -> None:
        self._small.clear()
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
