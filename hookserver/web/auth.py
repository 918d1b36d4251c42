"""Who is the admin: one token in a file, shown as a Bearer header or, by a browser, as a cookie made from it.

The cookie's value is an HMAC of the token, so that a stolen cookie jar does not hold the token
itself, and a new token ends all sessions. There is no exception for loopback: behind a careless
proxy the whole internet looks local.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from hookserver.core.addresses import bucket_of
from hookserver.core.ratelimit import Rate, RateLimiter
from hookserver.errors import ConfigError, Refused

COOKIE = "hookserver_admin"
LOGINS = Rate(10, 60)         # tries of one address
_SHORTEST = 16                # characters of a token that somebody wrote himself
_LABEL = b"hookserver admin session 1"


def load_token(file: Path) -> str:
    """The admin token; made on the first start. Raises ConfigError for a file that holds no usable one."""
    try:
        token = file.read_text("ascii").strip()
    except FileNotFoundError:
        return _make_token(file)
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"cannot read the admin token: {error}", file=str(file)) from None
    if len(token) < _SHORTEST or not token.isprintable() or " " in token:
        raise ConfigError(f"the admin token must be {_SHORTEST} or more printable characters",
                          file=str(file), hint="delete the file to get a new one")
    return token


def _make_token(file: Path) -> str:
    token = secrets.token_hex(32)
    fresh = file.with_name(file.name + ".hookserver-tmp")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as out:
        out.write(token + "\n")
        out.flush()
        os.fsync(out.fileno())
    os.rename(fresh, file)
    return token


def is_exposed(file: Path) -> bool:
    """Whether others than the owner may read the file."""
    return bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


class Auth:
    """Checks tokens and cookies in constant time, and slows down those who guess."""

    def __init__(self, token: str):
        self._token = token.encode()
        self.cookie = hmac.new(self._token, _LABEL, hashlib.sha256).hexdigest()
        self._logins = RateLimiter(LOGINS, max_buckets=1000)

    def knows(self, authorization: str | None, cookie: str | None) -> bool:
        """Whether the Authorization header or the cookie is the admin's."""
        if authorization is not None:
            scheme, _, credentials = authorization.partition(" ")
            return scheme.lower() == "bearer" and self._is_token(credentials.strip())
        return cookie is not None and hmac.compare_digest(cookie.encode(), self.cookie.encode())

    def login(self, token: str, client: str, now: float) -> None:
        """Raises Refused unless ``token`` is right and ``client`` has not tried too often."""
        wait = self._logins.take(bucket_of(client), now)
        if wait:
            raise Refused("rate_limited", "Too many logins from this address.", retry_after=wait)
        if not self._is_token(token):
            raise Refused("token_required", "This is not the admin token.",
                          hint="It stands in admin.token in the data directory.")

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "surrogatepass"), self._token)
