"""What a collection says about itself in plain words: its columns, why it is there, where it came from, how long it stays."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from privacy import vocabulary
from privacy.datamap.categories import policy_category
from privacy.datamap.model import Collection, Dataset, Field, Keep, Purpose, Retention
from privacy.datamap.periods import Period
from privacy.engine.package.export import Column
from privacy.rights import gives

PORTABLE_SOURCES = ("provided", "observed")


def columns(collection: Collection) -> tuple[Column, ...]:
    """Every column with a label and an explanation in all languages: the map's own words, else those of its category."""
    found = [_column(field) for field in collection.fields.values()]
    names = Counter(column.label.get("en") for column in found)
    # Two columns of one category would look alike: the column's own name tells them apart.
    return tuple(column if names[column.label.get("en")] == 1 else replace(column, label=_told_apart(column)) for column in found)


def _column(field: Field) -> Column:
    name, sentence = vocabulary.category_texts(field.categories)
    words = name if field.personal else dict.fromkeys(vocabulary.LANGUAGES, vocabulary.readable(field.name))
    return Column(field.name, field.label or words, field.categories, sentence)


def _told_apart(column: Column) -> dict[str, str]:
    return {language: f"{text} ({column.name})" for language, text in column.label.items()}


def categories(collection: Collection) -> list[str]:
    """The policy's categories of what stands in it, in the order of the policy."""
    found = {policy_category(field.categories) for field in collection.fields.values() if field.personal}
    known = list(vocabulary.POLICY_CATEGORIES)
    return sorted(found, key=lambda key: known.index(key) if key in known else len(known))


def label(collection: Collection) -> dict[str, str]:
    return dict(collection.label) or dict.fromkeys(vocabulary.LANGUAGES, vocabulary.readable(collection.name))


def purpose_text(dataset: Dataset, collection: Collection, *, language: str) -> str:
    """Why we have a collection, in a sentence or two for the person."""
    with override(language):
        purposes = [dataset.purposes[key] for key in purpose_keys(collection) if key in dataset.purposes]
        texts = [f"{purpose_name(purpose, language)}. {vocabulary.LEGAL_BASES.get(purpose.basis, '')}" for purpose in purposes]
        return " ".join(text.strip() for text in texts)


def portable(dataset: Dataset, collection: Collection, field: Field) -> bool:
    """Whether Art. 20 covers this field: provided or observed, processed on consent or a contract. Unstated is not excluded."""
    source = field.source or collection.source
    purpose = dataset.purposes.get(field.purpose or collection.purpose or "")
    return (source is None or source in PORTABLE_SOURCES) and (purpose is None or gives(purpose.basis, "portability"))


def purpose_keys(collection: Collection) -> list[str]:
    return list(dict.fromkeys(key for field in collection.fields.values() if (key := field.purpose or collection.purpose)))


def purpose_name(purpose: Purpose, language: str) -> str:
    return vocabulary.chosen(dict(purpose.label), language, vocabulary.readable(purpose.key)) or _("Purpose not recorded")


# --- how long ---------------------------------------------------------------------------------------------------------


def period_words(period: Period) -> str:
    """“7 years”, “1 year and 6 months”."""
    parts = [
        (period.years, ngettext("%(count)d year", "%(count)d years", period.years)),
        (period.months, ngettext("%(count)d month", "%(count)d months", period.months)),
        (period.days, ngettext("%(count)d day", "%(count)d days", period.days)),
    ]
    words = [text % {"count": count} for count, text in parts if count]
    if len(words) > 1:
        return _("%(first)s and %(last)s") % {"first": ", ".join(words[:-1]), "last": words[-1]}
    return words[0] if words else ngettext("%(count)d day", "%(count)d days", 0) % {"count": 0}


def _counted(dataset: Dataset, collection: Collection, rule: Retention | Keep, language: str) -> str:
    start = field_label(dataset, collection, rule.start, language)
    if rule.period == Period():
        return _("until “%(start)s”") % {"start": start}
    texts = {
        "none": _("%(period)s, counted from “%(start)s”"),
        "calendar_year": _("%(period)s after the end of the calendar year of “%(start)s”"),
        "fiscal_year": _("%(period)s after the end of the calendar year in which the fiscal year of “%(start)s” ended"),
    }
    return texts[rule.align] % {"period": period_words(rule.period), "start": start}


def field_label(dataset: Dataset, collection: Collection, path: str, language: str) -> str:
    """The label of `field` or `collection.field`; a map may name a field by both."""
    if path not in collection.fields:
        name, _dot, path = path.rpartition(".")
        collection = dataset.collections.get(name, collection)
    field = collection.fields.get(path)
    return vocabulary.chosen(dict(field.label) if field else {}, language, vocabulary.readable(path))


def retention_words(dataset: Dataset, collection: Collection, language: str) -> str:
    rule = collection.retention
    if rule is None:
        return _("For as long as the purpose lasts; there is no fixed period.")
    counted = _counted(dataset, collection, rule, language)
    ending = _("then it is made anonymous") if rule.then == "anonymize" else _("then it is erased")
    return f"{counted}; {ending}." + (f" ({rule.basis})" if rule.basis else "")


def keep_words(dataset: Dataset, collection: Collection, keep: Keep, language: str) -> dict[str, str]:
    counted = _counted(dataset, collection, keep, language)
    return {
        "basis": keep.basis,
        "text": _("Some of it is kept longer: %(period)s (%(law)s).") % {"period": counted, "law": keep.basis},
    }
