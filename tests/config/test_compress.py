"""Pages travel compressed; packages keep their length."""

import gzip

import pytest
from django.http import HttpResponse, StreamingHttpResponse

from config.compress import CompressMiddleware

pytestmark = pytest.mark.django_db


def answer(rf, response, **headers):
    return CompressMiddleware(lambda request: response)(rf.get("/", headers=headers))


def test_a_page_travels_compressed_to_whoever_can_read_it(client):
    plain = client.get("/")
    packed = client.get("/", headers={"accept-encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 2
    assert b"</html>" in gzip.decompress(packed.content)
    assert "Content-Encoding" not in plain


def test_styles_and_scripts_travel_compressed_too(rf):
    response = StreamingHttpResponse(iter([b"a{color:red}" * 100]), content_type='text/css; charset="utf-8"')
    assert answer(rf, response, **{"accept-encoding": "gzip"})["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("kind", ["application/zip", "application/json", "image/png"])
def test_nothing_else_is_touched(rf, kind):
    response = StreamingHttpResponse(iter([b"x" * 1000]), content_type=kind, headers={"Content-Length": "1000"})
    packed = answer(rf, response, **{"accept-encoding": "gzip"})
    assert packed["Content-Length"] == "1000"
    assert "Content-Encoding" not in packed
    assert isinstance(answer(rf, HttpResponse("x")), HttpResponse)
