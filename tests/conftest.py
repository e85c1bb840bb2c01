"""Servers, browsers and data that tests ask for. In CI a missing service or browser fails the test; elsewhere it is skipped."""

import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase
from django.utils import translation
from pytest_django import DjangoDbBlocker

from config import embedded
from tests.mailbox import Mailbox

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROJECT = Path(__file__).resolve().parent.parent


def missing(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} (and this is CI, where it must be there)", pytrace=False)
    pytest.skip(what)


FILLED_BY_DJANGO = ("django_content_type", "auth_permission")  # with what never changes
# TRUNCATE makes new files for forty tables and all their indexes; most of these are empty after most tests.
EMPTY_TABLES = """
CREATE FUNCTION pg_temp.empty_tables(names text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text; filled boolean;
BEGIN
    EXECUTE (SELECT 'LOCK TABLE ' || string_agg(quote_ident(n), ', ') FROM unnest(names) n);
    SET LOCAL session_replication_role = replica;  -- foreign keys have no order
    FOREACH name IN ARRAY names LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO filled;
        IF filled AND name = 'privacy_auditevent' THEN TRUNCATE privacy_auditevent;  -- its triggers always fire
        ELSIF filled THEN EXECUTE format('DELETE FROM %I', name); END IF;
    END LOOP;
END$$
"""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Tests of several transactions empty all tables after them, which the append-only audit log would refuse."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE privacy_auditevent DISABLE TRIGGER audit_no_truncate")


@pytest.fixture(scope="session", autouse=True)
def _tables_are_emptied_quickly() -> Iterator[None]:
    """After a test of several transactions."""

    def empty(_case: TransactionTestCase) -> None:
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT to_regproc('pg_temp.empty_tables') IS NULL")
            if cursor.fetchone()[0]:
                cursor.execute(EMPTY_TABLES)
            cursor.execute("SELECT pg_temp.empty_tables(%s)", [[name for name in names if name not in FILLED_BY_DJANGO]])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty)
        yield


@pytest.fixture(scope="session")
def services() -> embedded.Services:
    """The embedded PostgreSQL and Redis; tests/settings.py started them."""
    return embedded.services()


@pytest.fixture
def make_postgres_database(services: embedded.Services) -> Iterator[Callable[[], str]]:
    """Makes empty PostgreSQL databases and answers their URLs; they go when the test ends."""
    made: list[str] = []

    def make() -> str:
        name = f"throwaway_{os.getpid()}_{secrets.token_hex(4)}"
        made.append(name)
        return embedded.create_database(name)

    yield make
    for name in made:
        embedded.drop_database(name)


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """A path for an SQLite database that is not there yet."""
    return tmp_path / "store.sqlite3"


@pytest.fixture(scope="session")
def mariadb_socket() -> Iterator[Path]:
    """A private MariaDB server of this test process on a socket of its own; user `insyn`, password `insyn`."""
    server, install = _program("mariadbd"), _program("mariadb-install-db")
    if not server or not install:
        missing("mariadbd is not installed (Debian: apt-get install mariadb-server)")
    # Not pytest's own folder: its path is too long for a socket.
    with tempfile.TemporaryDirectory(prefix="insyn-maria-", dir="/tmp") as name:
        folder = Path(name)
        data, path, log = folder / "data", folder / "m.sock", folder / "log"
        user = ["--user=root"] if os.getuid() == 0 else []
        _install_mariadb(install, data, user)
        command = [
            server,
            "--no-defaults",
            f"--datadir={data}",
            f"--socket={path}",
            "--skip-networking",
            f"--pid-file={folder / 'pid'}",
            f"--tmpdir={folder}",
            "--innodb-use-native-aio=0",
        ]
        command += [
            "--character-set-server=utf8mb4",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=64M",
            *user,
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder)
        try:
            _wait_for_mariadb(process, path, log)
            yield path
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _install_mariadb(install: str, data: Path, user: list[str]) -> None:
    """One at a time and with a second chance: two bootstraps at once have been seen to end without a word on a busy machine."""
    for attempt in range(3):
        with (Path(tempfile.gettempdir()) / f"insyn-maria-{os.getuid()}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = subprocess.run(
                [
                    install,
                    "--no-defaults",
                    f"--datadir={data}",
                    f"--tmpdir={data.parent}",
                    "--skip-test-db",
                    "--auth-root-authentication-method=normal",
                    "--innodb-use-native-aio=0",
                    *user,
                ],
                capture_output=True,
                cwd=data.parent,
                check=False,
            )
        if done.returncode == 0:
            return
        shutil.rmtree(data, ignore_errors=True)
        if attempt == 2:
            words = (done.stdout + done.stderr).decode(errors="replace")
            pytest.fail(f"mariadb-install-db did not work:\n{words[-2000:]}", pytrace=False)


def _wait_for_mariadb(process: "subprocess.Popen[bytes]", path: Path, log: Path) -> None:
    import pymysql

    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as probe:  # PyMySQL leaves its socket open when it is refused
            if probe.connect_ex(str(path)):
                time.sleep(0.05)
                continue
        connection = pymysql.connect(unix_socket=str(path), user="root")
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER insyn@localhost IDENTIFIED BY 'insyn'")
            cursor.execute("GRANT ALL ON *.* TO insyn@localhost WITH GRANT OPTION")
        return
    pytest.fail(f"mariadbd did not start:\n{log.read_text(errors='replace')[-2000:]}", pytrace=False)


@pytest.fixture
def mariadb_url(mariadb_socket: Path) -> Iterator[str]:
    """The SQLAlchemy URL of an empty MariaDB database, which goes when the test ends."""
    import pymysql

    name = f"throwaway_{secrets.token_hex(4)}"
    connection = pymysql.connect(unix_socket=str(mariadb_socket), user="insyn", password="insyn")
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield f"mysql+pymysql://insyn:insyn@localhost/{name}?unix_socket={mariadb_socket}&charset=utf8mb4"
        cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Debian's or the system's Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        found = shutil.which(name)
        if found:
            return found
    missing("no Chromium on PATH (Debian: apt-get install chromium)")


CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One folder for all workers of a test run, in which they note what pages were looked at."""
    from tests.portal import audit

    mine = tmp_path_factory.getbasetemp()
    folder = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "looked-at"
    folder.mkdir(exist_ok=True)
    audit.seen[:] = [folder]


@pytest.fixture(scope="module")
def chromium(chromium_path: str, looked_at: None) -> Iterator["Browser"]:
    """One browser for all tests of a module; each opens a context of its own in it."""
    from playwright.sync_api import sync_playwright

    # Playwright's own event loop runs in this thread, and Django sees it; nothing in it shares a connection with the tests.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chinook_dir() -> Path:
    """The Chinook sample database, which lies beside the project where its developers have it."""
    folder = PROJECT.parent / "shared" / "data" / "chinook"
    if not folder.is_dir():
        pytest.skip(f"the Chinook data are not in {folder}")
    return folder


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin")


@pytest.fixture(autouse=True)
def _words_in_english() -> Iterator[None]:
    """Messages raised outside a request are asserted in the source's own words; pages choose their language themselves."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def _empty_mailbox() -> None:
    Mailbox.kept.clear()
