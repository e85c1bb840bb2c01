"""The settings under test: the demo's, on an instance of its own, so that no test ever touches demo data.

This runs before any conftest: pytest-django reads the settings first of all.
"""

import os
import re

os.environ["INSYN_INSTANCE"] = "test"
os.environ.pop("DATABASE_URL", None)
os.environ.setdefault("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")

from config import embedded
from config.messages import compile_messages


def _drop_leftovers() -> None:
    """Databases of test runs that were killed: their names end with, or carry, the number of a process that is gone."""
    import psycopg

    with psycopg.connect(embedded.postgres_url("postgres")) as connection:
        names = [name for (name,) in connection.execute("SELECT datname FROM pg_database")]
    for name in names:
        found = re.match(r"(?:test_insyn|throwaway)_(\d+)(?:_|$)", name)
        if found and not embedded.command_line(int(found[1])):
            embedded.drop_database(name)


embedded.ensure_running()
compile_messages()
if "PYTEST_XDIST_WORKER" not in os.environ:
    _drop_leftovers()

from config.settings import *  # noqa: E402, F403
from config.settings import CACHES, DATABASES, LOGGING, MIDDLEWARE  # noqa: E402

# Several runs share the servers: each process has its own database and its own keys in the cache.
DATABASES["default"]["TEST"] = {"NAME": f"test_insyn_{os.getpid()}"}
CACHES["default"]["KEY_PREFIX"] = f"test_{os.getpid()}"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
LOGGING["root"]["level"] = "WARNING"
CELERY_TASK_ALWAYS_EAGER = False
MIDDLEWARE.remove("whitenoise.middleware.WhiteNoiseMiddleware")  # it would read all static files for each test's client
INSYN_EMAIL_MESSENGER = INSYN_SMS_MESSENGER = "tests.mailbox.Mailbox"
