"""Starting a server and waiting for its answer; ending a process that is certainly the one meant."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from config.embedded.places import Account, EmbeddedError, own_directory, write_private

START_SECONDS = 60
STOP_SECONDS = 30
QUICK_SECONDS = 10  # a server that ends at once is started again for this long

_started: list[subprocess.Popen[bytes]] = []


def start(name: str, command: list[str], account: Account, *, answers: Callable[[], bool], before: Callable[[], None]) -> None:
    """Start a server and wait until it answers. One that ends at once is tried again: a killed one's children may linger."""
    ours, began = own_directory(), time.monotonic()
    log = ours / f"{name}.log"
    while True:
        before()
        with log.open("wb") as output:
            log.chmod(0o600)
            process = account.spawn(command, stdout=output, stderr=subprocess.STDOUT)
        while process.poll() is None:
            if answers():
                _started.append(process)
                write_private(pid_file(name), str(process.pid))
                return
            if time.monotonic() - began > START_SECONDS:
                process.kill()
                process.wait()
                raise EmbeddedError(f"{name} did not answer within {START_SECONDS} seconds:\n{_tail(log)}")
            time.sleep(0.02)
        if time.monotonic() - began > QUICK_SECONDS:
            raise EmbeddedError(f"{name} did not start:\n{_tail(log)}")
        time.sleep(0.25)


def pid_file(name: str) -> Path:
    return own_directory() / f"{name}.pid"


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def end(pid: int | None, ask: signal.Signals, mark: str) -> None:
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


def collect() -> None:
    """Wait for the servers that this process started and that were asked to end."""
    for process in _started:
        process.wait(timeout=STOP_SECONDS)
    _started.clear()


def command_line(pid: int) -> str:
    """What a process was started with; empty if it is gone or only waits to be collected."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    told = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return told.stdout
