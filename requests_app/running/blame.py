"""Where an error arose, without a word of what it says: its text, and the values around it, may be somebody's data."""

from __future__ import annotations

import traceback
from pathlib import PurePath


def where(error: BaseException) -> str:
    """`file.py:line in function` of the innermost frame, as a log may hold it."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    frame = frames[-1]
    return f"{PurePath(frame.filename).name}:{frame.lineno} in {frame.name}"
