"""Files to send, honest and not, and a clamd to scan them: a real server of its protocol on a unix socket."""

import io
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

SECRET = "Made-With-Camera-4711"
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def picture(kind="JPEG", size=(400, 250), *, orientation=1, colour="navy"):
    """A picture with a name of its maker in its metadata, turned by its EXIF as telephones do."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8825] = orientation, SECRET, {1: "N", 2: (59.0, 19.0, 0.0)}
    made = io.BytesIO()
    image = Image.new("RGB", size, colour)
    image.paste("white", (0, 0, size[0] // 2, 10))
    image.save(made, format=kind, exif=exif)
    return made.getvalue()


def pdf(pages=1, *, extra=b""):
    """A PDF with a script that runs when it is opened, text, and metadata."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert\\('" + SECRET.encode() + b"'\\))>>>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, b" ".join(b"%d 0 R" % (5 + number) for number in range(pages))),
        b"<</Author(" + SECRET.encode() + b")>>",
        b"<</Length 36>>stream\n0 0 1 rg 50 50 200 200 re f         \nendstream",
        *[b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>" for _page in range(pages)],
    ]
    made, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    made += extra
    table = len(made)
    made += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    made += b"".join(b"%010d 00000 n \n" % place for place in places)
    return made + b"trailer<</Size %d/Root 1 0 R/Info 3 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)


def sent(content, name="passport.jpg", content_type="image/jpeg"):
    return SimpleUploadedFile(name, content, content_type=content_type)


class _Clamd(socketserver.BaseRequestHandler):
    def handle(self):
        link = self.request.makefile("rb")
        assert link.read(10) == b"zINSTREAM\0"
        content = b""
        while size := struct.unpack("!L", link.read(4))[0]:
            content += link.read(size)
        self.server.scanned.append(content)
        found = b"stream: Eicar-Test-Signature FOUND\0" if EICAR in content else b"stream: OK\0"
        self.request.sendall(self.server.answer or found)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


@contextmanager
def clamd(path: Path) -> Iterator[_Server]:
    """Listens at `path`; `scanned` is what it was given, `answer` what it says instead of what it found."""
    with _Server(str(path), _Clamd) as server:
        server.scanned, server.answer = [], b""
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
