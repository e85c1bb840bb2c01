"""Makes a file that somebody sent anew, in a child process that may use little and is ended when it takes too long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from requests_app.files import remake
from requests_app.files.remake import kind_of

__all__ = ["MOST_PAGES", "NotRemade", "kind_of", "remade"]

SECONDS = 40
MOST_PAGES = remake.MOST_PAGES
REASONS = {
    remake.UNREADABLE: "unreadable",
    remake.TOO_MANY_PIXELS: "large",
    remake.TOO_MANY_PAGES: "pages",
    remake.OTHER_KIND: "kind",
}


class NotRemade(Exception):
    """`reason` is unreadable, large, pages or kind."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def remade(content: bytes) -> bytes:
    """The same pictures or pages, of the same kind, without anything else that the file held. Raises NotRemade."""
    command = [sys.executable, "-I", str(Path(remake.__file__))]
    try:
        # An empty environment: what opens a stranger's file has no business with our secrets.
        done = subprocess.run(command, input=content, capture_output=True, env={}, timeout=SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise NotRemade("large") from None
    if done.returncode == 0 and done.stdout:
        return done.stdout
    # Killed by its limits, or it fell: a file that we cannot draw is one that we do not take.
    raise NotRemade("large" if done.returncode < 0 else REASONS.get(done.returncode, "unreadable"))
