"""Every text has its translation: nothing fuzzy, nothing missing, and the placeholders agree."""

import re
from pathlib import Path

import polib
import pytest

LOCALE = Path(__file__).resolve().parent.parent / "locale"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")


@pytest.mark.parametrize("language", ["sv"])  # English is what the source says
def test_nothing_is_missing_or_fuzzy(language):
    path = LOCALE / language / "LC_MESSAGES" / "django.po"
    assert path.exists(), "run `make messages` and translate"
    wrong = []
    for entry in polib.pofile(str(path)):
        if entry.obsolete:
            continue
        said = list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]
        if entry.fuzzy or not all(said):
            wrong.append(entry.msgid)
        elif {*PLACEHOLDER.findall(entry.msgid_plural or entry.msgid)} != {*PLACEHOLDER.findall(said[-1])}:
            wrong.append(f"placeholders of: {entry.msgid}")
    assert not wrong, "run `make messages` and translate"
