"""The demo: what a `manage.py` command needs before it runs, and `make demo` (`python -m config.demo up`)."""

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

from config import embedded
from config.messages import compile_messages

PROJECT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"

# Commands that ask no database. All others find the servers running, and all but the second set a migrated database.
WITHOUT_SERVERS = {
    "",
    "help",
    "version",
    "--version",
    "check",
    "collectstatic",
    "compilemessages",
    "diffsettings",
    "findstatic",
    "makemessages",
}
WITHOUT_SERVERS |= {"receipt", "spectacular", "startapp", "startproject"}
WITHOUT_MIGRATING = {
    "dbshell",
    "makemigrations",
    "migrate",
    "optimizemigration",
    "showmigrations",
    "sqlmigrate",
    "squashmigrations",
}


# --- before a command -------------------------------------------------------------------------------------------------


def prepare_command(argv: list[str]) -> None:
    """Start and migrate what `manage.py` needs for this command; the servers end with the last process that uses them."""
    command = argv[1] if len(argv) > 1 else ""
    compile_messages()
    if command in WITHOUT_SERVERS or {"--help", "-h"} & set(argv):
        return
    try:
        embedded.ensure_running()
        # The default action would end us without the exit handler that stops the servers.
        signal.signal(signal.SIGTERM, _exit_on_signal)
        if command == "migrate":
            _stamp_file().unlink(missing_ok=True)
        elif command not in WITHOUT_MIGRATING:
            migrate()
    except embedded.EmbeddedError as error:
        sys.exit(f"manage.py: {error}")


def _exit_on_signal(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def migrate() -> None:
    """Bring the demo's database up to date; quick when the migrations are those that the last run applied."""
    import django
    from django.apps import apps
    from django.core.management import call_command

    django.setup()
    with embedded.locked():
        folders = [Path(config.path) / "migrations" for config in apps.get_app_configs()]
        digest = hashlib.sha256()
        for file in sorted(file for folder in folders for file in folder.glob("*.py")):
            digest.update(f"{file}\0{file.stat().st_size}\0".encode())
            if file.is_relative_to(PROJECT):
                digest.update(file.read_bytes())
        stamp = _stamp_file()
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return
        call_command("migrate", verbosity=0, interactive=False)
        stamp.write_text(digest.hexdigest())


def _stamp_file() -> Path:
    return embedded.own_directory() / embedded.MIGRATED


# --- make demo --------------------------------------------------------------------------------------------------------


class DemoError(RuntimeError):
    """The demo cannot start; the text says what to change."""


@dataclass
class Child:
    """One process of the demo and how to start it."""

    name: str
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    quick_ends: int = 0

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603
                self.command,
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started_at = time.monotonic()

    def tell(self, number: signal.Signals) -> None:
        # Each child leads a process group of its own, so its workers hear it, too.
        if self.process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


class Demo:
    """Starts web, worker and beat, and ends them with itself."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.directory = embedded.own_directory()
        logs = self.directory / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        python = [sys.executable, "-m"]
        web = [*python, "gunicorn", "--config", "config/gunicorn.py", "config.wsgi", "--bind", f"{HOST}:{port}", "--workers", "2"]
        celery = [*python, "celery", "-A", "config"]
        beat = [*celery, "beat", "--loglevel", "INFO", "--pidfile=", "--schedule", str(self.directory / "beat")]
        self.children = [
            Child("web", web, logs / "web.log"),
            Child("worker", [*celery, "worker", "--loglevel", "INFO", "--concurrency", "2"], logs / "worker.log"),
            Child("beat", beat, logs / "beat.log"),
        ]
        self.stopping = False

    def run(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        try:
            _end_orphans(self.directory)
            for child in self.children:
                child.log.unlink(missing_ok=True)
                child.start()
            self._remember()
            if self._wait_for_web():
                print(welcome(self.port), flush=True)
            while not self.stopping:
                for child in self.children:
                    self._look_after(child)
                time.sleep(0.25)
        finally:
            self._end()
        return 0

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _remember(self) -> None:
        pids = {child.name: child.process.pid for child in self.children if child.process}
        (self.directory / "children.json").write_text(json.dumps(pids))

    def _wait_for_web(self) -> bool:
        end = time.monotonic() + 60
        while not self.stopping and time.monotonic() < end:
            self._look_after(self.children[0])
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return True
            time.sleep(0.1)
        if not self.stopping:
            raise DemoError(f"The web server did not answer within a minute; {self.children[0].log} says why.")
        return False

    def _look_after(self, child: Child) -> None:
        """Start a child that ended again, and give up when it ends at once, again and again."""
        status = child.process.poll() if child.process else None
        if status is None or self.stopping:
            return
        child.quick_ends = child.quick_ends + 1 if time.monotonic() - child.started_at < 10 else 1
        why = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        child.tell(signal.SIGKILL)  # what it left behind
        tail = "".join(f"    {line}\n" for line in child.log.read_text(errors="replace").splitlines()[-8:])
        if child.quick_ends > 3:
            raise DemoError(f"The {child.name} ended with {why}, time and again. The end of {child.log}:\n{tail}")
        print(
            f"The {child.name} ended with {why}; starting it again. The end of {child.log}:\n{tail}", file=sys.stderr, flush=True
        )
        child.start()
        self._remember()

    def _end(self) -> None:
        for number, seconds in ((signal.SIGTERM, 10), (signal.SIGQUIT, 2), (signal.SIGKILL, 5)):
            running = [child for child in self.children if child.process and child.process.poll() is None]
            for child in running:
                child.tell(number)
            end = time.monotonic() + seconds
            while time.monotonic() < end and any(child.process and child.process.poll() is None for child in running):
                time.sleep(0.05)
        for child in self.children:
            child.tell(signal.SIGKILL)  # whatever of its group outlived it
        (self.directory / "children.json").unlink(missing_ok=True)


def _end_orphans(directory: Path) -> None:
    """End the children of a launcher that was killed: they would hold the port and the database."""
    try:
        pids = json.loads((directory / "children.json").read_text())
    except (OSError, ValueError):
        return
    for pid in pids.values():
        told = embedded.command_line(pid)
        if "config" in told and ("gunicorn" in told or "celery" in told):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise DemoError(
                f"Port {port} of {HOST} is not to be had ({error.strerror}). Choose another: PORT=8001 make demo"
            ) from None


def _port() -> int:
    told = os.environ.get("PORT") or "8000"
    if not told.isascii() or not told.isdigit() or not 0 < int(told) < 65536:
        raise DemoError(f"PORT must be a number from 1 to 65535, not {told!r}.")
    return int(told)


def _only_one(directory: Path) -> IO[str]:
    """Hold the demo's own lock for as long as the answered file is open."""
    lock = (directory / "demo.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise DemoError(f"The demo of this folder runs already, at {lock.read().strip() or 'another terminal'}.") from None
    return lock


def demo_logins() -> list[dict[str, Any]]:
    """What `demo_seed` wrote down about whom one can sign in as; empty if it wrote nothing."""
    try:
        found = json.loads((embedded.own_directory() / "demo_logins.json").read_text())
    except (OSError, ValueError):
        return []
    return [login for login in found if isinstance(login, dict)]


def welcome(port: int) -> str:
    address = f"http://{HOST}:{port}"
    lines = [
        "",
        "Insyn's demo is ready.",
        "",
        f"  Portal  {address}/",
        f"  Admin   {address}/admin/",
        f"  Inbox   {address}/demo/inbox/",
        "",
    ]
    logins = demo_logins()
    if logins:
        lines.append("  Sign in as")
        for login in logins:
            words = [str(login.get(key) or "") for key in ("role", "email", "password")]
            lines.append("    {:<15} {:<34} {}".format(*words).rstrip())
            lines += [
                f"      {key.replace('_', ' ')}: {value}"
                for key, value in login.items()
                if key not in ("role", "email", "password") and value
            ]
        lines.append("")
    lines += [
        "  Codes sent by e-mail and text message are shown in the inbox.",
        f"  Logs: {embedded.own_directory() / 'logs'}",
        "",
    ]
    lines += ["Ctrl-C stops everything and keeps the data; `make demo-reset` starts over.", ""]
    return "\n".join(lines)


def up() -> int:
    if "DATABASE_URL" in os.environ:
        raise DemoError("DATABASE_URL is set, so this is no demo: unset it.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    signal.signal(signal.SIGTERM, _exit_on_signal)
    signal.signal(signal.SIGHUP, _exit_on_signal)
    port, directory = _port(), embedded.own_directory()
    with _only_one(directory) as lock:
        _end_orphans(directory)
        _check_port(port)
        lock.truncate(0)
        lock.write(f"http://{HOST}:{port}/")
        lock.flush()
        say("Starting PostgreSQL and Redis …")
        embedded.ensure_running()
        compile_messages()
        say("Preparing the database …")
        migrate()
        _seed()
        say("Starting web, worker and beat …")
        return Demo(port).run()


def _seed() -> None:
    from django.core.management import call_command, get_commands
    from django.db import connections

    if "demo_seed" in get_commands():
        say("Looking after the demo data …")
        call_command("demo_seed")
        connections.close_all()  # the children come next, and this process asks the database nothing more


def say(text: str) -> None:
    print(text, flush=True)


def reset() -> None:
    directory = embedded.directory()
    if directory.exists():
        with _only_one(directory):
            _end_orphans(directory)
            embedded.reset()
            shutil.rmtree(directory / "logs", ignore_errors=True)
    say("The demo's data is gone; `make demo` makes it anew.")


def main() -> int:
    action = sys.argv[1:] or [""]
    try:
        if action == ["up"]:
            return up()
        if action == ["reset"]:
            reset()
            return 0
    except (DemoError, embedded.EmbeddedError) as error:
        print(f"make demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("usage: python -m config.demo up|reset", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
