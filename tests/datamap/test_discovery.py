"""From a live schema to a dataset file that loads: keys, links, identities, categories, and no value of the store anywhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection

from config import embedded
from privacy import actions, maps
from privacy.datamap.discovery import SAMPLE_ROWS, sample, to_json, to_yaml
from privacy.datamap.loader import parse
from tests import chinook
from tests.datamap.conftest import columns, datamap, datamap_json, links, opened, proposed

PEOPLE = "CREATE TABLE customer (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE);"


# -- Chinook: the same answer whatever the database ---------------------------------------------------------------------

ADDRESS = ("address", "city", "state", "country", "postalcode")
TRUTH = {
    *(
        f"{table}.{name}"
        for table in ("customer", "employee")
        for name in ("firstname", "lastname", "phone", "fax", "email", *ADDRESS)
    ),
    *(f"invoice.billing{name}" for name in ADDRESS),
    "customer.company",
    "employee.title",
    "employee.birthdate",
}
IDENTITIES = {"customer.email", "customer.phone", "employee.email", "employee.phone"}
LINKS = {
    "album.artistid": "artist.artistid to",
    "customer.supportrepid": "employee.employeeid to",
    "employee.reportsto": "employee.employeeid to",
    "invoice.customerid": "customer.customerid from",
    "invoiceline.invoiceid": "invoice.invoiceid from",
    "invoiceline.trackid": "track.trackid to",
    "playlisttrack.playlistid": "playlist.playlistid to",
    "playlisttrack.trackid": "track.trackid to",
    "track.albumid": "album.albumid to",
    "track.genreid": "genre.genreid to",
    "track.mediatypeid": "mediatype.mediatypeid to",
}


def plain(name: str) -> str:
    return name.replace("_", "").lower()


@pytest.fixture(params=["postgresql", pytest.param("mariadb", marks=pytest.mark.mariadb), "sqlite"])
def chinook_url(request: pytest.FixtureRequest, chinook_dir: Path) -> str:
    url: str
    if request.param == "postgresql":
        url = request.getfixturevalue("make_postgres_database")()
    elif request.param == "mariadb":
        url = request.getfixturevalue("mariadb_url")
    else:
        url = f"sqlite:///{request.getfixturevalue('sqlite_path')}"
    chinook.fill(url, chinook_dir)
    return url


def test_chinook_is_described_as_somebody_who_knows_it_would(chinook_url: str) -> None:
    found = proposed(chinook_url)
    assert {plain(name) for name in columns(found)} == TRUTH
    identities = {f"{t.name}.{c.name}" for t in found.tables for c in t.columns if c.guess and c.guess.identity}
    assert {plain(name) for name in identities} == IDENTITIES
    assert {plain(child): plain(parent) for child, parent in links(found).items()} == LINKS
    assert found.problems == ()


def test_chinook_is_described_the_same_without_its_foreign_keys(chinook_dir: Path, sqlite_path: Path) -> None:
    """Names and values tell what nobody declared."""
    import re
    import sqlite3

    script = (chinook_dir / "chinook_sqlite.sql").read_text(encoding="utf-8-sig")
    connection = sqlite3.connect(sqlite_path)
    connection.executescript(re.sub(r",\s*FOREIGN KEY .*?NO ACTION ON UPDATE NO ACTION", "", script, flags=re.DOTALL))
    assert not connection.execute("PRAGMA foreign_key_list(Invoice)").fetchall()
    connection.close()
    found = proposed(f"sqlite:///{sqlite_path}")
    hidden = {"customer.supportrepid", "employee.reportsto"}  # called after nothing
    assert {plain(c): plain(p) for c, p in links(found).items()} == {c: p for c, p in LINKS.items() if c not in hidden}


@pytest.mark.django_db
def test_chinook_is_discovered_loaded_and_searched(chinook_url: str, tmp_path: Path) -> None:
    """The invoices of one customer come along, the other customers and the support employee do not."""
    file = tmp_path / "shop.yml"
    assert datamap("discover", chinook_url, "--key", "shop", "--out", str(file))[0] == 0
    status, out, err = datamap("load", str(file), "--url", f"shop={chinook_url}", "--strict")
    assert (status, out, err) == (0, "shop: version 1\n", "")
    person = actions.Person("p", (actions.Identity("email", "luisg@embraer.com.br"),))
    finding = actions.find([person], right="access")["p"]["shop"]
    assert finding.status == "found"
    rows = {plain(name): counts["rows"] for name, counts in finding.counts.items() if counts["rows"]}
    assert {name: rows.get(name) for name in ("customer", "invoice", "invoiceline")} == {
        "customer": 1,
        "invoice": 7,
        "invoiceline": 38,
    }
    assert rows.get("employee") is None
    status, answer = datamap_json("check")
    assert (status, answer["annotations"], answer["problems"]) == (0, [], [])
    assert set(map(plain, answer["undecided"]["shop"])) == {"customer", "employee", "invoice"}, (
        "nothing is decided in anybody's place"
    )


# -- a framework's schema: our own ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_django_schema_is_discovered_loaded_and_searched(make_postgres_database: Callable[[], str], tmp_path: Path) -> None:
    url = copy_of_our_own_database(make_postgres_database())
    with psycopg.connect(url) as other:
        other.execute(
            "INSERT INTO accounts_staff (email, first_name, last_name, password, is_superuser, is_staff, is_active, date_joined)"
            " VALUES ('sven.svensson@example.se', 'Sven', 'Svensson', '!', false, true, true, now())"
        )
    found = proposed(url)
    parts = {table.name: table.part for table in found.tables}
    assert parts["accounts_staff"] == "person"
    assert parts["otp_totp_totpdevice"] == "owned"
    for name in ("django_migrations", "django_content_type", "django_session", "auth_permission"):
        assert parts[name] == "system"
    stated = columns(found)
    for name in ("email", "first_name", "last_name", "password", "last_login"):
        assert f"accounts_staff.{name}" in stated
    assert links(found)["requests_app_rightsrequest.customer_id"] == "accounts_customer.id from"
    assert links(found)["requests_app_rightsrequest.assignee_id"] == "accounts_staff.id to"
    file = tmp_path / "own.yml"
    file.write_text(to_yaml(found))
    assert datamap("load", str(file), "--url", f"shop={url}", "--strict")[0] == 0
    person = actions.Person("p", (actions.Identity("email", "Sven.Svensson@example.se"),))
    finding = actions.find([person], right="access")["p"]["shop"]
    assert finding.counts["accounts_staff"]["rows"] == 1


def copy_of_our_own_database(url: str) -> str:
    """The URL of an empty database, with our own tables in it."""
    name, own = psycopg.conninfo.conninfo_to_dict(url)["dbname"], connection.settings_dict["NAME"]
    connection.close()
    with psycopg.connect(embedded.postgres_url("postgres"), autocommit=True) as server:
        server.execute(f'DROP DATABASE "{name}"'.encode())
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{own}"'.encode())
    with psycopg.connect(url) as copy:  # with its audit log it would be taken for the application's own, and refused
        copy.execute("DROP TABLE privacy_auditevent")
    return url


# -- what names and values tell -----------------------------------------------------------------------------------------


def test_swedish_names_are_understood(make_store: Callable[..., str]) -> None:
    url = make_store(
        """
        CREATE TABLE kunder (kundnr TEXT PRIMARY KEY, förnamn TEXT, efternamn TEXT, personnummer TEXT,
          epost TEXT, mobilnummer TEXT,
          gatuadress TEXT,
          postnr TEXT, ort TEXT, födelsedatum DATE, anteckningar TEXT, samtycke BOOLEAN);
        CREATE TABLE fakturor (id INTEGER PRIMARY KEY, kundnr TEXT, fakturadatum DATE, belopp NUMERIC, er_referens TEXT);
        """,
        {
            "kunder": [
                (f"K{n}", "Åsa", "Öberg", None, f"asa{n}@example.se", None, None, None, None, None, None, 1) for n in range(9)
            ],
            "fakturor": [(n, f"K{n % 9}", "2024-01-01", 100, "Åsa Öberg") for n in range(20)],
        },
    )
    found = proposed(url)
    assert columns(found) == {
        "kunder.kundnr": ("user.unique_id",),
        "kunder.förnamn": ("user.name.first",),
        "kunder.efternamn": ("user.name.last",),
        "kunder.personnummer": ("user.government_id.national_identification_number",),
        "kunder.epost": ("user.contact.email",),
        "kunder.mobilnummer": ("user.contact.phone_number",),
        "kunder.gatuadress": ("user.contact.address.street",),
        "kunder.postnr": ("user.contact.address.postal_code",),
        "kunder.ort": ("user.contact.address.city",),
        "kunder.födelsedatum": ("user.demographic.date_of_birth",),
        "kunder.anteckningar": ("user.content.private",),
        "kunder.samtycke": ("user.privacy_preferences",),
        "fakturor.er_referens": ("user.name",),
    }
    assert links(found) == {"fakturor.kundnr": "kunder.kundnr from"}
    text = to_yaml(found)
    assert "bokföringslagen 7 kap. 2 §" in text
    assert "for: P7Y, align: fiscal_year" in text


@pytest.mark.parametrize(
    ("values", "category"),
    [
        (["anna@example.se", "bo.ek@example.com", "cia@example.net"], "user.contact.email"),
        (["811218-9876", "19640823-3234", "640823-3234"], "user.government_id.national_identification_number"),
        (["+46 70 123 45 67", "08-123 456 78", "+1 650-253-0000"], "user.contact.phone_number"),
        (["192.0.2.7", "2001:db8::1", "198.51.100.0/24"], "user.device.ip_address"),
        (["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"], "user.financial.bank_account"),
        (["4111 1111 1111 1111", "5500000000000004"], "user.financial.credit_card"),
        (["Mozilla/5.0 (X11)", "Mozilla/5.0 (Macintosh)", "curl/8.5.0"], "user.device"),
        (["Storgatan 12", "Östra Vägen 3 B", "Kungstorget 1"], "user.contact.address.street"),
        (["111 22", "413 27", "903 31"], "user.contact.address.postal_code"),
        (["Anna Ek", "Bo Lind", "Eva-Lena Ström"], "user.name"),
        (["ring anna@example.se om det", "flyttat från bo@example.se", "inget"], "user.content.private"),
        (
            ["Kunden ringde och ville veta varför priset har höjts", "Han var inte nöjd med svaret han fick förra veckan"],
            "user.content.private",
        ),
    ],
)
def test_values_tell_what_a_name_hides(make_store: Callable[..., str], values: list[str], category: str) -> None:
    url = make_store(
        PEOPLE + "CREATE TABLE extra (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer, f1 TEXT);",
        {"customer": [(1, "x@example.se")], "extra": [(n, 1, value) for n, value in enumerate(values)]},
    )
    assert columns(proposed(url)).get("extra.f1") == (category,)


def test_what_only_sounds_personal_is_left_alone(make_store: Callable[..., str]) -> None:
    url = make_store(
        PEOPLE
        + """
        CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, description TEXT, country TEXT, title TEXT);
        CREATE TABLE email_template (id INTEGER PRIMARY KEY, name TEXT, email_subject TEXT);
        CREATE TABLE ordering (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer, state TEXT, email_count INTEGER,
          phone_verified BOOLEAN, address_type TEXT, ip_version INTEGER, created_at TIMESTAMP);
        CREATE TABLE codes (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer, number TEXT, phone TEXT);
        """,
        {
            "codes": [(n, 1, f"{10000000 + n}", word) for n, word in enumerate(["handset", "tablet", "desk phone", "other"])],
        },
    )
    assert set(columns(proposed(url))) == {"customer.email"}


def test_whoever_leaves_an_address_leaves_a_name(make_store: Callable[..., str]) -> None:
    """A shop's review, its shipping address, its card: tables of the applications people really run."""
    url = make_store(
        """
        CREATE TABLE auth_user (id INTEGER PRIMARY KEY, email TEXT, username TEXT);
        CREATE TABLE review (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES auth_user, name TEXT, email TEXT, score INTEGER);
        CREATE TABLE address (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES auth_user, line1 TEXT, line2 TEXT,
          postcode TEXT);
        CREATE TABLE bankcard (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES auth_user, name TEXT, number TEXT);
        CREATE TABLE supplier (id INTEGER PRIMARY KEY, name TEXT, email TEXT);
        """
    )
    found = {name for name in columns(proposed(url)) if not name.startswith("auth_user")}
    assert found == {
        *("review.name", "review.email", "address.line1", "address.line2", "address.postcode"),
        *("bankcard.name", "bankcard.number", "supplier.email"),
    }


def test_a_column_full_of_addresses_is_an_identity_whatever_it_is_called(make_store: Callable[..., str]) -> None:
    url = make_store(
        "CREATE TABLE login (id INTEGER PRIMARY KEY, username TEXT);", {"login": [(n, f"u{n}@example.se") for n in range(5)]}
    )
    (table,) = proposed(url).tables
    guess = table.columns[1].guess
    assert guess is not None
    assert guess.identity == "email"
    assert set(guess.categories) == {"user.account.username", "user.contact.email"}


# -- links --------------------------------------------------------------------------------------------------------------


def test_a_name_is_no_link_where_the_values_disagree(make_store: Callable[..., str]) -> None:
    url = make_store(
        PEOPLE
        + "CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer_id INTEGER);"
        + "CREATE TABLE visit (id INTEGER PRIMARY KEY, customer_id INTEGER);",
        {
            "customer": [(n, f"c{n}@example.se") for n in range(1, 50)],
            "purchase": [(n, n) for n in range(1, 50)],
            "visit": [(n, n + 1000) for n in range(1, 50)],
        },
    )
    assert links(proposed(url)) == {"purchase.customer_id": "customer.id from"}


def test_who_owns_and_who_is_only_mentioned(make_store: Callable[..., str]) -> None:
    url = make_store(
        PEOPLE
        + """
        CREATE TABLE employee (id INTEGER PRIMARY KEY, email TEXT, manager_id INTEGER REFERENCES employee);
        CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT, added_by INTEGER REFERENCES employee);
        CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer,
          handled_by INTEGER REFERENCES employee);
        CREATE TABLE purchase_line (purchase_id INTEGER REFERENCES purchase, product_id INTEGER REFERENCES product, n INTEGER,
          PRIMARY KEY (purchase_id, product_id));
        CREATE TABLE payslip (id INTEGER PRIMARY KEY, employee_id INTEGER REFERENCES employee, amount NUMERIC);
        CREATE TABLE chat (id INTEGER PRIMARY KEY, sender_id INTEGER REFERENCES customer,
          recipient_id INTEGER REFERENCES customer);
        """
    )
    found = links(proposed(url))
    assert {child: parent.rpartition(" ")[2] for child, parent in found.items()} == {
        "employee.manager_id": "to",
        "product.added_by": "from",
        "purchase.customer_id": "from",
        "purchase.handled_by": "to",
        "purchase_line.purchase_id": "from",
        "purchase_line.product_id": "to",
        "payslip.employee_id": "from",
        "chat.sender_id": "from",
        "chat.recipient_id": "from",
    }


def test_personal_data_that_nothing_reaches_is_shown_and_not_claimed(make_store: Callable[..., str]) -> None:
    """With its categories it would not load (R2); without a word it would be forgotten."""
    url = make_store(PEOPLE + "CREATE TABLE visitor (id INTEGER PRIMARY KEY, ip TEXT);")
    found = proposed(url)
    table = next(table for table in found.tables if table.name == "visitor")
    assert table.unreached
    assert "visitor.ip" not in columns(found)
    text = to_yaml(found)
    assert "{name: ip}  # perhaps user.device.ip_address" in text
    assert "nobody's rows lead here" in text


# -- the file -----------------------------------------------------------------------------------------------------------


def test_the_file_loads_whatever_tables_are_called(make_store: Callable[..., str]) -> None:
    names = [
        "order",
        "na",
        "yes",
        "1st",
        "a: b",
        'quo"te',
        "new\nline",
        "dash-ed",
        "dot.ted",
        "hash #",
        "{curly}",
        "åäö",
        "null",
        "a,b",
    ]
    quoted = [name.replace('"', '""') for name in names]
    url = make_store(
        PEOPLE
        + "".join(
            f'CREATE TABLE "{n}" (id INTEGER PRIMARY KEY, "{n}" TEXT, customer_id INTEGER REFERENCES customer);' for n in quoted
        )
        + 'CREATE TABLE leaf (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES "dot.ted");'
    )
    found = proposed(url)
    (dataset,) = parse(to_yaml(found), file="shop.yml")
    assert set(dataset.collections) == {"customer", "leaf", *names}
    assert dataset.warnings == ()
    assert all(set(dataset.collections[name].fields) == {"id", name, "customer_id"} for name in names)
    assert "Perhaps a link: leaf.parent -> dot.ted.id" in to_yaml(found), "a reference cannot name a collection with a dot"
    assert dict(dataset.collections) == dict(found.dataset().collections)


def test_no_value_is_written_shown_or_logged(make_store: Callable[..., str], tmp_path: Path, caplog: Any, capsys: Any) -> None:
    secret = "xyzzy"
    url = make_store(
        PEOPLE + "CREATE TABLE note (id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer, body TEXT, kind TEXT);",
        {
            "customer": [(n, f"{secret}{n}@example.se") for n in range(20)],
            "note": [(n, n, f"{secret} skrev igen om {secret}{n}@example.se och annat", secret) for n in range(20)],
        },
    )
    file = tmp_path / "shop.yml"
    with caplog.at_level("DEBUG"):
        status, out, err = datamap("discover", url, "--key", "shop", "--json", "--out", str(file))
    assert status == 0
    found = proposed(url)
    for text in (out, err, file.read_text(), repr(found), json.dumps(to_json(found)), caplog.text, *capsys.readouterr()):
        assert secret not in text


# -- bounded, and not stopped by one table ------------------------------------------------------------------------------


def test_one_bounded_statement_per_table(make_store: Callable[..., str]) -> None:
    url = make_store(PEOPLE, {"customer": [(n, f"c{n}@example.se") for n in range(3000)]})
    store = opened(url)
    with store.read() as session:
        rows = session.sample("customer", ["email"], 100)
        assert session.statements == 1  # type: ignore[attr-defined]
    assert len(rows) == 100
    assert {("c0@example.se",), ("c2999@example.se",)} <= set(rows), "old rows and new ones"


def test_a_large_postgresql_table_is_sampled_by_blocks(make_postgres_database: Callable[[], str]) -> None:
    url = make_postgres_database()
    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "CREATE TABLE \"odd: 'name'\" AS SELECT n AS id, n || '@example.se' AS email FROM generate_series(1, 60000) n"
        )
        other.execute("ANALYZE")
    with opened(url).read() as session:
        rows = session.sample("odd: 'name'", ["id"], SAMPLE_ROWS)
    assert 100 <= len(rows) <= SAMPLE_ROWS
    assert max(number for (number,) in rows) > 2 * SAMPLE_ROWS


def test_a_table_that_refuses_is_named_and_the_others_go_on(make_postgres_database: Callable[[], str]) -> None:
    url = make_postgres_database()
    with psycopg.connect(url) as other:
        other.execute("CREATE TABLE a (id int PRIMARY KEY, email text); CREATE TABLE b (id int PRIMARY KEY, email text)")
        other.execute("INSERT INTO b VALUES (1, 'x@example.se')")
    store = opened(url)
    tables = store.schema().tables
    with psycopg.connect(url) as other:
        other.execute("DROP TABLE a")
    samples, refused = sample(store, [tables["a"], tables["b"]])
    assert set(refused) == {"a"}
    assert samples["b"]["email"] == ["x@example.se"]


def test_names_alone_when_no_row_may_be_read(make_store: Callable[..., str]) -> None:
    url = make_store(PEOPLE + "CREATE TABLE x (f1 TEXT);", {"x": [("a@example.se",), ("b@example.se",)]})
    assert set(columns(proposed(url, limit=0))) == {"customer.email"}


# -- the command --------------------------------------------------------------------------------------------------------


def test_a_file_that_is_there_is_not_written_over(make_store: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "shop.yml"
    file.write_text("mine")
    status, _, err = datamap("discover", make_store(PEOPLE), "--out", str(file))
    assert status == 1
    assert "is there already" in err
    assert file.read_text() == "mine"


def test_the_url_may_stand_in_the_environment(make_store: Callable[..., str], monkeypatch: Any) -> None:
    monkeypatch.setenv("SHOP_URL", make_store(PEOPLE))
    status, out, err = datamap("discover", "env:SHOP_URL")
    assert (status, err) == (0, "")
    assert parse(out, file="x")[0].key == "store0"
    status, _, err = datamap("discover", "env:NOT_SET_AT_ALL")
    assert status == 1
    assert "the environment variable NOT_SET_AT_ALL is not set" in err


def test_a_password_on_the_command_line_is_warned_of_and_never_repeated(tmp_path: Path) -> None:
    status, out, err = datamap("discover", "postgresql://u:hemligt@192.0.2.1/x", "--json")
    assert status == 1
    assert "env:NAME" in err
    assert "hemligt" not in out + err
    assert json.loads(out)["error"]


@pytest.mark.django_db
def test_registered_stores_are_untouched_by_looking(make_store: Callable[..., str]) -> None:
    proposed(make_store(PEOPLE))
    assert maps.open_maps().versions == {}
