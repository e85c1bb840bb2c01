"""`python -m config.embedded start|stop|reset|status`"""

import argparse
import sys

from config import embedded

ACTIONS = {"start": embedded.keep_running, "stop": embedded.stop, "reset": embedded.reset, "status": lambda: None}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description="The demo's own PostgreSQL and Redis.")
    parser.add_argument("action", choices=ACTIONS)
    action = parser.parse_args().action
    try:
        ACTIONS[action]()
        print(embedded.status())
    except embedded.EmbeddedError as error:
        print(f"config.embedded: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
