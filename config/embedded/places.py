"""Where the embedded servers' things are, and who owns them: private directories, the kept secrets, the servers' account."""

import contextlib
import hashlib
import os
import pwd
import re
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
HOME_RECORD = "home"
LONGEST_SOCKET_PATH = 100  # 104 bytes on macOS, 108 on Linux, with the closing NUL


class EmbeddedError(RuntimeError):
    """The embedded servers cannot be used; the text says what to change."""


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


class Server(subprocess.Popen[bytes]):
    """A process that may outlive the one that started it."""

    def __del__(self) -> None:
        """Popen's own would warn of just that."""


@dataclass(frozen=True)
class Account:
    """Who runs the servers: ourselves, or for root somebody without rights, since PostgreSQL refuses root."""

    uid: int
    gid: int
    dropped: bool

    def spawn(self, command: list[str], **options: Any) -> Server:
        if self.dropped:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        # Our own variables stay out: PGOPTIONS, PGDATA or a LANG that is not installed would change what the server does.
        environment = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH", "TZDIR")}
        try:
            return Server(
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
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def servers_account() -> Account:
    if os.getuid() != 0:
        return Account(os.getuid(), os.getgid(), dropped=False)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        try:
            nobody = pwd.getpwuid(65534)
        except KeyError:
            raise EmbeddedError(
                "PostgreSQL does not run as root and there is no user `nobody` to run it as: use another user."
            ) from None
    return Account(nobody.pw_uid, nobody.pw_gid, dropped=True)


def servers_home() -> Path:
    """Where the servers keep data and sockets: inside our directory, or beside it when they run as somebody else.

    Beside it, because both directories then stay closed to all but one user. Its name is random, so nobody can be there first.
    """
    account, ours = servers_account(), own_directory()
    if not account.dropped:
        home = ours / "srv"
        _make_private(home)
        return home
    known = _home_on_record(ours)
    if known:
        _check_private(known, account.uid)
        return known
    closed = next((parent for parent in (ours.parent, *ours.parent.parents) if not parent.stat().st_mode & stat.S_IXOTH), None)
    if closed:
        raise EmbeddedError(f"User {account.uid}, who runs PostgreSQL for root, cannot enter {closed}: set INSYN_EMBEDDED_BASE.")
    home = Path(tempfile.mkdtemp(prefix=f"{ours.name}-", dir=ours.parent))
    write_private(ours / HOME_RECORD, str(home))
    account.give(home)
    return home


def _home_on_record(ours: Path) -> Path | None:
    record = ours / HOME_RECORD
    home = Path(record.read_text()) if record.exists() else None
    return home if home and home.exists() else None


def has_home() -> bool:
    """Whether the servers were ever started here."""
    ours = directory()
    return (ours / "srv").exists() or _home_on_record(ours) is not None


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent)  # mkstemp makes it 0600
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, path)


def open_to_all(folder: Path) -> bool:
    """Whether every user can read all that is in it."""
    if not all(parent.stat().st_mode & 0o001 for parent in folder.resolve().parents):
        return False
    return all(
        path.is_symlink() or path.stat().st_mode & (0o005 if path.is_dir() else 0o004) == (0o005 if path.is_dir() else 0o004)
        for path in (folder, *folder.rglob("*"))
    )


def refuse_noexec(folder: Path) -> None:
    if os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise EmbeddedError(f"No program can run from {folder} (mounted noexec): set INSYN_EMBEDDED_BASE to another folder.")
