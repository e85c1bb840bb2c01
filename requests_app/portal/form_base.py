"""Forms that know how their questions are drawn and how their errors are listed (templates/portal/fields/)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField
from django.http import HttpRequest, QueryDict
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: everything that was posted, were it nothing, and nothing on a first look."""
    return request.POST if request.method == "POST" else None


class PortalForm(forms.Form):
    """`title` is the page's heading where the form asks several questions; with one question its label is the heading."""

    title: Any = ""
    lead: Any = ""
    one_of_them = False  # the questions stand for each other: none of them is to be called optional
    button: Any = _("Continue")
    use_required_attribute = False  # the browser's own bubbles are neither translated by us nor read out well

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def rows(self) -> Iterator[tuple[BoundField, str]]:
        """Each visible question with the template that draws it."""
        for bound in self.visible_fields():
            yield bound, f"portal/fields/{_drawing(bound.field.widget)}.html"

    @property
    def single(self) -> bool:
        return not self.title and len(self.visible_fields()) == 1

    def error_summary(self) -> list[tuple[str, str]]:
        """(id of the control, message), in the order of the questions; the id is empty for what concerns the whole form."""
        found = [("", str(message)) for message in self.non_field_errors()]
        for bound in self.visible_fields():
            found += [(_first_control(bound), str(message)) for message in bound.errors]
        return found


def _drawing(widget: forms.Widget) -> str:
    for kind, name in (
        (DateParts, "date"),
        (forms.RadioSelect, "choices"),
        (forms.CheckboxSelectMultiple, "choices"),
        (forms.CheckboxInput, "tick"),
        (forms.Textarea, "text"),
    ):
        if isinstance(widget, kind):
            return name
    return "text"


def _first_control(bound: BoundField) -> str:
    if isinstance(bound.field.widget, (DateParts, forms.RadioSelect, forms.CheckboxSelectMultiple)):
        return f"{bound.auto_id}_0"
    return str(bound.auto_id)


class DateParts(forms.MultiWidget):
    """Year, month and day in boxes of their own: a date one knows is typed faster than it is found in a calendar."""

    labels = (_("Year"), _("Month"), _("Day"))

    def __init__(self) -> None:
        digits = {"inputmode": "numeric", "autocomplete": "off"}
        super().__init__([forms.TextInput({**digits, "maxlength": size}) for size in ("4", "2", "2")])

    def decompress(self, value: Any) -> list[Any]:
        if isinstance(value, str):
            value = date.fromisoformat(value)
        return [value.year, value.month, value.day] if value else ["", "", ""]

    def subwidgets(self, name: str, value: Any, attrs: Any = None) -> Iterator[dict[str, Any]]:
        """The three boxes, each with its label, for templates/portal/fields/date.html."""
        for part, label in zip(self.get_context(name, value, attrs)["widget"]["subwidgets"], self.labels, strict=True):
            yield {**part, "label": label}


class DatePartsField(forms.MultiValueField):
    """A date in three parts; answers a date or None. The messages say which part is missing."""

    widget = DateParts

    def __init__(self, **kwargs: Any) -> None:
        fields = tuple(forms.CharField(required=False, max_length=4) for _part in range(3))
        super().__init__(fields, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[str]) -> date | None:
        parts = [part.strip() for part in data_list] if data_list else ["", "", ""]
        if not any(parts):
            return None
        missing = [str(label).lower() for part, label in zip(parts, DateParts.labels, strict=True) if not part]
        if missing:
            raise ValidationError(_("The date must have a %(part)s."), params={"part": missing[0]}, code="incomplete")
        if not all(part.isascii() and part.isdigit() for part in parts):
            raise ValidationError(_("Write the date in digits, for example 2024 3 27."), code="invalid")
        try:
            return date(*(int(part) for part in parts))
        except ValueError:
            raise ValidationError(
                _("There is no such date. Write it as year, month and day, for example 2024 3 27."), code="invalid"
            ) from None


def _choose_a_file() -> str:
    return gettext("Choose a file of at most %(megabytes)d MB.") % {"megabytes": settings.INSYN_UPLOAD_MB}


def _kinds_of_files() -> str:
    return gettext("A picture (JPEG or PNG) or a PDF file, at most %(megabytes)d MB.") % {"megabytes": settings.INSYN_UPLOAD_MB}


class UploadField(forms.FileField):
    """One file of the kinds that `files.uploads` takes; that looks at the content, this only whether there is one."""

    widget = forms.FileInput

    def __init__(self, **kwargs: Any) -> None:
        missing = lazy(_choose_a_file, str)()
        messages = {"required": missing, "missing": missing, "empty": _("The file is empty. Choose another one.")}
        kwargs.setdefault("error_messages", messages)
        kwargs.setdefault("help_text", lazy(_kinds_of_files, str)())
        super().__init__(**kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, str]:
        return {"class": "input input--file", "accept": "image/jpeg,image/png,application/pdf"}
