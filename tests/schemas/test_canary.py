"""Drivers' messages carry values. Whatever a store refuses with, no value of it is seen or kept anywhere (DESIGN §8).

The canary stands in a row of the store, in its URL and its password; every error class of every driver is forced by a trigger
that runs into it or raises it, by a lock, a dead server or a wrong password. Then everything is searched: what commands, pages
and the log say, and every column of every table of the application, as it lies there.
"""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from privacy import actions
from privacy.actions import Identity, Person, RunItem
from privacy.finding import find
from privacy.models import AuditEvent, Store
from privacy.stores.base import Assignment, Groups, StoreError
from requests_app.cases import approve_erasure, propose_erasure
from requests_app.running import doorbell
from requests_app.running.workers import locate_due, run_due
from tests.factories import make_customer, make_request, make_staff
from tests.requests_app.test_api import URL, caller
from tests.schemas.conftest import KINDS, MakeZoo
from tests.schemas.zoo import ANNA, FROZEN, PERSON, PERSON_FIELDS, Zoo, counted
from tests.staff.conftest import enrol, sign_in
from tests.stores.contract import failure

pytestmark = pytest.mark.django_db

CANARY = "kanarie7"
NOTE = {"id": "key", "person_id": "from person.id"}
# SQLSTATEs: gone, shut down, disk full, out of memory, too many connections, deadlock, serialization, lock, timeout, read-only,
# no right, unique, foreign key, check, not null, data, syntax, unknown column, internal
STATES = "08006 57P01 53100 53200 53300 40P01 40001 55P03 57014 25006 42501 23505 23503 23514 23502 22P02 42601 42703 XX000 P0001"
NUMBERS = "1205 1213 1021 1114 1040 2013 1290 1142 1062 1451 4025 1048 1366 1264 1406 1054 1064 1969 3024 1030"
TRIPPED = {  # statements that run into the canary by themselves
    "unique": "INSERT INTO trap VALUES ('{0}', 1)",
    "check": "INSERT INTO trap VALUES ('{0}', -1)",
    "not null": "INSERT INTO trap VALUES ('{0}x', NULL)",
    "foreign key": "INSERT INTO below VALUES ('{0}')",
    "too long": "INSERT INTO short VALUES ('{0}')",
}
BY_KIND = {
    "postgresql": {
        "type": "PERFORM '{0}'::int",
        "syntax": "EXECUTE 'SELECT {0} FROM person'",
        "range": "PERFORM '{0}'::date",
        **{
            f"SQLSTATE {state}": f"RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = '{{0}}', DETAIL = '{{0}}',"
            " HINT = '{0}', COLUMN = '{0}', CONSTRAINT = '{0}', TABLE = '{0}', SCHEMA = '{0}', DATATYPE = '{0}'"
            for state in STATES.split()
        },
    },
    "mariadb": {
        "type": "INSERT INTO numbers VALUES ('{0}')",
        **{
            f"error {number}": f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = '{{0}}', TABLE_NAME = '{{0}}'"
            for number in NUMBERS.split()
        },
    },
    "sqlite": {
        "raised": "SELECT RAISE(ABORT, '{0}')",
        "rolled back": "SELECT RAISE(ROLLBACK, '{0}')",
        "failed": "SELECT RAISE(FAIL, '{0}')",
    },
}


def cases(kind: str) -> dict[str, str]:
    return {name: text for name, text in TRIPPED.items() if kind != "sqlite" or name != "too long"} | BY_KIND[kind]


@contextmanager
def everything_said(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Collects what is said; at the end nothing of it and nothing that is kept may hold the canary."""
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        yield said
    said += [record.getMessage() + str(record.exc_text or "") + str(record.__dict__) for record in caplog.records]
    rows = kept()
    assert rows
    said += rows
    for text in said:
        assert CANARY not in text, text[:300]


def kept() -> list[str]:
    """Every row of the application's tables, as it lies there."""
    rows = []
    with connection.cursor() as cursor:
        for model in apps.get_models():
            cursor.execute(f'SELECT t::text FROM "{model._meta.db_table}" t')
            rows += [row[0] for row in cursor.fetchall()]
    return rows


def act(action: str, said: list[str], *more: str) -> tuple[int, dict[str, Any]]:
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        call_command("subject", action, "--identity", f"email={ANNA}", "--json", *more, stdout=out, stderr=err)
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    said += [out.getvalue(), err.getvalue()]
    return status, json.loads(out.getvalue())


def prepared(here: Zoo, kind: str) -> None:
    key = "varchar(50) PRIMARY KEY"
    here.run(
        PERSON,
        f"INSERT INTO person VALUES (1, '{ANNA}', '{CANARY}', 0), (2, 'bo@example.com', 'Bo', 0)",
        "CREATE TABLE note (id int PRIMARY KEY, person_id int)",
        "INSERT INTO note VALUES (1, 1), (2, 2)",
        f"CREATE TABLE trap (name {key}, n int NOT NULL CHECK (n > 0))",
        f"INSERT INTO trap VALUES ('{CANARY}', 1)",
        "CREATE TABLE below (name varchar(50), FOREIGN KEY (name) REFERENCES trap (name))",
        "CREATE TABLE short (name varchar(3))",
        "CREATE TABLE numbers (n int)",
    )
    here.load({"person": PERSON_FIELDS, "note": NOTE}, FROZEN)


@contextmanager
def trap(here: Zoo, kind: str, statement: str, name: str = "") -> Iterator[None]:
    """A trigger of the person's rows that fails like this."""
    # For a foreign key it must be a value that is nowhere; the canary is in it.
    text = statement.format(f"{CANARY}-unheard" if name == "foreign key" else CANARY)
    if kind == "postgresql":
        here.run(
            f"CREATE FUNCTION trip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {text}; RETURN OLD; END $$",
            "CREATE TRIGGER trip BEFORE UPDATE OR DELETE ON person FOR EACH ROW EXECUTE FUNCTION trip()",
        )
        yield
        here.run("DROP FUNCTION trip CASCADE")
        return
    for event in ("UPDATE", "DELETE"):
        body = text if kind == "mariadb" else f"BEGIN {text}; END"
        here.run(f"CREATE TRIGGER trip_{event} BEFORE {event} ON person FOR EACH ROW {body}")
    yield
    here.run("DROP TRIGGER trip_UPDATE", "DROP TRIGGER trip_DELETE")


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_of_error_becomes_our_own_words(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    prepared(here, kind)
    before = here.content()
    store = here.site.open()
    for name, statement in cases(kind).items():
        with trap(here, kind, statement, name):
            error = failure(lambda: correct(store))
        assert CANARY not in told(error), name
    assert counted(here.content()) == counted(before)


def told(error: BaseException | None) -> str:
    """All that whoever prints an error sees of it: text, traceback, causes, and what hangs on them."""
    shown = "".join(traceback.format_exception(error))
    while error is not None:
        shown += repr(error) + repr(error.args) + str(error.__dict__)
        error = error.__cause__ or error.__context__
    return shown


def correct(store: Any) -> None:
    with store.write() as session:
        session.update(Groups("person", ("id",), ((1,),)), {"frozen": Assignment(1)})


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("postgresql", "unique"),
        ("postgresql", "type"),
        ("postgresql", "SQLSTATE 40001"),
        ("mariadb", "unique"),
        ("mariadb", "error 1213"),
        ("sqlite", "unique"),
        ("sqlite", "raised"),
    ],
)
def test_no_command_says_or_keeps_it(zoo: MakeZoo, kind: str, name: str, caplog: pytest.LogCaptureFixture) -> None:
    here = zoo(kind)
    prepared(here, kind)
    with trap(here, kind, cases(kind)[name], name):
        before = here.content()
        with everything_said(caplog) as said:
            for action, more in (("erase", ()), ("restrict", ()), ("rectify", ("--set", "zoo.person.name=Annika"))):
                status, answer = act(action, said, *more)
                assert status == 1, (action, answer)
                assert answer["left"], action
        assert counted(here.content()) == counted(before)
        for error in failures():
            assert CANARY not in told(error)


def failures() -> Iterator[BaseException]:
    """What the engine itself raises, for those who print tracebacks."""
    person = Person("1", (Identity("email", ANNA),))
    finding = find([person], right="erasure")["1"]["zoo"]
    item = RunItem("C-1", "1", person.identities, finding.plan or {}, {})
    items = [item, RunItem("C-2", "1", person.identities, finding.plan or {}, {})]
    for right in ("erasure", "restriction"):
        try:
            actions.execute(store_key="zoo", right=right, items=items)
        except (StoreError, actions.StoreUnavailable) as error:
            yield error


DEAD = {
    "postgresql": [f"postgresql://{CANARY}:{CANARY}@127.0.0.1:1/{CANARY}", "role"],
    "mariadb": [f"mysql://{CANARY}:{CANARY}@127.0.0.1:1/{CANARY}", "password"],
    "sqlite": ["folder", "broken"],
}


@pytest.mark.parametrize(("kind", "how"), [(kind, how) for kind, ways in DEAD.items() for how in ways])
def test_a_store_that_cannot_be_opened_says_nothing_of_its_url(
    zoo: MakeZoo, kind: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    here = zoo(kind)
    prepared(here, kind)
    url = here.site.url
    if how == "role":
        url = f"{url}&options=-c%20role%3D{CANARY}" if "?" in url else f"{url}?options=-c%20role%3D{CANARY}"
    elif how == "password":
        url = url.replace(":insyn@", f":{CANARY}@")
    elif how in ("folder", "broken"):
        path = here.folder / f"{CANARY}.sqlite3"
        path.mkdir() if how == "folder" else path.write_bytes(CANARY.encode() * 1000)
        url = f"sqlite:///{path}"
    else:
        url = how
    Store.objects.update(url=url)
    with everything_said(caplog) as said:
        for action in ("locate", "erase", "export"):
            more = ("--out", str(here.folder / "out.zip")) if action == "export" else ()
            status, answer = act(action, said, *more)
            assert status == 1
            assert "error" in answer["stores"]["zoo"], answer
    said += [str(store.health_error) for store in Store.objects.all()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_that_somebody_else_holds_says_nothing(
    zoo: MakeZoo, kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = zoo(kind)
    prepared(here, kind)
    for module in ("postgresql", "mysql", "sqlite"):
        monkeypatch.setattr(f"privacy.stores.{module}.LOCK_SECONDS", 1)
    with here.site.connection() as other, closing(other.cursor()) as cursor:
        if kind == "sqlite":
            other.isolation_level = None
            cursor.execute("BEGIN IMMEDIATE")
        cursor.execute(f"UPDATE person SET name = '{CANARY}2' WHERE id = 1")
        with everything_said(caplog) as said:
            status, answer = act("erase", said)
            assert status == 1
            assert "tried again" in str(answer["left"])
        other.rollback()


@pytest.mark.parametrize(("kind", "nap"), [("postgresql", "PERFORM pg_sleep(60)"), ("mariadb", "DO SLEEP(60)")])
def test_a_statement_that_takes_too_long_says_nothing(
    zoo: MakeZoo, kind: str, nap: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = zoo(kind)
    prepared(here, kind)
    module = {"postgresql": "postgresql", "mariadb": "mysql"}[kind]
    monkeypatch.setattr(f"privacy.stores.{module}.STATEMENT_SECONDS", 1)
    before = here.content()
    with trap(here, kind, nap), everything_said(caplog) as said:
        status, answer = act("erase", said)
        assert status == 1
        assert "tried again" in str(answer["left"])
    assert counted(here.content()) == counted(before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_package_of_a_store_that_refuses_says_nothing(zoo: MakeZoo, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """PostgreSQL proposes the column that was meant."""
    here = zoo(kind)
    prepared(here, kind)
    person = Person("1", (Identity("email", ANNA),))
    plan = find([person], right="access")["1"]["zoo"].plan
    assert plan
    here.run(f"ALTER TABLE person RENAME COLUMN name TO {CANARY}_name")
    with everything_said(caplog) as said:
        try:
            outcome = actions.write_package(io.BytesIO(), person=person, plans={"zoo": plan}, language="en")
        except (StoreError, actions.StoreUnavailable) as error:
            said.append(told(error))
        else:
            pytest.fail(f"{outcome}")


# -- the whole product ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", KINDS)
def test_no_worker_page_or_answer_says_it(
    zoo: MakeZoo, kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorbell, "ring_now", lambda name: None)
    here = zoo(kind)
    prepared(here, kind)
    before = here.content()
    approver, agent = make_staff("approver"), make_staff("agent")
    enrol(agent)
    case = make_request(right="erasure", customer=make_customer(ANNA))
    with everything_said(caplog) as said, trap(here, kind, cases(kind)["unique"]):
        while locate_due():
            pass
        case.refresh_from_db()
        propose_erasure(request=case, acting_user=agent, reason="", now=timezone.now())
        case.refresh_from_db()
        digest = case.plan_digest
        approve_erasure(request=case, acting_user=approver, plan_digest=digest, otp_device_verified=True, now=timezone.now())
        while run_due():
            pass
        for run in case.runs.all():
            said += [run.state, run.error, repr(run.report)]
            assert "refused" in run.error, "it came as far as the store"
        desk, own = sign_in(agent), caller(case.customer)
        for client, page in (
            (desk, reverse("admin:requests_app_rightsrequest_change", args=[case.pk])),
            (own, URL),
            (own, f"{URL}{case.reference}/"),
        ):
            answer = client.get(page)
            assert answer.status_code == 200
            said.append(answer.content.decode())
        said += [str(event.payload) for event in AuditEvent.objects.all()]
    assert counted(here.content()) == counted(before)
