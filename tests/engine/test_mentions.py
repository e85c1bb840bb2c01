"""Who is mentioned in a text: every word looked up once, against a pattern for each person."""

import pytest
from hypothesis import example, given, settings

from privacy.engine.residue.mentions import Mentions
from tests.engine.mentioning import mentioned, people, texts


@settings(max_examples=2000, deadline=None)
@given(text=texts(), who=people())
@example(text="5+46701234567", who=[[("phone_number", "+46701234567")]])
@example(text="example.comanna@example.com anna@example.com", who=[[("email", "anna@example.com")]])
def test_the_same_people_are_found_as_by_one_pattern_for_each(text: str, who: list[list[tuple[str, str]]]) -> None:
    assert Mentions(who).of(text) == mentioned(text, who)


@pytest.mark.parametrize(
    "text", [r'{"note": "Hej\n070-1234567\tanna@example.com"}', r'["08\/12 34 56", {"anna@example.com": 1}]']
)
def test_a_json_text_is_read_and_not_its_escapes(text: str) -> None:
    who = [[("email", "anna@example.com")], [("phone_number", "0701234567"), ("phone_number", "08123456")]]
    assert Mentions(who).of(text, is_json=True) == {0, 1}
