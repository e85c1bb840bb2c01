"""The tests' settings for a worker process of its own: on the database and the queue that the test names."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

DATABASES["default"]["NAME"] = os.environ["INSYN_TEST_DATABASE"]
CELERY_TASK_DEFAULT_QUEUE = os.environ["INSYN_TEST_QUEUE"]
