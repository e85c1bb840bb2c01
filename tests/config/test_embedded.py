"""The embedded servers, started for real in a folder of this test's own."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from config import embedded
from config.embedded import postgres, sharing

PROJECT = Path(__file__).resolve().parents[2]
AS_ROOT = os.getuid() == 0

USE = """
import sys
from config import embedded
services = embedded.ensure_running()
import psycopg
psycopg.connect(services.database_url).close()
print(services.directory, flush=True)
sys.stdin.read()
"""


class Servers:
    """`python -m config.embedded` and processes that use the servers, in one folder."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.environment = {**os.environ, "INSYN_EMBEDDED_BASE": str(base), "INSYN_INSTANCE": "t"}
        self.users: list[subprocess.Popen[str]] = []

    def run(self, action: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "config.embedded", action]
        return subprocess.run(command, cwd=PROJECT, env=self.environment, capture_output=True, text=True, check=False)

    def use(self) -> subprocess.Popen[str]:
        """A process that uses the servers until its standard input is closed."""
        user = subprocess.Popen(
            [sys.executable, "-c", USE],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.users.append(user)
        return user

    def status(self) -> str:
        return self.run("status").stdout

    def directory(self) -> Path:
        return next(path for path in self.base.iterdir() if path.name.endswith("-t"))

    def home(self) -> Path:
        record = self.directory() / "home"
        return Path(record.read_text()) if record.exists() else self.directory() / "srv"

    def pids(self) -> list[int]:
        return [int((self.directory() / f"{name}.pid").read_text()) for name in ("postgres", "redis")]


@pytest.fixture
def base():
    path = Path(tempfile.mkdtemp(prefix="insyn-", dir="/tmp"))  # not pytest's: too long for sockets, and closed to others
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def servers(base):
    made = Servers(base)
    yield made
    for user in made.users:
        user.kill()
        user.communicate()
    made.run("stop")


def is_private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def copy_installation(to: Path) -> Path:
    """The wheel's PostgreSQL elsewhere, with the libraries that lie beside its package."""
    found = postgres.installation()
    package = found.parent
    for source in (found, package.with_name(f"{package.name}.libs"), package / ".dylibs"):
        if source.is_dir():
            target = to / source.relative_to(package.parent)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("include", "*.a"), symlinks=True)
    return to / found.relative_to(package.parent)


def gone(pid: int) -> bool:
    """Ended; a zombie that nobody collected has no command line either."""
    return not embedded.command_line(pid)


def wait_until(true, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_start_stop_and_start_again(servers):
    assert "PostgreSQL runs, Redis runs" in servers.run("start").stdout
    assert "PostgreSQL is stopped, Redis is stopped" in servers.run("stop").stdout
    assert "PostgreSQL runs, Redis runs" in servers.run("start").stdout


def test_nothing_is_open_to_others(servers):
    servers.run("start")
    assert is_private(servers.directory())
    assert is_private(servers.home())
    assert all(is_private(path) for path in servers.directory().iterdir())
    rules = next(servers.home().glob("data*")) / "pg_hba.conf"
    methods = {line.split()[-1] for line in rules.read_text().splitlines() if line.strip() and not line.startswith("#")}
    assert methods == {"scram-sha-256"}


def test_postgres_listens_on_its_socket_alone(servers):
    servers.run("start")
    told = (next(servers.home().glob("data*")) / "postmaster.pid").read_text().splitlines()
    assert told[4] == str(servers.home())
    assert told[5] == ""  # the first address it would listen on


def test_the_password_is_asked_for(servers):
    import psycopg

    servers.run("start")
    with pytest.raises(psycopg.OperationalError, match=r"password|authentication"):
        psycopg.connect(f"postgresql://insyn:wrong@/postgres?host={servers.home()}")


@pytest.mark.skipif(not AS_ROOT, reason="only root runs the servers as somebody else")
def test_root_runs_the_servers_as_somebody_without_rights(servers):
    servers.run("start")
    for pid in servers.pids():
        if "fake_redis" not in embedded.command_line(pid):  # that one is our own Python
            assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid


@pytest.mark.skipif(not AS_ROOT, reason="only root runs the servers as somebody else")
def test_binaries_out_of_reach_are_copied(servers, tmp_path):
    closed = tmp_path / "closed"
    servers.environment["INSYN_POSTGRES_HOME"] = str(copy_installation(closed))
    closed.chmod(0o700)
    assert "PostgreSQL runs" in servers.run("start").stdout
    assert str(servers.home()) in embedded.command_line(servers.pids()[0]).split()[0]


@pytest.mark.skipif(not AS_ROOT, reason="needs root to act as another user")
def test_an_ordinary_user_can_run_them(base):
    """In a fork, not a new Python: the one that runs this may lie below /root, where another user cannot start it."""
    import psycopg

    user = next(entry for entry in pwd.getpwall() if 0 < entry.pw_uid < 65534)
    installation = copy_installation(base / "wheel")
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            os.environ |= {"INSYN_EMBEDDED_BASE": str(base), "INSYN_INSTANCE": "t", "INSYN_POSTGRES_HOME": str(installation)}
            os.environ["PATH"] = "/usr/local/bin:/usr/bin:/bin"
            sharing._users_lock = None
            services = embedded.ensure_running()
            with psycopg.connect(services.database_url) as connection:
                answer = connection.execute("SELECT current_user").fetchone()[0]
            owners = {path.stat().st_uid for path in (services.directory, services.directory / "srv")}
            embedded.leave()
            left = embedded.status()
            os.write(tell, f"{answer} {owners == {user.pw_uid}} {left}".encode())
        except BaseException as error:  # noqa: BLE001 - the parent is to see it, whatever it is
            os.write(tell, repr(error).encode())
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(told) as answer:
        assert answer.read().startswith("insyn True PostgreSQL is stopped, Redis is stopped")
    os.waitpid(child, 0)


def test_killed_servers_start_again_with_their_data(servers):
    import psycopg

    user = servers.use()
    user.stdout.readline()
    environment = {name: servers.environment[name] for name in ("INSYN_EMBEDDED_BASE", "INSYN_INSTANCE")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        url = embedded.create_database("kept")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE note (text text)")
    for pid in servers.pids():
        os.kill(pid, signal.SIGKILL)
    assert "PostgreSQL runs, Redis runs" in servers.run("start").stdout
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM note").fetchone() == (0,)


def test_a_stale_pid_that_is_another_program_now_does_no_harm(servers):
    servers.run("start")
    pid = servers.pids()[0]
    servers.run("stop")
    stale = next(servers.home().glob("data*")) / "postmaster.pid"
    stale.write_text(f"{os.getpid()}\n{stale.parent}\n0\n5432\n{servers.home()}\n\n0 0\nready\n")
    assert "PostgreSQL runs" in servers.run("start").stdout
    assert servers.pids()[0] != pid


def test_a_half_finished_initdb_is_thrown_away(servers):
    servers.run("start")
    servers.run("stop")
    data = next(servers.home().glob("data*"))
    shutil.rmtree(data)
    partial = data.with_name(f"{data.name}.new")
    partial.mkdir()
    (partial / "PG_VERSION").write_text("18\n")
    data.mkdir()  # what a cleaner of temporary folders may leave
    assert "PostgreSQL runs" in servers.run("start").stdout
    assert not partial.exists()


def test_two_at_once_share_one_set_of_servers(servers):
    first, second = servers.use(), servers.use()
    assert first.stdout.readline() == second.stdout.readline() != ""
    assert len(list(servers.home().glob("data*"))) == 1
    assert "in use" in servers.status()


def test_the_last_one_out_stops_them(servers):
    first, second = servers.use(), servers.use()
    first.stdout.readline()
    second.stdout.readline()
    pids = servers.pids()
    first.communicate()
    assert "PostgreSQL runs, Redis runs" in servers.status()
    second.communicate()
    assert all(gone(pid) for pid in pids)


def test_servers_of_a_killed_process_are_taken_over_and_stopped(servers):
    killed = servers.use()
    killed.stdout.readline()
    pids = servers.pids()
    killed.kill()
    killed.wait()
    assert not any(gone(pid) for pid in pids)
    user = servers.use()
    user.stdout.readline()
    assert servers.pids() == pids
    user.communicate()
    assert all(gone(pid) for pid in pids)


def test_reset_is_refused_while_somebody_uses_them(servers):
    user = servers.use()
    user.stdout.readline()
    refused = servers.run("reset")
    assert refused.returncode == 1
    assert "stop it first" in refused.stderr
    user.communicate()
    assert servers.run("reset").returncode == 0
    assert [path.name for path in servers.directory().iterdir()] == ["lock"]


def test_a_directory_that_others_can_enter_is_refused(servers):
    servers.run("start")
    servers.run("stop")
    servers.directory().chmod(0o755)
    refused = servers.run("start")
    assert refused.returncode == 1
    assert "only user" in refused.stderr
    servers.directory().chmod(0o700)


@pytest.mark.skipif(not AS_ROOT, reason="needs root to give a directory away")
def test_a_directory_of_somebody_else_is_refused(servers):
    servers.run("status")
    servers.run("start")
    servers.run("stop")
    os.chown(servers.directory(), 1, 1)
    refused = servers.run("start")
    assert refused.returncode == 1
    assert "only user" in refused.stderr
    os.chown(servers.directory(), 0, 0)


def test_a_link_in_its_place_is_refused(servers):
    servers.run("start")
    servers.run("stop")
    place = servers.directory()
    moved = place.with_name("elsewhere")
    place.rename(moved)
    place.symlink_to(moved)
    assert servers.run("start").returncode == 1
    place.unlink()
    moved.rename(place)


def test_a_folder_that_anybody_may_change_is_refused(servers):
    servers.base.chmod(0o777)
    assert "sticky" in servers.run("start").stderr
    servers.base.chmod(0o1777)


def test_a_path_too_long_for_a_socket_is_named(servers, base):
    deep = base / ("x" * 90)
    deep.mkdir(mode=0o755)
    servers.environment["INSYN_EMBEDDED_BASE"] = str(deep)
    refused = servers.run("start")
    assert refused.returncode == 1
    assert "INSYN_EMBEDDED_BASE" in refused.stderr
    servers.run("reset")


def test_without_any_redis_server_fakeredis_answers(base):
    """On a Python or a machine for which there is no wheel of a real one."""
    path = base / "fake.sock"
    server = subprocess.Popen([sys.executable, "-P", str(PROJECT / "config" / "embedded" / "fake_redis.py"), str(path)])
    try:
        import redis

        wait_until(lambda: listens(path))
        with redis.Redis.from_url(f"unix://{path}?db=0") as one, redis.Redis.from_url(f"unix://{path}?db=0") as other:
            one.set("a", "1")
            assert other.get("a") == b"1"
            other.lpush("queue", "x")
            assert one.brpop(["queue"], timeout=1) == (b"queue", b"x")
            assert one.eval("return 7", 0) == 7  # kombu takes its locks by a script
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=10)
    assert server.returncode == 0
