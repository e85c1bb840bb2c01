"""What a residue scan looks for, and patterns cheap enough for every text of a store which no text that holds it fails (R21).

One pattern per thousand people would be exact, but regular expressions of that size are slow; these know the shapes only (which
digits telephone numbers begin with, how long they are), and what they let through is looked up exactly by `engine.mentions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import phonenumbers

# Between the digits of a telephone number. In JSON a slash may have a backslash before it, hence the one for the database.
SEPARATORS = " \t()./\u00a0\u2010-\u2015-"
_BETWEEN = "[ \t()./\\\\\u00a0\u2010-\u2015-]*"
_PLAIN = re.compile(r"[0-9A-Za-z_.:#-]+")  # spelled alike in a text, in JSON and in an array
_ASCII_WORD = re.compile(r"[0-9A-Za-z_]+")
# Around a bare number; a letter may stand there, for it may be the end of an escape of JSON.
_BEFORE, _AFTER = "(?:^|[^0-9])", "(?:[^0-9]|$)"
MOST_SHAPES = 24
WIDEST = 8  # characters looked at on either side of an @
_STEPS = (WIDEST, 4, 2, 1, 0)


@dataclass(frozen=True)
class Needles:
    """Identities in canonical form: e-mail addresses case-folded, telephone numbers in E.164, anything else case-folded."""

    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.emails or self.phones or self.words)

    @cached_property
    def shortest(self) -> int:
        """No text of fewer characters holds one of them; 0 where folding makes that hard to tell."""
        spelled = [*self.emails, *(national(phone) for phone in self.phones), *self.words]
        return min(map(len, spelled)) if all(text.isascii() for text in spelled) else 0

    @cached_property
    def around_at(self) -> Mapping[tuple[int, int], tuple[str, ...]]:
        """{(characters before the @, characters after it): what stands there in lower case}; ASCII, the same in every case."""
        found: dict[tuple[int, int], set[str]] = {}
        for email in self.emails:
            local, _, domain = email.rpartition("@")
            left, right = re.search(r"[!-~]*\Z", local), re.match(r"[!-~]*", domain)
            before, after = _step(left[0] if left else ""), _step(right[0] if right else "")
            found.setdefault((before, after), set()).add(f"{local[len(local) - before :]}@{domain[:after]}")
        return {size: tuple(sorted(texts)) for size, texts in found.items()}

    @cached_property
    def phone_pattern(self) -> str | None:
        """Digits that begin as one of the telephone numbers does and are as many, whatever stands between them."""
        if not self.phones:
            return None
        numbers = [national(phone) for phone in self.phones]
        return _BETWEEN.join(_either(numbers, place) for place in range(min(map(len, numbers))))

    @cached_property
    def word_pattern(self) -> str | None:
        """Words of the same shapes as ours; None where there is no pattern that all of them meet."""
        keys = {max(_PLAIN.findall(word), key=len, default="") for word in self.words}
        if not keys or "" in keys:
            return None
        shapes = _shapes(keys)
        if len(shapes) > MOST_SHAPES:
            digits = min(max(map(len, re.findall("[0-9]+", key)), default=0) for key in keys)  # in a row, in every one
            return f"[0-9]{{{digits}}}" if digits >= 3 else None
        return "|".join(shapes)

    @cached_property
    def plain_words(self) -> tuple[str, ...]:
        """Those that a text of ASCII letters and digits alone may be as a whole."""
        return tuple(word for word in self.words if _ASCII_WORD.fullmatch(word))


def national(phone: str) -> str:
    return str(phonenumbers.parse(phone, None).national_number)


def _step(text: str) -> int:
    return next(step for step in _STEPS if step <= len(text))


def _either(texts: Sequence[str], place: int) -> str:
    return f"[{''.join(sorted({text[place] for text in texts}))}]"


def _shapes(keys: Iterable[str]) -> list[str]:
    """Each shape once: letters as they are in either case, digits as they occur at their place."""
    alike: dict[str, list[str]] = {}
    for key in keys:
        alike.setdefault(re.sub("[0-9]", "0", key.lower()), []).append(key)
    return [_shape(shape, words) for shape, words in sorted(alike.items())]


def _shape(shape: str, words: Sequence[str]) -> str:
    out = "".join(_place(character, words, place) for place, character in enumerate(shape))
    return f"{_BEFORE}{out}{_AFTER}" if set(shape) == {"0"} else out


def _place(character: str, words: Sequence[str], place: int) -> str:
    if character == "0":
        return _either(words, place)
    return f"[{character}{character.upper()}]" if character.isalpha() else re.escape(character)
