"""Which URLs an operator may register, and what is said about those that are not."""

import sys
from pathlib import Path
from typing import Any

import pytest

from privacy.stores import registry
from privacy.stores.registry import BadUrl, Policy, open_store

OWN = "postgresql://localhost:5432/insyn"


def refused(url: str, **policy: Any) -> str:
    with pytest.raises(BadUrl) as caught:
        open_store("crm", url, policy=Policy(**policy))
    assert "CANARY" not in str(caught.value)
    assert "CANARY" not in repr(caught.value.__cause__)
    return str(caught.value)


def test_a_variable_of_the_environment_may_hold_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "CRM_URL" in refused("env:CRM_URL")
    monkeypatch.setenv("CRM_URL", "postgresql://u:p@localhost/crm")
    assert open_store("crm", "env:CRM_URL", policy=Policy()).key == "crm"


@pytest.mark.parametrize("url", ["oracle://u:CANARY@localhost/x", "", "CANARY", "http://CANARY@localhost/"])
def test_an_unknown_kind_is_refused_with_the_known_ones_named(url: str) -> None:
    assert "postgresql" in refused(url)


def test_a_url_that_cannot_be_read_is_refused_without_repeating_it() -> None:
    assert "postgresql://user:password@host:port/database" in refused("postgresql://u:CANARY@localhost:notaport/x")


def test_hosts_are_those_of_the_list() -> None:
    assert "INSYN_STORE_HOST_ALLOWLIST" in refused("postgresql://u:CANARY@db.example.com/x")
    assert "INSYN_STORE_HOST_ALLOWLIST" in refused("postgresql:///x?host=db.example.com")
    assert "INSYN_STORE_HOST_ALLOWLIST" in refused("postgresql://localhost/x?host=localhost&host=db.example.com")
    assert "INSYN_STORE_HOST_ALLOWLIST" in refused("postgresql:///x?host=localhost,db.example.com")
    assert "INSYN_STORE_HOST_ALLOWLIST" in refused("mysql://u:p@10.0.0.7/x", hosts=("db.example.com",))
    for url in (
        "postgresql://localhost/x",
        "mysql://127.0.0.1/x",
        "postgresql://[::1]/x",
        "postgresql:///x?host=/run/postgresql",
    ):
        open_store("crm", url, policy=Policy())
    open_store("crm", "postgresql://db.example.com/x", policy=Policy(hosts=("db.example.com",)))
    open_store("crm", "postgresql://anywhere/x", policy=Policy(hosts=("*",)))


def test_options_are_those_of_the_list() -> None:
    assert "passfile" in refused("postgresql://localhost/x?passfile=/etc/CANARY")
    assert "init_command" in refused("mysql://localhost/x?init_command=CANARY")
    assert "mode" in refused(f"sqlite:///{__file__}?mode=rwc")
    assert "no database" in refused("postgresql://u:CANARY@localhost/")


@pytest.mark.parametrize(
    "url",
    [
        OWN,
        "postgres://someone:CANARY@127.0.0.1/insyn",
        "postgresql://localhost/insyn",
        "postgresql:///insyn?host=localhost",
        "postgresql:///insyn?host=localhost&port=5432",
        "postgresql://[::1]:5432/insyn",
    ],
)
def test_our_own_database_is_not_registered_by_hand(url: str) -> None:
    assert "`insyn`" in refused(url, forbidden=(OWN,))
    open_store("insyn", url, policy=Policy(forbidden=(OWN,)), application=True)
    open_store("crm", "postgresql://localhost/other", policy=Policy(forbidden=(OWN,)))


def test_sqlite_files_lie_below_the_root_and_exist(tmp_path: Path) -> None:
    root, inside, outside = tmp_path / "root", tmp_path / "root" / "a.db", tmp_path / "b.db"
    root.mkdir()
    for path in (inside, outside):
        path.touch()
    (root / "link.db").symlink_to(outside)
    open_store("crm", f"sqlite:///{inside}", policy=Policy(sqlite_root=root))
    assert "below" in refused(f"sqlite:///{outside}", sqlite_root=root)
    assert "below" in refused(f"sqlite:///{root}/../b.db", sqlite_root=root)
    assert "below" in refused(f"sqlite:///{root}/link.db", sqlite_root=root)
    assert "no SQLite file" in refused(f"sqlite:///{root}/none.db", sqlite_root=root)
    for url in ("sqlite://", "sqlite:///:memory:", "sqlite:///file:a.db?mode=memory"):
        assert "name a file" in refused(url)
    assert not (root / "none.db").exists()


def test_a_further_kind_comes_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name = "papyrus"

        def load(self) -> Any:
            return lambda *, key, url, schema: (key, url, schema)

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point()] if group == "insyn.stores" else [])
    assert open_store("old", "papyrus://roll/1", policy=Policy(), schema="s") == ("old", "papyrus://roll/1", "s")


def test_drivers_are_imported_by_the_store_that_needs_them() -> None:
    import subprocess

    code = "import sys, privacy.stores.registry; print(sorted({'psycopg', 'pymysql'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
