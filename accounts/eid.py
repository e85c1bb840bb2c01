"""Electronic identification by OpenID Connect: the authorization code flow with PKCE, state and nonce, for any one broker.

Everything is fetched from the host of INSYN_EID_ISSUER and from no other. What the broker says counts only when its signature,
issuer, audience, time, nonce and (where asked for) level of assurance are right. No claim gets into a URL, a log or an exception.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.cache import cache
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

SECONDS = 10  # for one answer of the broker
LARGEST_ANSWER = 512 * 1024
CACHED_SECONDS = 600
LEEWAY = 60  # how far the broker's clock may be off
PENDING_SECONDS = 15 * 60  # what a person may take at the broker
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]


class EidFailed(Exception):
    """The broker cannot be reached, or what came from there proves nothing. The text says which, without any value."""


class EidCancelled(EidFailed):
    """The person or the broker broke it off."""


@dataclass(frozen=True)
class Pending:
    """What must come back as it went out; kept in the person's session while they are at the broker."""

    state: str
    nonce: str
    verifier: str
    started: int


def is_on() -> bool:
    return bool(settings.INSYN_EID_ISSUER and settings.INSYN_EID_CLIENT_ID and settings.INSYN_EID_CLAIM)


def begin(*, redirect_uri: str, language: str, now: datetime) -> tuple[Pending, str]:
    """What to remember, and the broker's address to send the person to. Raises EidFailed."""
    pending = Pending(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), int(now.timestamp()))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(pending.verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": settings.INSYN_EID_CLIENT_ID,
        "redirect_uri": redirect_uri,
        "scope": settings.INSYN_EID_SCOPE,
        "state": pending.state,
        "nonce": pending.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "ui_locales": language,
        "max_age": "0",  # identified now, not some day by whoever used this browser before
    }
    if settings.INSYN_EID_ACR:
        asked["acr_values"] = " ".join(settings.INSYN_EID_ACR)
    endpoint = _endpoint("authorization_endpoint")
    return pending, f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"


def finish(*, pending: Pending, answer: dict[str, str], redirect_uri: str, now: datetime) -> str:
    """The claim by which the person is matched, from the broker's answer in the address. Raises EidFailed, EidCancelled.

    The caller has dropped `pending` before: an answer counts once.
    """
    if not hmac.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
        raise EidFailed("the answer does not belong to this sitting")
    if int(now.timestamp()) - pending.started > PENDING_SECONDS:
        raise EidFailed("the answer came too late")
    if answer.get("iss") not in (None, settings.INSYN_EID_ISSUER):  # RFC 9207: a mix-up of brokers
        raise EidFailed("the answer names another issuer")
    if "error" in answer or not answer.get("code"):
        raise EidCancelled("the broker sent no code")
    tokens = _token(answer["code"], pending, redirect_uri)
    claims = _checked(tokens.get("id_token"), pending, now)
    value = claims.get(settings.INSYN_EID_CLAIM)
    if value is None and tokens.get("access_token"):
        claims = _user_info(str(tokens["access_token"]), str(claims["sub"]))
        value = claims.get(settings.INSYN_EID_CLAIM)
    if settings.INSYN_EID_CLAIM == "email" and claims.get("email_verified") is not True:
        raise EidFailed("the broker has not verified the address")
    if not isinstance(value, str) or not value.strip():
        raise EidFailed("the broker's answer lacks the claim of INSYN_EID_CLAIM")
    return value.strip()


# --- what the broker says ---------------------------------------------------------------------------------------------


def _token(code: str, pending: Pending, redirect_uri: str) -> dict[str, Any]:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": pending.verifier}
    methods = _metadata().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    login = (settings.INSYN_EID_CLIENT_ID, settings.INSYN_EID_CLIENT_SECRET)
    if "client_secret_basic" not in methods:
        form |= {"client_id": login[0], "client_secret": login[1]}
    return _fetched("POST", _endpoint("token_endpoint"), data=form, auth=login if "client_secret_basic" in methods else None)


def _checked(token: Any, pending: Pending, now: datetime) -> dict[str, Any]:
    """The claims of the ID token, as OpenID Connect Core 3.1.3.7 has them checked."""
    if not isinstance(token, str):
        raise EidFailed("the broker sent no ID token")
    client = settings.INSYN_EID_CLIENT_ID
    rules = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY,
        iss={"essential": True, "value": settings.INSYN_EID_ISSUER},
        aud={"essential": True, "value": client},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": pending.nonce},
    )
    try:
        claims = _decoded(token)
        rules.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError):
        raise EidFailed("the ID token does not hold") from None
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client:
        raise EidFailed("the ID token is for somebody else, too")
    if settings.INSYN_EID_ACR and claims.get("acr") not in settings.INSYN_EID_ACR:
        raise EidFailed("the broker did not identify the person as well as INSYN_EID_ACR asks")
    identified = claims.get("auth_time")  # brokers that leave it out cannot be held to `max_age`
    if identified is not None and (not isinstance(identified, int) or identified < pending.started - LEEWAY):
        raise EidFailed("the broker did not identify the person now, but tells of an earlier time")
    return claims


def _decoded(token: str) -> dict[str, Any]:
    """Signature checked by the broker's keys, which are read anew once: brokers change them without a word."""
    try:
        return dict(jwt.decode(token, _keys(), algorithms=ALGORITHMS).claims)
    except (JoseError, ValueError):
        cache.delete(_cached_as("jwks"))
        return dict(jwt.decode(token, _keys(), algorithms=ALGORITHMS).claims)


def _user_info(access_token: str, subject: str) -> dict[str, Any]:
    if "userinfo_endpoint" not in _metadata():
        return {}
    told = _fetched("GET", _endpoint("userinfo_endpoint"), headers={"Authorization": f"Bearer {access_token}"})
    if told.get("sub") != subject:
        raise EidFailed("the broker told about somebody else")
    return told


# --- asking the broker ------------------------------------------------------------------------------------------------


def _metadata() -> dict[str, Any]:
    """Of OpenID Connect Discovery; it must name the issuer that it was asked for."""
    known = cache.get(_cached_as("metadata"))
    if known is None:
        known = _fetched("GET", settings.INSYN_EID_ISSUER.rstrip("/") + "/.well-known/openid-configuration")
        if known.get("issuer") != settings.INSYN_EID_ISSUER:
            raise EidFailed("the broker calls itself by another name than INSYN_EID_ISSUER")
        cache.set(_cached_as("metadata"), known, CACHED_SECONDS)
    return dict(known)


def _endpoint(name: str) -> str:
    url = _metadata().get(name)
    if not isinstance(url, str) or _house(url) != _house(settings.INSYN_EID_ISSUER):
        raise EidFailed(f"the broker's {name} is not at the host of INSYN_EID_ISSUER")
    return url


def _house(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _keys() -> KeySet:
    known = cache.get(_cached_as("jwks"))
    if known is None:
        known = _fetched("GET", _endpoint("jwks_uri"))
        cache.set(_cached_as("jwks"), known, CACHED_SECONDS)
    # Public keys alone: with a shared secret among them, whoever reads the list could sign.
    public = [key for key in known.get("keys", ()) if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP")]
    return KeySet.import_key_set({"keys": public})


def _fetched(method: str, url: str, **more: Any) -> dict[str, Any]:
    import httpx2

    try:
        with httpx2.Client(timeout=SECONDS, follow_redirects=False, trust_env=False) as client:
            answer = client.request(method, url, **more)
        found = answer.json() if answer.status_code == 200 and len(answer.content) <= LARGEST_ANSWER else None
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        raise EidFailed("the broker does not answer as it should") from None
    if not isinstance(found, dict):
        raise EidFailed("the broker does not answer as it should")
    return found


def _cached_as(what: str) -> str:
    return f"eid:{what}:{hashlib.sha256(settings.INSYN_EID_ISSUER.encode()).hexdigest()[:16]}"
