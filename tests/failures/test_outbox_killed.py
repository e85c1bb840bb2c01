"""A letter whose carrier dies is carried by the next, under the same key: whoever hands it out knows it again."""

import pytest

from requests_app.models import OutboxItem
from tests.failures import letters
from tests.failures.worlds import ask, stop


@pytest.mark.parametrize(
    ("moment", "place", "sent"),
    [
        ("after", "requests_app.running.outbox:_claim", 1),
        ("before", "requests_app.running.outbox:_mark_delivered", 2),
        ("after", "requests_app.running.outbox:_mark_delivered", 1),
    ],
)
def test_a_letter_that_was_taken_and_not_marked(workers, moment, place, sent):
    request = ask("access")
    (item,) = OutboxItem.objects.filter(request=request, kind="email")
    victim = workers.start(stop(moment, place))
    workers.ring("deliver_outbox")
    victim.has_died()
    workers.start()
    workers.until(lambda: not OutboxItem.objects.filter(delivered_at=None).exists(), "the delivery")
    assert [letter["key"] for letter in letters.sent()] == [item.key] * sent
    item.refresh_from_db()
    assert (item.to, item.payload) == (None, None)
