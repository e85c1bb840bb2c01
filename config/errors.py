"""The page that a demo with INSYN_DEBUG=1 shows of an error: where it happened, and no value that was at hand there."""

from __future__ import annotations

from typing import Any

from django.views.debug import ExceptionReporter

_VALUES = ("filtered_POST_items", "request_GET_items", "request_FILES_items", "request_COOKIES_items")


class Frames(ExceptionReporter):
    """Rows, identities and codes stand in local variables and in what was sent; an error's text may repeat them."""

    def get_traceback_data(self) -> dict[str, Any]:
        data = super().get_traceback_data()
        data["frames"] = [{**frame, "vars": [], **_cause(frame)} for frame in data.get("frames", ())]
        data |= {name: [] for name in _VALUES if name in data}
        data["request_meta"] = {}
        data["user_str"] = data["unicode_hint"] = ""
        if data.get("template_info"):
            data["template_info"] = {**data["template_info"], "message": data.get("exception_type", "")}
        if "exception_value" in data:
            data["exception_value"] = ""
        data.pop("exception_notes", None)
        if data.get("request") is not None:
            data["request_insecure_uri"] = self.request.path if self.request is not None else ""
        return data


def _cause(frame: dict[str, Any]) -> dict[str, Any]:
    """The error before this one by its class alone: drivers and parsers write values into their texts."""
    cause = frame.get("exc_cause")
    return {"exc_cause": type(cause).__name__} if cause else {}
