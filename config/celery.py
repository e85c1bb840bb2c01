"""The Celery application: `celery -A config worker` and `celery -A config beat`."""

import os

from celery import Celery
from celery.signals import setup_logging, task_prerun, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("insyn")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# So many tasks use one connection to our own database: making it takes longer than most of them do.
app.conf.CELERY_DB_REUSE_MAX = 500


@setup_logging.connect
def keep_django_logging(**kwargs: object) -> None:
    """Celery would otherwise install its own log format, which shows task arguments."""
    import logging.config

    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@worker_process_init.connect
def keep_connections(**kwargs: object) -> None:
    from django.db import connections

    for connection in connections.all():
        connection.settings_dict["CONN_MAX_AGE"] = 300


@task_prerun.connect
def drop_what_broke(**kwargs: object) -> None:
    """A connection that is too old or failed is closed; one that is used again is tried before (CONN_HEALTH_CHECKS)."""
    from django.db import close_old_connections

    close_old_connections()
