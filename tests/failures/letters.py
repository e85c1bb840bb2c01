"""A messenger whose messages outlive the worker that sent them: lines of a file, for the tests to read."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings


class FileMessenger:
    def send(self, *, channel: str, to: str, subject: str, text: str, key: str) -> None:
        with Path(settings.INSYN_TEST_LETTERS).open("a") as file:
            file.write(json.dumps({"key": key, "to": to, "subject": subject}) + "\n")


def sent() -> list[dict[str, Any]]:
    path = Path(settings.INSYN_TEST_LETTERS)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
