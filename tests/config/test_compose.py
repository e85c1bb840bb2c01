"""docker-compose.yml, read by a real compose program."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import missing

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def compose() -> list[str]:
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if (
        shutil.which("docker")
        and subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    ):
        return ["docker", "compose"]
    return missing("no compose program (Debian: apt-get install --no-install-recommends docker-compose)")


def config(compose: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [*compose, "-f", str(PROJECT / "docker-compose.yml"), "config", "--quiet"]
    return subprocess.run(command, cwd=PROJECT, env=kept | environment, capture_output=True, text=True, check=False)


def required() -> set[str]:
    return set(re.findall(r"\$\{(\w+):\?", (PROJECT / "docker-compose.yml").read_text()))


def test_it_is_valid_with_all_that_it_asks_for(compose):
    done = config(compose, dict.fromkeys(required(), "x"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "SECRET_KEY", "INSYN_ENCRYPTION_KEYS"])
def test_it_says_what_is_missing(compose, name):
    done = config(compose, dict.fromkeys(required() - {name}, "x"))
    assert done.returncode != 0
    assert name in done.stderr or "set it in .env" in done.stderr


def test_the_example_file_names_all_that_it_asks_for():
    example = (PROJECT / "docs" / "example.env").read_text()
    assert required() <= set(re.findall(r"^(\w+)=", example, re.MULTILINE))


def test_it_hands_over_what_the_settings_need():
    from tests.config.test_settings import PRODUCTION

    text = (PROJECT / "docker-compose.yml").read_text()
    assert {name for name in PRODUCTION if f"    {name}: " not in text} == set()
