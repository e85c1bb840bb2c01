"""gunicorn's settings: `gunicorn --config config/gunicorn.py config.wsgi`. The demo overrides some on its command line."""

import os
import shutil
import tempfile
from typing import Any

# The web's processes add up their metrics in this folder; it has to be named before anything imports prometheus_client.
_metrics = os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="insyn-metrics-"))

from prometheus_client import multiprocess  # noqa: E402

bind = os.environ.get("INSYN_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "3"))
threads = 4
timeout = 60
max_requests = 5000
max_requests_jitter = 500
control_socket_disable = True
accesslog = None  # paths carry references; Insyn's own request log has the route instead


def child_exit(server: Any, worker: Any) -> None:
    multiprocess.mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:
    shutil.rmtree(_metrics, ignore_errors=True)
