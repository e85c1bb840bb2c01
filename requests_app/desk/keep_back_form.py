"""Keeping fields from an erasure: which, on which ground of Art. 17(3), until when, and what is no longer kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django import forms
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from privacy import collection_words, vocabulary
from privacy.maps import dataset_of
from privacy.models import DatasetVersion
from requests_app.case.keeping_back import kept_back
from requests_app.desk.due import day
from requests_app.desk.step_forms import WORDS, StepForm

Place = tuple[str, str, str]  # store, collection, column


class KeepBackForm(StepForm):
    kept = forms.MultipleChoiceField(label=gettext_lazy("What is kept"), required=False, widget=forms.CheckboxSelectMultiple)
    ground = forms.ChoiceField(
        label=gettext_lazy("Because it is needed for"),
        required=False,
        choices=list(vocabulary.KEEPING.items()),
        widget=forms.RadioSelect,
    )
    until = forms.DateField(
        label=gettext_lazy("Until"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("The first day on which it may be erased; it goes by itself then. The answer tells the person."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        required=False,
        widget=WORDS,
        help_text=gettext_lazy("For your colleague who approves, and for the file. The person reads the ground and the day."),
    )
    dropped = forms.MultipleChoiceField(label=gettext_lazy("No longer kept"), required=False, widget=forms.CheckboxSelectMultiple)

    def prepare(self) -> None:
        self.places: dict[str, Place] = {}
        self.keys: dict[str, tuple[str, str]] = {}
        groups = []
        for label, places in self._offered():
            options = []
            for place, words in places:
                name = str(len(self.places))
                self.places[name] = place
                options.append((name, words))
            groups.append((label, options))
        self.fields["kept"].choices = groups  # type: ignore[attr-defined]
        options = []
        for run in self.standing.runs:
            for key, (ground, until) in kept_back(run).items():
                name = str(len(self.keys))
                self.keys[name] = (run.store.key, key)
                what = f"{run.store.key}.{key[1:]}"
                options.append((name, f"{what}: {vocabulary.KEEPING[ground]}, {day(until)}"))
        self.fields["dropped"].choices = options  # type: ignore[attr-defined]
        if not options:
            del self.fields["dropped"]

    def _offered(self) -> Iterator[tuple[str, list[tuple[Place, str]]]]:
        language = (get_language() or "sv")[:2]
        runs = [run for run in self.standing.runs if run.finding]
        current = DatasetVersion.objects.filter(store__in=[run.store_id for run in runs], is_current=True)
        maps = {version.store_id: dataset_of(version) for version in current}
        for run in runs:
            collections = maps[run.store_id].collections if run.store_id in maps else {}
            for name, counts in (run.finding or {}).items():
                if name not in collections or not counts.get("rows"):
                    continue
                item = collections[name]
                label = vocabulary.chosen(collection_words.label(item), language, name)
                columns = {column.name: column for column in collection_words.columns(item)}
                places = [((run.store.key, name, ""), _("the whole rows"))]
                places += [
                    ((run.store.key, name, field.name), vocabulary.chosen(dict(columns[field.name].label), language, field.name))
                    for field in item.fields.values()
                    if field.personal
                ]
                yield f"{run.store.name or run.store.key}: {label}", places

    def clean(self) -> dict[str, Any]:
        data = {"dropped": [], **(super().clean() or {})}
        if data.get("kept"):
            for name, missing in (
                ("ground", _("Say on which ground it is kept.")),
                ("until", _("Say until when it is kept: a day that is still to come.")),
                ("reason", _("Say why it is needed; your colleague reads it.")),
            ):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, missing)
        return data

    def asked(self) -> dict[str, Any]:
        """What `keep_back` is asked for."""
        data = self.cleaned_data
        return {
            "kept": [self.places[name] for name in data["kept"]],
            "dropped": [self.keys[name] for name in data["dropped"]],
            "ground": data["ground"],
            "until": data["until"],
            "reason": data["reason"],
        }
