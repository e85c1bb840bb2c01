"""Compile the translations (.po to .mo) without GNU gettext, where they are newer than what was compiled."""

import os
import tempfile
from pathlib import Path

import polib

LOCALE = Path(__file__).resolve().parent.parent / "locale"


def compile_messages(folder: Path = LOCALE) -> list[Path]:
    """Answers the files it wrote. A half-written file is never seen: it is renamed when it is whole."""
    written = []
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        handle, partial = tempfile.mkstemp(dir=target.parent, suffix=".partial")
        os.close(handle)
        polib.pofile(str(source)).save_as_mofile(partial)
        os.chmod(partial, 0o644)
        os.replace(partial, target)
        written.append(target)
    return written


if __name__ == "__main__":
    for path in compile_messages():
        print(path)
