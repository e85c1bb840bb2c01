"""An OpenID Connect provider on a port of this machine, with a signing key of its own; it lies where a test says so."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

CLIENT, SECRET = "insyn", "a secret between the two"


class Broker(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server_port}/oidc"
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)
        self.told = {"personnummer": "19640823-3234"}  # what it says of whoever signs in there
        self.lies = {}  # claims to say instead; None leaves one out
        self.metadata_lies = {}
        self.answer_lies = {}  # parameters of the answer in the address
        self.user_info = None
        self.sign = self.signed
        self.down = False
        self.codes = {}
        self.asked = []

    def metadata(self):
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        } | self.metadata_lies

    def signed(self, claims):
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def authorize(self, query):
        """The address to which the browser is sent back."""
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        answer = {"code": code, "state": query["state"], "iss": self.issuer} | self.answer_lies
        return f"{query['redirect_uri']}?{urlencode({name: value for name, value in answer.items() if value is not None})}"

    def tokens(self, form, authorization):
        login = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        query = self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if (
            authorization != f"Basic {login}"
            or query is None
            or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != query["code_challenge"]
            or form["redirect_uri"] != query["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "somebody",
            "iat": now,
            "exp": now + 300,
            "nonce": query["nonce"],
        } | (self.told if self.user_info is None else {})
        claims = {name: value for name, value in (claims | self.lies).items() if value is not None}
        return 200, {"token_type": "Bearer", "access_token": "opens", "id_token": self.sign(claims)}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path, query = self._asked()
        if self.server.down:
            self._say(503, {})
        elif path.endswith("/.well-known/openid-configuration"):
            self._say(200, self.server.metadata())
        elif path.endswith("/jwks"):
            self._say(200, {"keys": [self.server.key.as_dict(private=False)]})
        elif path.endswith("/userinfo"):
            allowed = self.headers["Authorization"] == "Bearer opens"
            self._say(200 if allowed else 401, self.server.user_info or {})
        else:
            self.send_response(302)
            self.send_header("Location", self.server.authorize(query))
            self.end_headers()

    def do_POST(self):
        self._asked()
        form = {
            name: values[0] for name, values in parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode()).items()
        }
        self._say(*((503, {}) if self.server.down else self.server.tokens(form, self.headers["Authorization"])))

    def _asked(self):
        parts = urlsplit(self.path)
        self.server.asked.append(parts.path.rpartition("/")[2])
        return parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()}

    def _say(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextmanager
def broker() -> Iterator[Broker]:
    with Broker() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def unsigned(claims):
    """A token with `alg: none`, as no library would make it."""

    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}."


def signed_by_somebody_else(claims):
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, RSAKey.generate_key(2048, {"kid": "one"}, private=True))


def signed_by_another_curve(claims):
    return jwt.encode({"alg": "ES256", "kid": "two"}, claims, ECKey.generate_key("P-256", {"kid": "two"}, private=True))


def signed_with_the_public_key_as_a_secret(key):
    """The confusion of RS256 with HS256: everybody knows the public key."""

    def sign(claims):
        return jwt.encode({"alg": "HS256", "kid": key.kid}, claims, OctKey.import_key(key.as_pem(private=False)))

    return sign
