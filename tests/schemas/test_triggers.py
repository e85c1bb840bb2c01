"""What a database does by itself when rows change: history tables, cascades, rules, and triggers that get in the way (R19)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import make_url

from privacy.models import Store
from privacy.stores.sql import SqlStore
from tests.schemas.conftest import EveryKind, MakeZoo
from tests.schemas.zoo import ANNA, FROZEN, PEOPLE, PERSON, PERSON_FIELDS, Zoo, counted, without

pytestmark = pytest.mark.django_db

COPIED = "(id, email, name, frozen)"
HISTORY_FIELDS = {"id": "from person.id", "email": "personal", "name": "personal", "frozen": "plain"}


def keep_history(here: Zoo, kind: str, *, table: str = "a_history") -> None:
    """Copies every old row on UPDATE and DELETE. The table's name comes before `person`, so that order by name would not do."""
    here.run(f"CREATE TABLE {table} (id int, email varchar(200), name varchar(100), frozen int)")
    copy = f"INSERT INTO {table} {COPIED} VALUES (OLD.id, OLD.email, OLD.name, OLD.frozen)"
    if kind == "postgresql":
        here.run(
            f"CREATE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {copy}; RETURN OLD; END $$",
            "CREATE TRIGGER remember AFTER UPDATE OR DELETE ON person FOR EACH ROW EXECUTE FUNCTION remember()",
        )
        return
    for event in ("UPDATE", "DELETE"):
        body = copy if kind == "mariadb" else f"BEGIN {copy}; END"
        here.run(f"CREATE TRIGGER remember_{event} AFTER {event} ON person FOR EACH ROW {body}")


@EveryKind
def test_a_mapped_history_is_empty_when_its_owner_is_gone(zoo: MakeZoo, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = zoo(kind)
    here.run(PERSON, PEOPLE)
    keep_history(here, kind)
    here.run("UPDATE person SET name = 'Old ' || name" if kind != "mariadb" else "UPDATE person SET name = CONCAT('Old ', name)")
    here.load({"a_history": HISTORY_FIELDS, "person": PERSON_FIELDS}, FROZEN)
    before = here.content()
    commits = count_writes(monkeypatch)
    done = here.erased()
    assert commits == ["zoo"], "in one transaction"
    assert done["person"]["deleted"] == 1
    assert done["a_history"]["deleted"] == 2
    mine = {"person": [1], "a_history": [1]}
    assert counted(here.content()) == counted(without(before, mine))
    assert here.act("erase")[1]["found"] is False


@EveryKind
def test_a_mapped_history_remembers_nothing_of_a_row_that_was_anonymized(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE unmapped (id int, person_id int REFERENCES person (id))",
        "INSERT INTO unmapped VALUES (1, 1)",
    )
    keep_history(here, kind)
    here.load({"a_history": HISTORY_FIELDS, "person": PERSON_FIELDS}, FROZEN)
    before = here.content()
    status, answer = here.act("erase")
    assert status == 0, answer
    after = here.content()
    assert after["a_history"] == []
    assert after["person"][0] == {"id": 1, "email": None, "name": None, "frozen": 0}
    assert counted(without(after, {"person": [1]})) == counted(without(before, {"person": [1]}))


@EveryKind
def test_an_unmapped_history_is_named_when_the_map_is_loaded_and_found_as_residue(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(PERSON, PEOPLE)
    keep_history(here, kind)
    warnings = here.warnings({"person": PERSON_FIELDS}, FROZEN)
    assert [w for w in warnings if "a_history" in w and "person" in w and "trigger" in w], warnings
    status, answer = here.act("erase")
    assert status == 1
    assert answer["stores"]["zoo"]["residue"] == [{"column": "a_history.email", "rows": 1, "mapped": False}]
    assert "a_history" in str(answer["left"])


def count_writes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stores written to, one entry per transaction."""
    seen: list[str] = []
    real = SqlStore.write

    def write(self: SqlStore, *more: Any) -> Any:
        seen.append(self.key)
        return real(self, *more)

    monkeypatch.setattr(SqlStore, "write", write)
    return seen


def test_a_changed_function_of_a_trigger_is_a_changed_schema(zoo: MakeZoo) -> None:
    here = zoo("postgresql")
    here.run(PERSON)
    keep_history(here, "postgresql")
    before = here.site.open().schema().digest(["person"])
    here.run("CREATE OR REPLACE FUNCTION remember() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$")
    assert here.site.open().schema().digest(["person"]) != before


# -- triggers in the way ------------------------------------------------------------------------------------------------

RAISES = {
    "postgresql": [
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no, % stays', OLD.email; END $$",
        "CREATE TRIGGER no BEFORE DELETE ON person FOR EACH ROW EXECUTE FUNCTION no()",
    ],
    "mariadb": [
        (
            "CREATE TRIGGER no BEFORE DELETE ON person FOR EACH ROW"
            " BEGIN DECLARE m varchar(100) DEFAULT CONCAT('no ', OLD.email);"
            " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = m; END"
        )
    ],
    "sqlite": ["CREATE TRIGGER no BEFORE DELETE ON person BEGIN SELECT RAISE(ABORT, 'no, anna@example.com stays'); END"],
}


@EveryKind
def test_a_trigger_that_raises_leaves_everything_as_it_was(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE note (id int PRIMARY KEY, person_id int)",
        "INSERT INTO note VALUES (1, 1), (2, 2)",
        *RAISES[kind],
    )
    here.load({"person": PERSON_FIELDS, "note": {"id": "key", "person_id": "from person.id"}}, FROZEN)
    before = here.content()
    status, answer = here.act("erase")
    assert (status, counted(here.content())) == (1, counted(before))
    assert "refused" in str(answer["left"])
    assert ANNA not in str(answer)


IGNORES = {
    "postgresql": [
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "CREATE TRIGGER no BEFORE DELETE ON person FOR EACH ROW EXECUTE FUNCTION no()",
    ],
    "sqlite": ["CREATE TRIGGER no BEFORE DELETE ON person BEGIN SELECT RAISE(IGNORE); END"],
}


@pytest.mark.parametrize("kind", IGNORES)
def test_a_trigger_that_drops_the_deletion_without_a_word(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE note (id int PRIMARY KEY, person_id int)",
        "INSERT INTO note VALUES (1, 1), (2, 2)",
        *IGNORES[kind],
    )
    here.load({"person": PERSON_FIELDS, "note": {"id": "key", "person_id": "from person.id"}}, FROZEN)
    before = here.content()
    status, answer = here.act("erase")
    assert (status, counted(here.content())) == (1, counted(before))
    assert "person" in str(answer["left"])
    assert "trigger" in str(answer["left"])


def test_a_rule_that_drops_the_deletion_without_a_word(zoo: MakeZoo) -> None:
    here = zoo("postgresql")
    here.run(PERSON, PEOPLE, "CREATE TABLE note (id int PRIMARY KEY, person_id int)", "INSERT INTO note VALUES (1, 1), (2, 2)")
    here.run("CREATE RULE mark AS ON DELETE TO person DO INSTEAD UPDATE person SET frozen = 9 WHERE id = OLD.id")
    here.load({"person": PERSON_FIELDS, "note": {"id": "key", "person_id": "from person.id"}}, FROZEN)
    before = here.content()
    status, answer = here.act("erase")
    assert (status, counted(here.content())) == (1, counted(before))
    assert "trigger" in str(answer["left"])


PUTS_BACK = {
    "postgresql": [
        "CREATE FUNCTION back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = OLD.name; RETURN NEW; END $$",
        "CREATE TRIGGER back BEFORE UPDATE ON person FOR EACH ROW EXECUTE FUNCTION back()",
    ],
    "mariadb": ["CREATE TRIGGER back BEFORE UPDATE ON person FOR EACH ROW SET NEW.name = OLD.name"],
    "sqlite": [
        (
            "CREATE TRIGGER back AFTER UPDATE ON person WHEN NEW.name IS NULL BEGIN"
            " UPDATE person SET name = OLD.name WHERE id = OLD.id; END"
        )
    ],
}
DERIVES = {
    "postgresql": [
        (
            "CREATE FUNCTION derive() RETURNS trigger LANGUAGE plpgsql AS $$"
            " BEGIN NEW.frozen = coalesce(length(NEW.name), 0); RETURN NEW; END $$"
        ),
        "CREATE TRIGGER derive BEFORE UPDATE ON person FOR EACH ROW EXECUTE FUNCTION derive()",
    ],
    "mariadb": ["CREATE TRIGGER derive BEFORE UPDATE ON person FOR EACH ROW SET NEW.frozen = coalesce(length(NEW.name), 0)"],
    "sqlite": [
        (
            "CREATE TRIGGER derive AFTER UPDATE OF name ON person BEGIN"
            " UPDATE person SET frozen = coalesce(length(NEW.name), 0) WHERE id = NEW.id; END"
        )
    ],
}


def pinned_person(here: Zoo) -> None:
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE unmapped (id int, person_id int REFERENCES person (id))",
        "INSERT INTO unmapped VALUES (1, 1)",
    )


@EveryKind
def test_a_trigger_that_puts_back_what_was_anonymized_is_no_silent_success(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    pinned_person(here)
    here.run(*PUTS_BACK[kind])
    here.load({"person": PERSON_FIELDS}, FROZEN)
    before = here.content()
    status, answer = here.act("erase")
    assert (status, counted(here.content())) == (1, counted(before))
    assert "trigger" in str(answer["left"])
    assert "Anna" not in str(answer)


@EveryKind
def test_a_trigger_that_derives_a_value_may_do_so(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    pinned_person(here)
    here.run(*DERIVES[kind])
    here.load({"person": PERSON_FIELDS}, FROZEN)
    assert here.erased()["person"]["anonymized"] == 1
    assert here.content()["person"][0] == {"id": 1, "email": None, "name": None, "frozen": 0}


# -- cascades -----------------------------------------------------------------------------------------------------------


@EveryKind
def test_a_cascade_into_rows_of_no_map_stops_the_run_and_one_into_none_does_not(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE orders (id int PRIMARY KEY, person_id int,"
        " FOREIGN KEY (person_id) REFERENCES person (id) ON DELETE CASCADE)",
        "CREATE TABLE unmapped (id int PRIMARY KEY, order_id int,"
        " FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE)",
        "INSERT INTO orders VALUES (1, 1), (2, 2)",
        "INSERT INTO unmapped VALUES (1, 1)",
    )
    here.load({"person": PERSON_FIELDS, "orders": {"id": "key", "person_id": "from person.id"}}, FROZEN)
    before = here.content()
    status, answer = here.act("erase")
    assert (status, counted(here.content())) == (1, counted(before))
    assert "cascade" in str(answer["left"])
    assert "unmapped" in str(answer["left"])
    status, answer = here.act("erase", who="email=bo@example.com")
    assert status == 0, answer
    assert counted(here.content()) == counted(without(before, {"person": [2], "orders": [2]}))


@EveryKind
def test_a_cascade_from_a_table_of_no_map_through_several(zoo: MakeZoo, kind: str) -> None:
    """What a second cascade would reach lies under rows that stop the run already."""
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        "CREATE TABLE a (id int PRIMARY KEY, person_id int, FOREIGN KEY (person_id) REFERENCES person (id) ON DELETE CASCADE)",
        "CREATE TABLE b (id int PRIMARY KEY, a_id int, FOREIGN KEY (a_id) REFERENCES a (id) ON DELETE CASCADE)",
        "INSERT INTO a VALUES (1, 1)",
        "INSERT INTO b VALUES (1, 1)",
    )
    here.load({"person": PERSON_FIELDS}, FROZEN)
    before = here.content()
    status, _ = here.act("erase")
    assert (status, counted(here.content())) == (1, counted(before))


@pytest.mark.parametrize("rule", ["SET NULL", "SET DEFAULT"])
@EveryKind
def test_rows_of_no_map_are_not_changed_by_what_their_key_does(zoo: MakeZoo, kind: str, rule: str) -> None:
    if kind == "mariadb" and rule == "SET DEFAULT":
        pytest.skip("InnoDB has no such rule")
    here = zoo(kind)
    here.run(
        PERSON,
        PEOPLE,
        f"CREATE TABLE a (id int PRIMARY KEY, person_id int, FOREIGN KEY (person_id) REFERENCES person (id) ON DELETE {rule})",
        "INSERT INTO a VALUES (1, 1), (2, 2)",
    )
    here.load({"person": PERSON_FIELDS}, FROZEN)
    before = here.content()
    done = here.erased()
    assert (done["person"]["deleted"], done["person"]["pinned"]) == (0, 1)
    assert counted(without(here.content(), {"person": [1]})) == counted(without(before, {"person": [1]}))


@EveryKind
def test_a_corrected_key_moves_along_by_the_stores_own_cascade(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        "CREATE TABLE person (email varchar(200) PRIMARY KEY, name varchar(20))",
        "CREATE TABLE orders (id int PRIMARY KEY, email varchar(200),"
        " FOREIGN KEY (email) REFERENCES person (email) ON UPDATE CASCADE)",
        f"INSERT INTO person VALUES ('{ANNA}', 'Anna'), ('bo@example.com', 'Bo')",
        f"INSERT INTO orders VALUES (1, '{ANNA}'), (2, 'bo@example.com'), (3, '{ANNA}')",
    )
    here.load({"person": {"email": "key, email", "name": "personal"}, "orders": {"id": "key", "email": "from person.email"}})
    before = here.content()
    status, answer = here.act("rectify", "--set", "zoo.person.email=new@example.com")
    assert status == 0, answer
    after = here.content()
    assert {row["email"] for row in after["person"]} == {"new@example.com", "bo@example.com"}
    assert {row["id"]: row["email"] for row in after["orders"]} == {
        1: "new@example.com",
        2: "bo@example.com",
        3: "new@example.com",
    }
    assert [row for row in after["person"] if row["name"] == "Bo"] == [row for row in before["person"] if row["name"] == "Bo"]


@EveryKind
def test_a_corrected_key_without_a_cascade_is_refused_whole(zoo: MakeZoo, kind: str) -> None:
    here = zoo(kind)
    here.run(
        "CREATE TABLE person (email varchar(200) PRIMARY KEY, name varchar(20))",
        "CREATE TABLE orders (id int PRIMARY KEY, email varchar(200), FOREIGN KEY (email) REFERENCES person (email))",
        f"INSERT INTO person VALUES ('{ANNA}', 'Anna'), ('bo@example.com', 'Bo')",
        f"INSERT INTO orders VALUES (1, '{ANNA}'), (2, 'bo@example.com')",
    )
    here.load({"person": {"email": "key, email", "name": "personal"}, "orders": {"id": "key", "email": "from person.email"}})
    before = here.content()
    status, answer = here.act("rectify", "--set", "zoo.person.email=new@example.com")
    assert (status, counted(here.content())) == (1, counted(before))
    assert ANNA not in str(answer["left"])
    assert "new@example.com" not in str(answer["left"])


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_deferred_constraints_in_a_ring_without_a_way_out(zoo: MakeZoo, kind: str) -> None:
    """Neither row may let go of the other; both go at once, and the store checks at the end."""
    here = zoo(kind)
    deferred = "DEFERRABLE INITIALLY DEFERRED"
    if kind == "postgresql":
        here.run(
            "CREATE TABLE person (id int PRIMARY KEY, email text, card int NOT NULL)",
            f"CREATE TABLE card (id int PRIMARY KEY, person_id int NOT NULL REFERENCES person (id) {deferred})",
            f"ALTER TABLE person ADD FOREIGN KEY (card) REFERENCES card (id) {deferred}",
        )
    else:
        here.run(
            f"CREATE TABLE person (id int PRIMARY KEY, email text, card int NOT NULL REFERENCES card (id) {deferred})",
            f"CREATE TABLE card (id int PRIMARY KEY, person_id int NOT NULL REFERENCES person (id) {deferred})",
            "BEGIN",
        )
    here.run(
        *(["BEGIN"] if kind == "sqlite" else []),
        f"INSERT INTO person VALUES (1, '{ANNA}', 1), (2, 'bo@example.com', 2)",
        "INSERT INTO card VALUES (1, 1), (2, 2)",
    )
    here.load(
        {"person": {"id": "key", "email": "email", "card": "to card.id"}, "card": {"id": "key", "person_id": "from person.id"}}
    )
    before = here.content()
    here.erased()
    assert counted(here.content()) == counted(without(before, {"person": [1], "card": [1]}))


# -- rights -------------------------------------------------------------------------------------------------------------


def test_rows_hidden_by_row_level_security_are_no_silent_nothing(zoo: MakeZoo) -> None:
    here = zoo("postgresql")
    here.run(PERSON, PEOPLE)
    schema = here.site.schema
    role = f"r_{schema}"
    here.run(
        f"CREATE ROLE {role}",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}",
        "ALTER TABLE person ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY few ON person USING (id > 1)",
    )
    try:
        url = make_url(here.site.url).update_query_dict({"options": f"-c role={role}"})
        here.load({"person": PERSON_FIELDS}, FROZEN)
        Store.objects.update(url=url.render_as_string(hide_password=False))
        for action in ("locate", "erase"):
            status, answer = here.act(action)
            assert status == 1
            assert "lacks a right" in answer["stores"]["zoo"]["error"], answer
        assert len(here.content()["person"]) == 3
    finally:
        here.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize("right", ["SELECT", "SELECT, UPDATE"])
def test_missing_rights_leave_everything_as_it_was(zoo: MakeZoo, right: str) -> None:
    here = zoo("postgresql")
    here.run(PERSON, PEOPLE, "CREATE TABLE note (id int PRIMARY KEY, person_id int)", "INSERT INTO note VALUES (1, 1), (2, 2)")
    schema, role = here.site.schema, f"r_{here.site.schema}"
    here.run(
        f"CREATE ROLE {role}",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT {right} ON person TO {role}",
        f"GRANT ALL ON note TO {role}",
    )
    try:
        url = make_url(here.site.url).update_query_dict({"options": f"-c role={role}"})
        here.load({"person": PERSON_FIELDS, "note": {"id": "key", "person_id": "from person.id"}}, FROZEN)
        Store.objects.update(url=url.render_as_string(hide_password=False))
        before = here.content()
        status, answer = here.act("erase")
        assert (status, counted(here.content())) == (1, counted(before))
        assert "lacks a right" in str(answer["left"])
    finally:
        here.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")
