"""Bears Celery workers quickly: a process that has everything loaded and forks one for each line on its standard input.

A line is JSON: {"command": ["worker", …], "settings": {…}, "database": {…}, "faults": [{…}], "log": path}; the answer is the
pid of the worker, which leads a process group of its own. When the input ends, however the tests ended, all of them are killed
and the tests' own servers removed.
"""

import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

# What a worker would else load after its birth, each its own copy.
LOADED = (
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.worker.consumer",
    "kombu.transport.redis",
    "phonenumbers",
    "privacy.stores.postgresql",
    "sqlalchemy.dialects.postgresql.psycopg",
)


def main(instance: str) -> None:
    import django

    django.setup()
    for name in LOADED:
        importlib.import_module(name)
    from config.celery import app
    from requests_app import tasks  # noqa: F401 - loaded once, for all
    from requests_app.running import workers  # noqa: F401 - loaded once, for all
    from tests.failures.servers import OwnServers

    app.loader.import_default_modules()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are not waited for
    born = []
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _live(app, json.loads(line))
        born.append(pid)
    for pid in born:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    OwnServers(instance).remove()


def _live(app: Any, wanted: dict[str, Any]) -> None:
    """The worker: a process that never returns."""
    from django.conf import settings
    from django.db import connection

    from tests.failures import faults

    os.setsid()
    print(os.getpid(), flush=True)  # not before it leads its group, by which it may be killed
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(log, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    status = 1
    try:
        for name, value in wanted["settings"].items():
            if name.startswith("CELERY_"):
                app.conf[name.removeprefix("CELERY_").lower()] = value
            setattr(settings, name, value)
        connection.settings_dict.update(wanted["database"])
        for fault in wanted["faults"]:
            faults.install(**fault)
        app.start(wanted["command"])
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(sys.argv[1])
