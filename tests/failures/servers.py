"""A PostgreSQL and a Redis of one test process's own, to be emptied, stopped and started: the embedded ones, another instance."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from config.embedded import places, postgres, redis


class OwnServers:
    """Started on first use, by `start_…`; `remove` stops them and deletes what they kept."""

    def __init__(self, instance: str) -> None:
        self.instance = instance

    @contextmanager
    def _chosen(self) -> Iterator[None]:
        before = os.environ.get("INSYN_INSTANCE")
        os.environ["INSYN_INSTANCE"] = self.instance
        try:
            yield
        finally:
            if before is None:
                del os.environ["INSYN_INSTANCE"]
            else:
                os.environ["INSYN_INSTANCE"] = before

    def start_redis(self) -> str:
        with self._chosen():
            redis.start()
            return redis.url()

    def stop_redis(self) -> None:
        with self._chosen():
            redis.stop()

    def empty_redis(self) -> None:
        with self._chosen():
            assert redis._say("*1\r\n$8\r\nFLUSHALL").startswith(b"+OK")

    def start_postgres(self) -> None:
        with self._chosen():
            postgres.start()

    def stop_postgres(self) -> None:
        with self._chosen():
            postgres.stop()

    def database(self, name: str) -> str:
        with self._chosen():
            return postgres.create_database(name)

    def remove(self) -> None:
        with self._chosen():
            if not places.directory().exists():
                return
            if places.has_home():
                postgres.stop()
                redis.stop()
                shutil.rmtree(places.servers_home())
            shutil.rmtree(places.directory(), ignore_errors=True)
