"""What an event of the trail counted, in words: what was found and done per store and collection. What is zero is not said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from requests_app.desk.standing import rows_in_words

STATUSES: dict[str, str | Promise] = {
    "nothing": gettext_lazy("nothing found"),
    "unreachable": gettext_lazy("could not be reached"),
    "unknown": gettext_lazy("unknown, since a store that leads there could not be reached"),
}
COUNTS: dict[str, str | Promise] = {
    "rows": gettext_lazy("%(rows)s found"),
    "exported": gettext_lazy("%(rows)s in the package"),
    "redacted": gettext_lazy("%(rows)s of them without other people's fields"),
    "changed": gettext_lazy("%(rows)s changed"),
    "already": gettext_lazy("%(rows)s right already"),
    "deleted": gettext_lazy("%(rows)s deleted"),
    "anonymized": gettext_lazy("%(rows)s anonymized"),
    "pinned": gettext_lazy("%(rows)s anonymized, since others' rows point at them"),
    "contested": gettext_lazy("%(rows)s contested"),
    "undecided_contested": gettext_lazy("%(rows)s wait for a decision"),
    "waiting": gettext_lazy("%(rows)s wait for their last owner"),
    "others": gettext_lazy("%(rows)s of other people"),
    "left": gettext_lazy("%(rows)s left as they are"),
    "kept": gettext_lazy("%(rows)s kept by law"),
    "erased_earlier": gettext_lazy("%(rows)s erased earlier"),
    "remaining": gettext_lazy("%(rows)s remaining"),
    "withheld": gettext_lazy("%(rows)s withheld"),
    "mismatched": gettext_lazy("%(rows)s not changed: they held something else"),
}


def details(payload: dict[str, Any]) -> list[str]:
    """A line per store or collection that the payload says something about; its plain values stand beside it already."""
    return [line for value in payload.values() if isinstance(value, dict | list) for line in _lines(value)]


def _lines(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                yield from _lines(item, name)
    elif words := [text for key, item in value.items() if not isinstance(item, dict | list) for text in _words(key, item, value)]:
        yield ": ".join(part for part in (name, ", ".join(words)) if part)
    elif name and not any(isinstance(item, dict | list) for item in value.values()):
        yield _("%(name)s: nothing") % {"name": name}
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict | list):
                yield from _lines(item, f"{name}.{key}" if name else key)


def _words(key: str, item: Any, beside: dict[str, Any]) -> Iterator[str]:
    if item in (0, "", None) and not isinstance(item, bool):
        return
    if key == "status":
        if item in STATUSES:
            yield str(STATUSES[item])
        elif not beside.get("rows"):
            yield str(item)
    elif isinstance(item, int) and not isinstance(item, bool) and key in COUNTS:
        yield str(COUNTS[key]) % {"rows": rows_in_words(item)}
    else:
        yield f"{key} {item}"
