#!/usr/bin/env python
"""Django's command line. In demo mode (no DATABASE_URL) it first starts and migrates what the command needs."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if "DATABASE_URL" not in os.environ:
        from config.demo import prepare_command

        prepare_command(sys.argv)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
