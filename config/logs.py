"""Logs as JSON lines that hold no personal data: no request bodies, no query strings, no exception texts.

Exception texts are left out because drivers put values into them; type and place of the error stay.
"""

import logging
import traceback
from typing import Any

import structlog
from structlog.typing import EventDict, Processor


def describe_exception(logger: object, method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the error's type and its frames, without its text."""
    found = event.pop("exc_info", None)
    if found:
        kind, _, frames = found if isinstance(found, tuple) else (type(found), found, getattr(found, "__traceback__", None))
        if kind:
            event["exception"] = f"{kind.__module__}.{kind.__qualname__}"
            event["frames"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(frames)[-20:]]
    return event


class WithoutTaskContents(logging.Filter):
    """Celery's lines about a task hold its arguments, its result and the text of its error: leave name, id and kind of error."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, dict):
            shown = {
                key: value for key, value in record.args.items() if key in ("id", "name", "runtime", "description", "internal")
            }
            record.args = {**dict.fromkeys(record.args, "-"), **shown}
        elif record.name == "celery.worker.consumer.consumer" and record.levelno >= logging.ERROR:
            record.msg, record.args = "A message that is no task of ours was discarded", ()
        return True


class WithoutPaths(logging.Filter):
    """Django's lines about a request end with its path, which carries references; ours has the route."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple("-" if isinstance(word, str) and word.startswith("/") else word for word in record.args)
        return True


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

CONFIGURATION: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": [*_SHARED, structlog.stdlib.ExtraAdder(allow=["status_code"])],
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                describe_exception,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        },
    },
    "filters": {"without_task_contents": {"()": WithoutTaskContents}, "without_paths": {"()": WithoutPaths}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "json"},
        "django": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["without_paths"]},
        "celery": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["without_task_contents"]},
        "none": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["django"], "level": "INFO", "propagate": False},
        # runserver's own request log prints query strings, and Django's mails whole requests: ours is in config/ops.py.
        "django.server": {"handlers": ["none"], "propagate": False},
        "django.db.backends": {"level": "WARNING"},
        # It tells of every post with the whole address, and that of a gateway may hold its key.
        "httpx2": {"level": "WARNING"},
        "celery": {"handlers": ["celery"], "level": "INFO", "propagate": False},
        "celery.beat": {"level": "WARNING"},  # a line every five seconds says nothing
    },
}


def configure_structlog() -> None:
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
