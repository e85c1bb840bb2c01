"""The made-up people: the same everywhere, nobody's real address or number, and each story holds."""

import re
from datetime import date
from ipaddress import ip_address, ip_network

import phonenumbers
import pytest

from demo import phones, showcase
from demo.people import Population, populate, slug
from privacy.engine.identity import canonical

TODAY = date(2026, 11, 22)
RESERVED = re.compile(r"(?i).+@(?:example\.(?:com|org|net)|nordhem\.example)")


@pytest.fixture(scope="module")
def population() -> Population:
    return populate(today=TODAY, named=showcase.named(TODAY))


def test_the_same_day_gives_the_same_people(population: Population) -> None:
    assert populate(today=TODAY, named=showcase.named(TODAY)) == population


def test_there_are_two_thousand_customers_and_each_number_is_given_once(population: Population) -> None:
    numbers = [person.number for person in population.people]
    assert len(numbers) == 2000
    assert len(set(numbers)) == 2000
    assert numbers == sorted(numbers)
    assert all(re.fullmatch(r"K-\d{6}", number) for number in numbers)


def test_every_mail_domain_is_reserved_for_examples(population: Population) -> None:
    for person in (*population.people, *population.contacts, *population.employees):
        assert RESERVED.fullmatch(person.email)
    assert all(name.endswith(".example") for person in population.people for name in person.domains)


def test_every_telephone_number_begins_with_one_kept_for_fiction(population: Population) -> None:
    kept = {f"+46{number}" for numbers in (phones.MOBILE, *phones.FIXED) for number in numbers}
    for person in (*population.people, *population.contacts, *population.employees):
        if person.phone:
            number = canonical("phone_number", person.phone)
            assert number in kept or number[:-1] in kept
            assert phonenumbers.is_possible_number(phonenumbers.parse(number, None))


def test_only_the_household_and_the_employee_share_a_telephone(population: Population) -> None:
    owners: dict[str, list[str]] = {}
    for person in (*population.people, *population.employees):
        if person.phone:
            owners.setdefault(canonical("phone_number", person.phone), []).append(person.name)
    shared = [sorted(names) for names in owners.values() if len(names) > 1]
    assert sorted(shared) == [["Fatima Forsberg", "Fatima Forsberg"], ["Ingrid Isaksson", "Ivar Isaksson"]]


def test_only_one_person_has_two_spellings_of_an_address(population: Population) -> None:
    seen: dict[str, list[str]] = {}
    for person in population.people:
        seen.setdefault(canonical("email", person.email), []).append(person.email)
    assert [sorted(spellings) for spellings in seen.values() if len(spellings) > 1] == [
        ["Eva.Ek@Example.net", "eva.ek@example.net"]
    ]


def test_some_companies_share_a_contact_person_and_some_people_a_domain(population: Population) -> None:
    assert sum(len(contact.of) > 1 for contact in population.contacts) > 20
    assert len(population.co_owners) > 20
    known = {person.number for person in population.people}
    assert {number for contact in population.contacts for number in contact.of} <= known
    assert set(population.co_owners.values()) <= known


def test_every_person_of_the_showcase_is_a_customer_but_nobody(population: Population) -> None:
    emails = {person.email for person in population.people}
    assert {login.email for login in showcase.LOGINS} - emails == {"nobody@example.com"}


def test_the_showcase_tells_true_stories(population: Population) -> None:
    by_email = {person.email: person for person in population.people}
    assert by_email["anna.andersson@example.com"].number == "K-104233"
    assert by_email["anna.andersson@example.com"].ended_on is not None
    assert by_email["bertil.berg@example.com"].ended_on is None
    assert by_email["gunnar.gran@example.org"].protected
    assert by_email["gunnar.gran@example.org"].phone is None
    assert (TODAY - by_email["hanna.holm@example.com"].contact_changed_on).days < 30
    assert by_email["fatima.forsberg@nordhem.example"].email in {employee.email for employee in population.employees}
    assert by_email["klara.kvist@example.com"].number in population.forgotten


def test_nobody_is_dated_in_the_future(population: Population) -> None:
    for person in population.people:
        assert person.since <= person.contact_changed_on <= TODAY
        assert person.ended_on is None or person.since < person.ended_on < TODAY


def test_swedish_names_become_addresses() -> None:
    assert slug("Åsa Öberg-Lind") == "asa.oberg-lind"


def test_the_logs_show_addresses_kept_for_documentation() -> None:
    from random import Random

    from demo import activity

    few = populate(today=TODAY, named=showcase.named(TODAY), customers=40)
    blocks = [ip_network(block) for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
    for row in activity.tables(few, Random(1))["login"].rows:
        assert any(ip_address(row[2]) in block for block in blocks)
