"""Where a worker of these tests stops: functions of the product, wrapped in the worker's own process and nowhere else."""

import os
import pkgutil
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any

# What a stop does: the whole worker dies, its child alone dies, or it freezes until somebody sends SIGCONT.
WAYS: dict[str, Callable[[], None]] = {
    "kill": lambda: os.killpg(0, signal.SIGKILL),
    "kill child": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "freeze": lambda: os.killpg(0, signal.SIGSTOP),
}


def install(what: str, **details: Any) -> None:
    {"stop": _stop, "stop at statement": _stop_at_statement, "set": _set}[what](**details)


def _set(place: str, value: Any) -> None:
    """Give a constant of the product another value, so that few rows are many."""
    module, _, name = place.partition(":")
    setattr(pkgutil.resolve_name(module), name, value)


def _stop(moment: str, place: str, call: int = 1, way: str = "kill") -> None:
    """Stop `before` or `after` the `call`-th call of `place`, which is "module:function" or "module:Class.method"."""
    module, _, path = place.partition(":")
    owner = pkgutil.resolve_name(f"{module}:{path.rpartition('.')[0]}") if "." in path else pkgutil.resolve_name(module)
    name = path.rpartition(".")[2]
    original = getattr(owner, name)
    count = 0

    @wraps(original)
    def wrapped(*args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if moment == "before" and count == call:
            WAYS[way]()
        answer = original(*args, **options)
        if moment == "after" and count == call:
            WAYS[way]()
        return answer

    setattr(owner, name, wrapped)


def _stop_at_statement(number: int) -> None:
    """Die before the `number`-th statement that this process sends to any database, the application's or a store's."""
    left = number

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                WAYS["kill"]()
            return original(*args, **options)

        return wrapped

    from django.db.backends.utils import CursorWrapper
    from sqlalchemy import Connection

    for owner, names in ((CursorWrapper, ("execute", "executemany")), (Connection, ("execute", "commit"))):
        for name in names:
            setattr(owner, name, counted(getattr(owner, name)))
