"""The data maps of the demo, read by the product's own loader and by the library of the format."""

import pytest

from demo import stores
from privacy.datamap.loader import parse
from privacy.datamap.model import Dataset


@pytest.fixture(scope="module")
def maps() -> dict[str, Dataset]:
    return {dataset.key: dataset for name, text in stores.datasets() for dataset in parse(text, file=name)}


def test_they_read_without_a_warning_and_leave_nothing_undecided(maps: dict[str, Dataset]) -> None:
    assert set(maps) == {"crm", "billing", "activity", "hosted"}
    for dataset in maps.values():
        assert dataset.warnings == ()
        assert dataset.undecided == ()


def test_every_collection_has_a_purpose_a_source_and_a_label(maps: dict[str, Dataset]) -> None:
    for dataset in maps.values():
        for collection in dataset.collections.values():
            assert collection.purpose in dataset.purposes
            assert collection.source
            assert set(collection.label) == {"sv", "en"}


def test_every_exported_personal_field_has_a_label_in_both_languages(maps: dict[str, Dataset]) -> None:
    for dataset in maps.values():
        for collection, field in dataset.fields():
            if field.personal and not field.primary_key and not field.references:
                assert set(field.label) == {"sv", "en"}, f"{collection.name}.{field.name}"


def test_every_named_recipient_exists_and_a_transfer_has_a_safeguard(maps: dict[str, Dataset]) -> None:
    known = {recipient["key"]: recipient for recipient in stores.RECIPIENTS}
    for dataset in maps.values():
        for purpose in dataset.purposes.values():
            assert set(purpose.recipients) <= set(known)
            abroad = [known[key] for key in purpose.recipients if known[key]["country"] == "US"]
            assert all(recipient["safeguard"] for recipient in abroad)
            assert bool(abroad) == (purpose.transfer != "none")


def test_the_telephone_says_when_it_last_changed(maps: dict[str, Dataset]) -> None:
    assert maps["crm"].collections["customer"].fields["phone"].changed_at == "contact_changed_at"


def test_invoices_are_kept_as_the_bookkeeping_law_wants(maps: dict[str, Dataset]) -> None:
    (keep,) = maps["billing"].collections["invoice"].keeps
    assert (keep.period.years, keep.align) == (7, "fiscal_year")
    assert ("account", "name") in keep.needs
