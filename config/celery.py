"""The Celery application: `celery -A config worker` and `celery -A config beat`."""

import gc
import os

from celery import Celery
from celery.signals import setup_logging, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("insyn")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**kwargs: object) -> None:
    """Celery would otherwise install its own log format, which shows task arguments."""
    import logging.config

    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@worker_process_init.connect
def leave_alone_what_stays(**kwargs: object) -> None:
    """Looking for cycles among all that is loaded by now, again and again, would be in vain."""
    gc.collect()
    gc.freeze()
