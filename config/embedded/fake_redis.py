"""fakeredis on a Unix socket, where no wheel of a real one fits: `python -P fake_redis.py PATH`. Its memory is its only store."""

import os
import signal
import socket
import socketserver
import sys
from itertools import count

from fakeredis import TcpFakeServer


class UnixServer(TcpFakeServer):
    address_family = socket.AF_UNIX

    def __init__(self, path: str) -> None:
        self._numbers = count(1)
        super().__init__(path)  # type: ignore[arg-type]  # it is typed for TCP
        self.daemon_threads = True

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, _ = socketserver.TCPServer.get_request(self)
        return connection, ("unix", next(self._numbers))  # it tells its clients apart by address, and here they have none


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    UnixServer(sys.argv[1]).serve_forever()
