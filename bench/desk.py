"""The desk at a thousand and at a million requests: first page, queue under each of its filters, a case. It should be the same.

Most requests are closed, over three years; some hundreds or two thousand are open. Rows are written by SQL, in the shapes that
the product writes; nobody decrypts what a list does not show, so the one case that is opened is made by the product itself.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from bench import pages, product
from bench.measured import Row, timed

if TYPE_CHECKING:
    from accounts.models import Staff

QUEUE = "/admin/requests_app/rightsrequest/"
TARGET = 1.5
ROUNDS = 4  # from one size to the other and back
LINES = 8  # of a page: no filter leaves fewer at a thousand, so both sizes write as much
# Under each filter the list has something to show at both sizes.
LISTS = {
    "queue": "",
    "queue, page 2": "p=2",
    "needs me": "whose=needs-me",
    "mine": "whose=mine",
    "nobody's": "whose=nobody",
    "to approve": "whose=approval",
    "overdue": "due=overdue",
    "due soon": "due=soon",
    "paused": "due=paused",
    "state": "state__exact=triage",
    "right": "right=erasure",
    "stopped": "runs=stopped",
    "messages": "show=all&messages=unanswered",
    "by letter": "source__exact=post",
    "by right": "o=2",
    "closed": "show=closed",
    "closed, page 10": "show=closed&p=10",
    "closed, of a right": "show=closed&right=objection",
    "closed, by letter": "show=closed&source__exact=post",
    "closed, refused": "show=closed&state__exact=refused",
    "closed, mine": "show=closed&whose=mine",
    "closed, of a month": "show=closed&right=access&answered={month}",
    "all": "show=all",
    "all, of a right": "show=all&right=objection",
    "of a person": "show=all&person={person}",
}
# n requests, the last `open` of which are open. A person has two; a request has two stores and three events.
FILL = """
SET session_replication_role = replica;
INSERT INTO accounts_customer (public_id, language, created_at, policy_seen)
  SELECT 'bench' || i, 'sv', now() - interval '3 years', '' FROM generate_series(1, {people}) i;
INSERT INTO accounts_customeridentity (customer_id, kind, value, lookup, lookup_key, method, verified_at, created_at)
  SELECT c.id, 'email', ''::bytea, md5(c.public_id) || md5(c.public_id || 'x'), '1', 'email_code', now(), now()
  FROM accounts_customer c WHERE c.public_id LIKE 'bench%';
INSERT INTO requests_app_rightsrequest (reference, customer_id, "right", state, source, language, ground, identity_level,
    notice_version, received_at, due_on, notice_due_on, paused_at, paused_days, assignee_id, proposed_by_id, approved_by_id,
    plan_digest, outcome, answered_at, closed_at, answer, reason)
  SELECT upper(substr(md5(i::text), 1, 4) || '-' || substr(md5(i::text), 5, 4) || '-' || substr(md5(i::text), 9, 4)),
    (SELECT min(id) FROM accounts_customer WHERE public_id LIKE 'bench%') + i % {people},
    (ARRAY['access','access','access','access','erasure','erasure','portability','rectification','restriction','objection'])
      [1 + i % 10],
    CASE WHEN i <= {closed} THEN CASE WHEN i % 20 = 0 THEN 'refused' WHEN i % 33 = 0 THEN 'withdrawn' ELSE 'completed' END
      ELSE (ARRAY['triage','triage','identifying','proposed','running','blocked'])[1 + i % 6] END,
    (ARRAY['portal','portal','portal','portal','portal','portal','email','email','phone','post'])[1 + i / 10 % 10], 'sv', '', 2,
    '2026-12', came, (came + interval '30 days')::date, (came + interval '30 days')::date,
    CASE WHEN i > {closed} AND i % 6 = 2 THEN came + interval '1 day' END, 0,
    CASE WHEN i % 4 = 0 THEN {me} WHEN i % 4 < 3 THEN {colleague} END,
    CASE WHEN i > {closed} AND i % 6 IN (3, 4) THEN {colleague} END, CASE WHEN i > {closed} AND i % 6 = 4 THEN {me} END, '',
    CASE WHEN i <= {closed} THEN 'fulfilled' ELSE '' END,
    CASE WHEN i <= {closed} AND (i % 20 = 0 OR i % 33 > 0) THEN came + (1 + i % 25) * interval '1 day' END,
    CASE WHEN i <= {closed} THEN came + (1 + i % 25) * interval '1 day' END, repeat('a', 900)::bytea, repeat('r', 200)::bytea
  FROM (SELECT i, CASE WHEN i <= {closed} THEN now() - interval '26 days' - interval '3 years' * (1 - i::float / {closed})
    ELSE now() - interval '31 days' * (1 - (i - {closed})::float / {open}) END AS came FROM generate_series(1, {n}) i) made;
INSERT INTO requests_app_storerun (request_id, store_id, "right", subject, dataset_version, state, digest, located_for, choices,
    residue, error, attempt, retries, lost, finding)
  SELECT r.id, s.id, r."right", '', 1,
    CASE WHEN r.closed_at IS NOT NULL THEN 'done' WHEN r.state = 'blocked' AND s.id % 2 = 0 THEN 'blocked' ELSE 'ready' END,
    '', '', '{{}}', '[]', '', 1, 0, 0, '{{"customer": {{"rows": 3, "contested": 0}}}}'
  FROM requests_app_rightsrequest r CROSS JOIN (SELECT id FROM privacy_store ORDER BY id LIMIT 2) s
  WHERE r.id NOT IN (SELECT request_id FROM requests_app_storerun);
INSERT INTO requests_app_message (request_id, by_representative, text, is_question, needed_level, form, sent_at, answered_at)
  SELECT id, false, repeat('t', 300)::bytea, false, 2, md5(reference), received_at,
    CASE WHEN closed_at IS NOT NULL AND id % 50000 > 0 THEN received_at END
  FROM requests_app_rightsrequest WHERE id % 5 = 0;
INSERT INTO privacy_auditevent (chain, seq, at, actor, action, payload, prev_hash, hash)
  SELECT reference, seq, received_at, 'system', 'request.submitted', '{{}}', repeat('0', 64), repeat('0', 64)
  FROM requests_app_rightsrequest, generate_series(101, 103) seq;
RESET session_replication_role;
VACUUM ANALYZE
"""


def measure(*, small: int, large: int, repeats: int) -> Iterator[Row]:
    """Both sizes in one run, in turn, each in a database of its own; the product's own statements and templates in both."""
    few, many = (_Desk(size, open_requests) for size, open_requests in ((small, small // 5), (large, min(2000, large // 5))))
    for name in few.paths:
        (ours, statements), (plain, statements_of_few) = _in_turn(many, few, name, repeats)
        ratio = ours / plain
        yield {
            "bench": f"desk {name}",
            "ours_s": round(ours, 4),
            "plain_s": round(plain, 4),
            "ratio": round(ratio, 2),
            "target": f"≤ {TARGET}× of {small:,} at {large:,}",
            "met": ratio <= TARGET and statements == statements_of_few,
            "statements": statements,
        }


def _in_turn(one: _Desk, other: _Desk, name: str, repeats: int) -> list[tuple[float, int]]:
    """[(median seconds, statements)] of the page at either desk; some measurements here, some there, and so on."""
    times: dict[str, list[float]] = {one.database: [], other.database: []}
    statements = {}
    for _round in range(ROUNDS):
        for desk in (one, other):
            desk.sit_down()
            work = partial(desk.browser.get, desk.paths[name], desk.cookies)
            work()
            statements[desk.database] = desk.statements(name)
            times[desk.database] += [timed(work) for _ in range(max(1, repeats // ROUNDS))]
    return [(statistics.median(times[desk.database]), statements[desk.database]) for desk in (one, other)]


class _Desk:
    """A desk with so many requests, and somebody signed in at it."""

    def __init__(self, size: int, open_requests: int) -> None:
        print(f"{'':34}filling {size:,} requests", file=sys.stderr)
        self.database = f"desk_{size}"
        product.make_empty(self.database)
        me, case = _fill(size, open_requests)
        self.browser, self.cookies = pages.Browser(), _signed_in(me)
        _registered().list_per_page = LINES
        self.paths = {"first page": "/admin/", "case": f"{QUEUE}{case}/change/"} | _lists()

    def sit_down(self) -> None:
        """The application works in this desk's database from here on."""
        product.use(self.database)

    def statements(self, name: str) -> int:
        status, _size, statements = pages.look(self.browser, self.paths[name], self.cookies)
        if status != 200:
            sys.exit(f"not measured: {name} answered {status}")
        return statements


def _registered() -> Any:
    from accounts.staff_site import staff_site
    from requests_app.models import RightsRequest

    return staff_site._registry[RightsRequest]


def _lists() -> dict[str, str]:
    from django.utils import timezone

    from accounts.models import Customer

    month = f"{timezone.localdate().replace(day=1):%Y-%m}"
    person = Customer.objects.latest("pk").public_id
    return {name: f"{QUEUE}?{query.format(month=month, person=person)}" for name, query in LISTS.items()}


def _fill(size: int, open_requests: int) -> tuple[Staff, int]:
    from django.db import connection
    from django.utils import timezone

    from privacy.models import Store
    from requests_app.case.answer_times import keep_answer_times

    me, colleague = product.staff("approver"), product.staff("agent")
    for key in ("shop", "crm"):
        Store.objects.create(key=key, name=key, url="env:NO_DATABASE")
    (case,) = product.submit(["somebody@example.com"], "access")
    numbers = {"n": size, "open": open_requests, "closed": size - open_requests, "people": size // 2}
    with connection.cursor() as cursor:
        for statement in FILL.format(**numbers, me=me.pk, colleague=colleague.pk).split(";"):
            cursor.execute(statement)
    keep_answer_times(now=timezone.now())
    return me, case


def _signed_in(me: Staff) -> dict[str, str]:
    """As the sign-in page leaves it, both factors given."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django_otp import DEVICE_ID_SESSION_KEY
    from django_otp.plugins.otp_totp.models import TOTPDevice

    device = TOTPDevice.objects.create(user=me, name="bench", confirmed=True)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(me.pk), settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY], session[DEVICE_ID_SESSION_KEY] = me.get_session_auth_hash(), device.persistent_id
    session.save()
    return {settings.SESSION_COOKIE_NAME: session.session_key, "csrftoken": "a" * 32}
