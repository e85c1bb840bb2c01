"""Telephone numbers that ring nowhere: the ranges that PTS keeps free for books and films, and nothing else.

There are 95 mobile and 400 fixed numbers, fewer than the demo has customers, and two people with one number would be a find
of its own (a shared household). So the other customers have a fixed number of the range with one more digit, a direct line behind a
switchboard: no number of a numbering plan begins with another whole number, so these too can belong to nobody.
The last ten mobile numbers are nobody's here, for whoever tries to correct a telephone number.
"""

from collections.abc import Iterator
from itertools import product

MOBILE = range(701740605, 701740700)
FIXED = (range(846500400, 846500500), range(313900600, 313900700), range(406280400, 406280500), range(980319200, 980319300))


def mobiles() -> Iterator[str]:
    """In the national spelling, 070-174 06 05."""
    for number in MOBILE[:-10]:
        digits = f"0{number}"
        yield f"{digits[:3]}-{digits[3:6]} {digits[6:8]} {digits[8:]}"


def fixed_lines() -> Iterator[str]:
    """The four towns in turn; every second in the national spelling and every second in the international one."""
    for turn, numbers in enumerate(zip(*FIXED, strict=True)):
        for number in numbers:
            yield _national(number) if turn % 2 else _international(number)


def direct_lines() -> Iterator[str]:
    """A fixed number and one digit more, as plain E.164."""
    for extension, numbers in product("123456789", zip(*FIXED, strict=True)):
        for number in numbers:
            yield f"+46{number}{extension}"


def _area(number: int) -> tuple[str, str]:
    digits = str(number)
    length = {"8": 1, "3": 2, "4": 2, "9": 3}[digits[0]]
    return digits[:length], digits[length:]


def _grouped(subscriber: str) -> str:
    """As phone books group it: 465 004 00, 390 06 00, 31 92 00."""
    head = {8: 3, 7: 3, 6: 2}[len(subscriber)]
    rest = subscriber[head:]
    return " ".join((subscriber[:head], rest[:3], rest[3:]) if len(rest) == 5 else (subscriber[:head], rest[:2], rest[2:]))


def _national(number: int) -> str:
    area, subscriber = _area(number)
    return f"0{area}-{_grouped(subscriber)}"


def _international(number: int) -> str:
    area, subscriber = _area(number)
    return f"+46 {area} {_grouped(subscriber)}"
