"""Signature Version 4: how AWS wants a request signed."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit


class Keys(NamedTuple):
    """An AWS access key; *token* comes with those that expire."""

    access_key: str
    secret_key: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Keys({self.access_key!r}, …)"


class Scope(NamedTuple):
    """What a signature is good for."""

    region: str
    service: str


def signed(
    url: str, headers: Mapping[str, str], body: bytes, *, keys: Keys, scope: Scope, now: float
) -> dict[str, str]:
    """*headers* of a POST of *body* to the root of *url*, and those that sign it at *now*."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    day = moment[:8]
    given = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    given |= {"host": urlsplit(url).netloc, "x-amz-date": moment}
    if keys.token:
        given["x-amz-security-token"] = keys.token
    names = ";".join(sorted(given))
    lines = "".join(f"{name}:{given[name]}\n" for name in sorted(given))
    canonical = "\n".join(("POST", "/", "", lines, names, hashlib.sha256(body).hexdigest()))
    parts = (day, scope.region, scope.service, "aws4_request")
    what = "/".join(parts)
    text = "\n".join(
        ("AWS4-HMAC-SHA256", moment, what, hashlib.sha256(canonical.encode()).hexdigest())
    )
    key = b"AWS4" + keys.secret_key.encode()
    for part in parts:
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    given["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{what}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return given
