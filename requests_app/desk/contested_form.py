"""Deciding on contested rows: one answer for all of a collection, or one for each group of rows that stand and fall together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from privacy import actions
from privacy.actions import Against, ContestedGroup
from requests_app.cases import undecided_contested
from requests_app.desk.standing import contested_in, rows_in_words
from requests_app.desk.step_forms import StepForm
from requests_app.desk.words import contested_answers
from requests_app.models import StoreRun

EACH = "each"
SHOWN = 200  # groups on one page; the rest follow when these are decided
AGAINST: dict[str, Any] = {
    "a": gettext_lazy("%(field)s names another owner in %(collection)s"),
    "b": gettext_lazy("rows of %(collection)s that are not this person's point at it"),
    "c": gettext_lazy("%(field)s holds an address or number that is not this person's"),
    "d": gettext_lazy("%(field)s holds an address or number that stands in other people's rows too"),
    "s": gettext_lazy("the same address is spelled in two ways, so these may be two people"),
    "t": gettext_lazy("it is reached only through rows that are contested themselves"),
}


def against_in_words(item: Against) -> str:
    return str(AGAINST[item.letter]) % {"field": item.field, "collection": item.collection}


@dataclass
class Part:
    """One group as the page shows it."""

    number: int
    group: ContestedGroup
    name: str  # of its field
    bound: Any = None

    @property
    def title(self) -> str:
        return _("Group %(number)d: %(rows)s") % {"number": self.number, "rows": rows_in_words(self.group.rows)}

    @property
    def reasons(self) -> list[str]:
        return [against_in_words(item) for item in self.group.against]

    @property
    def ties(self) -> str:
        return ", ".join(self.group.ties)


@dataclass
class Question:
    """One collection with contested rows."""

    run: StoreRun
    collection: str
    name: str
    parts: list[Part] = field(default_factory=list)
    more: int = 0
    look: str = ""  # the one group, where there is nothing to choose group by group
    bound: Any = None


class ContestedForm(StepForm):
    """One question per collection with contested rows, over all stores of the case; below it one per group."""

    def prepare(self) -> None:
        self.words = contested_answers(self.standing.request.right)
        self.asked: list[Question] = []
        left = SHOWN
        for run in self.standing.contested_runs:
            groups: dict[str, list[ContestedGroup]] = {}
            for group in actions.explained_groups(run.plan or {}):
                groups.setdefault(group.collection, []).append(group)
            for collection, rows in contested_in(run).items():
                question = Question(run, collection, f"run{run.pk}-{len(self.asked)}")
                self._number(question, groups.get(collection, []), left)
                left -= len(question.parts)
                self._ask(question, rows)
                self.asked.append(question)

    @property
    def questions(self) -> dict[str, tuple[Any, str]]:
        return {question.name: (question.run, question.collection) for question in self.asked}

    @property
    def blocks(self) -> list[Question]:
        """The questions with their bound fields, for the page."""
        for question in self.asked:
            question.bound = self[question.name]
            for part in question.parts:
                part.bound = self[part.name]
        return self.asked

    def _number(self, question: Question, groups: list[ContestedGroup], room: int) -> None:
        numbered = [Part(number, group, f"{question.name}-{number}") for number, group in enumerate(groups, 1)]
        open_first = sorted(numbered, key=lambda part: part.group.key in question.run.choices)
        question.parts = sorted(open_first[:room], key=lambda part: part.number)
        question.more = len(numbered) - len(question.parts)

    def _ask(self, question: Question, rows: int) -> None:
        given = question.run.choices
        whole = given.get(question.collection)
        answers = list(self.words.items())
        by_group = any(part.group.key in given for part in question.parts)
        one_by_one = [(EACH, _("decide group by group"))] if len(question.parts) > 1 or by_group else []
        self.fields[question.name] = forms.ChoiceField(
            label=_("%(store)s, %(collection)s: %(rows)d contested")
            % {"store": question.run.store.key, "collection": question.collection, "rows": rows},
            help_text=_in_groups(len(question.parts) + question.more) if one_by_one else "",
            choices=[*answers, *one_by_one],
            widget=forms.RadioSelect,
            initial=whole or (EACH if by_group else None),
        )
        for part in question.parts if one_by_one else ():
            standing = self.words.get(part.group.standing)
            nothing = _("the data map's answer: %(answer)s") % {"answer": standing} if standing else _("not decided")
            self.fields[part.name] = forms.ChoiceField(
                label=part.title,
                choices=[("", nothing), *answers],
                required=False,
                initial=given.get(part.group.key) or whole or "",
            )
        if not one_by_one:
            question.look = "".join(f"{question.run.pk}:{part.group.key}" for part in question.parts)
            question.parts = []

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for question in self.asked:
            if data.get(question.name) == EACH:
                for part in question.parts:
                    if not data.get(part.name) and part.group.standing == "ask" and part.name not in self.errors:
                        self.add_error(part.name, _("Choose what happens to this group."))
        return data

    def answers(self) -> Iterator[tuple[Any, dict[str, str]]]:
        """(run, {collection or group key: answer}) per store."""
        for run in self.standing.contested_runs:
            given: dict[str, str] = {}
            for question in self.asked:
                if question.run is run and self.cleaned_data[question.name] != EACH:
                    given[question.collection] = self.cleaned_data[question.name]
                elif question.run is run:
                    named = {part.group.key: self.cleaned_data[part.name] for part in question.parts}
                    given |= {key: answer for key, answer in named.items() if answer}
            yield run, given


def _in_groups(count: int) -> str:
    return ngettext("In %(count)d group.", "In %(count)d groups, each of which can have an answer of its own.", count) % {
        "count": count
    }


def choice_in_words(run: StoreRun, collection: str, right: str) -> tuple[str, bool]:
    """What was answered for a collection's contested rows, and whether anything of it is still open."""
    words = contested_answers(right)
    if whole := run.choices.get(collection):
        return str(words.get(whole, whole)), False
    counted = dict.fromkeys(words, 0)
    for key, answer in run.choices.items():
        if actions.collection_of(key) == collection:
            counted[answer] = counted.get(answer, 0) + 1
    texts = [
        ngettext("%(count)d group: %(answer)s", "%(count)d groups: %(answer)s", count)
        % {"count": count, "answer": words.get(answer, answer)}
        for answer, count in counted.items()
        if count
    ]
    return "; ".join(texts), not texts or collection in undecided_contested(run)
