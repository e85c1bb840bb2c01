"""The random values of this instance: passwords and keys."""

import base64
import json
import secrets

from config.embedded.places import own_directory, write_private
from config.embedded.sharing import locked


def kept_secrets() -> dict[str, str]:
    """The random values of this instance (passwords, keys), made once and kept in a file that only we can read."""
    path = own_directory() / "secrets.json"
    if not path.exists():
        with locked():
            if not path.exists():
                keys = {name: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() for name in ("encryption", "hash")}
                write_private(
                    path, json.dumps(keys | {"postgres": secrets.token_urlsafe(32), "django": secrets.token_urlsafe(48)})
                )
    found: dict[str, str] = json.loads(path.read_text())
    return found
