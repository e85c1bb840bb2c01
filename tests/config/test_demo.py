"""`make demo`'s launcher, and what it does before a `manage.py` command, each in processes of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from config import demo, embedded

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment():
    base = Path(tempfile.mkdtemp(prefix="insyn-", dir="/tmp"))
    base.chmod(0o1777)
    kept = {name: value for name, value in os.environ.items() if name not in ("DJANGO_SETTINGS_MODULE", "DATABASE_URL")}
    made = kept | {"INSYN_EMBEDDED_BASE": str(base), "INSYN_INSTANCE": "d", "PORT": str(free_port())}
    yield made
    run(made, "-m", "config.embedded", "stop")
    shutil.rmtree(base)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)


def ours(environment: dict[str, str]) -> list[int]:
    """Processes that carry this test's folder in their environment or command line."""
    mark = environment["INSYN_EMBEDDED_BASE"].encode()
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                if mark in (process / "cmdline").read_bytes() or mark in (process / "environ").read_bytes():
                    found.append(int(process.name))
            except OSError:
                continue
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc for what is left")


@needs_proc
def test_a_command_starts_migrates_and_leaves_nothing_running(environment):
    code = "from accounts.models import Customer; print('customers:', Customer.objects.count())"
    first = run(environment, "manage.py", "shell", "--no-imports", "-c", code)
    assert "customers: 0" in first.stdout, first.stderr
    assert ours(environment) == []
    again = run(environment, "manage.py", "migrate", "--check")
    assert again.returncode == 0, again.stderr
    assert ours(environment) == []


@needs_proc
def test_a_command_that_needs_no_database_starts_nothing(environment):
    done = run(environment, "manage.py", "help")
    assert done.returncode == 0
    assert not list(Path(environment["INSYN_EMBEDDED_BASE"]).glob("*/srv")) + list(
        Path(environment["INSYN_EMBEDDED_BASE"]).glob("*-d-*/data*")
    )


@needs_proc
def test_the_demo_from_start_to_ctrl_c(environment):
    launcher = subprocess.Popen(
        [sys.executable, "-m", "config.demo", "up"],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        told = ""
        while "Ctrl-C stops" not in told:
            line = launcher.stdout.readline()
            assert line, told + launcher.stderr.read()
            told += line
        address = f"http://127.0.0.1:{environment['PORT']}"
        assert f"{address}/admin/" in told
        with urllib.request.urlopen(f"{address}/readyz", timeout=10) as answer:
            assert json.load(answer) == {"database": True, "redis": True}

        refused = run(environment, "-m", "config.demo", "up")
        assert refused.returncode == 1
        assert f"runs already, at {address}/" in refused.stderr
        refused = run(environment, "-m", "config.demo", "reset")
        assert refused.returncode == 1

        children = next(Path(environment["INSYN_EMBEDDED_BASE"]).glob("*/children.json"))
        worker = json.loads(children.read_text())["worker"]
        os.killpg(worker, signal.SIGKILL)
        assert "The worker ended with signal SIGKILL; starting it again." in launcher.stderr.readline()
        end = time.monotonic() + 10
        while json.loads(children.read_text())["worker"] == worker:
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        launcher.send_signal(signal.SIGINT)
        launcher.communicate(timeout=60)
    assert launcher.returncode == 0
    assert ours(environment) == []


def test_a_taken_port_is_named(environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["PORT"])))
        taken.listen()
        refused = run(environment, "-m", "config.demo", "up")
    assert refused.returncode == 1
    assert f"Port {environment['PORT']}" in refused.stderr
    assert "PORT=8001 make demo" in refused.stderr


@pytest.mark.parametrize("port", ["eighty", "0", "65536", "-1", "80 80"])
def test_a_wrong_port_is_named(port, monkeypatch):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(demo.DemoError, match="PORT must be a number"):
        demo._port()


def test_it_is_no_demo_with_a_database_of_one_s_own(environment):
    refused = run(environment | {"DATABASE_URL": "postgresql://localhost/insyn"}, "-m", "config.demo", "up")
    assert refused.returncode == 1
    assert "unset it" in refused.stderr


def test_children_of_a_killed_launcher_are_ended(tmp_path):
    code = "import sys, time; time.sleep(60)"
    orphan = subprocess.Popen([sys.executable, "-c", code, "gunicorn", "config.wsgi"], start_new_session=True)
    stranger = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        (tmp_path / "children.json").write_text(json.dumps({"web": orphan.pid, "worker": stranger.pid}))
        while not (embedded.command_line(orphan.pid) and embedded.command_line(stranger.pid)):
            time.sleep(0.01)  # a process that is just beginning has none yet
        demo._end_orphans(tmp_path)
        assert orphan.wait(timeout=10) == -signal.SIGKILL
        assert stranger.poll() is None
    finally:
        for process in (orphan, stranger):
            process.kill()
            process.wait()


def test_logins_are_told_as_the_seed_wrote_them(monkeypatch, tmp_path):
    monkeypatch.setattr(embedded, "own_directory", lambda: tmp_path)
    assert "Sign in as" not in demo.welcome(8000)
    logins = [{"role": "approver", "email": "approver@example.com", "password": "secret-word", "totp_secret": "ABC"}]
    (tmp_path / "demo_logins.json").write_text(json.dumps(logins))
    told = demo.welcome(8000)
    assert "approver@example.com" in told
    assert "secret-word" in told
    assert "totp secret: ABC" in told
