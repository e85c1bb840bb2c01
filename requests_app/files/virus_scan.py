"""Asks clamd whether a file is known to do harm, in its own protocol (INSTREAM of clamd(8)), over TCP or a unix socket.

The file's bytes go to the scanner and nowhere else. Whatever is no clear answer counts as none: then no file is taken.
"""

from __future__ import annotations

import socket
import struct

from django.conf import settings

CHUNK = 64 * 1024
SECONDS = 30
LONGEST_ANSWER = 4096


class ScannerDown(Exception):
    """The scanner could not be asked, or gave no answer that we understand."""


def is_clean(content: bytes) -> bool:
    """Whether the scanner found nothing in it. Raises ScannerDown."""
    try:
        with _connected(settings.INSYN_CLAMAV) as link:
            answer = _ask(link, content)
    except OSError:
        raise ScannerDown("the virus scanner cannot be reached") from None
    if answer == b"stream: OK":
        return True
    if answer.startswith(b"stream: ") and answer.endswith(b" FOUND"):
        return False
    raise ScannerDown("the virus scanner gave no answer that says anything about the file")


def _connected(address: str) -> socket.socket:
    """`host:port`, or the path of a unix socket."""
    if not address.startswith("/"):
        host, _colon, port = address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS)
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(SECONDS)
    try:
        link.connect(address)
    except OSError:
        link.close()
        raise
    return link


def _ask(link: socket.socket, content: bytes) -> bytes:
    link.sendall(b"zINSTREAM\0")
    for start in range(0, len(content), CHUNK):
        part = content[start : start + CHUNK]
        link.sendall(struct.pack("!L", len(part)) + part)
    link.sendall(struct.pack("!L", 0))
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < LONGEST_ANSWER:
        if not (part := link.recv(LONGEST_ANSWER)):
            break
        answer += part
    return answer.strip(b"\0\n ")
