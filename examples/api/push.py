"""Build for two platforms, push the index to two tags, and tell what was sent.

USERNAME=… PASSWORD=… python push.py REGISTRY/NAME
"""

import os
import sys

from artificer import api
from artificer.events import BlobMounted, BlobSent, Event, Retrying


def tell(event: Event) -> None:
    """Print what goes over the network. Called from any thread; must not raise."""
    match event:
        case BlobSent(repository, digest, _, sent):
            print(f"{repository}: {digest.short}, {sent} bytes sent", file=sys.stderr)
        case BlobMounted(repository, digest, _, source):
            print(f"{repository}: {digest.short} mounted from {source}", file=sys.stderr)
        case Retrying(what, reason, seconds):
            print(f"{what}: {reason}; again in {seconds:.1f} s", file=sys.stderr)
        case _:
            pass


def publish(name: str, options: api.Options) -> str:
    """Push to *name*, as v1 and as latest: both tags or none; give the digest of the index."""
    with api.Workshop("store", options, report=tell) as workshop:
        index = workshop.build("scratch", ["conf/"], platforms=["linux/amd64", "linux/arm64"])
        return workshop.push(index, f"{name}:v1", f"{name}:latest")


def main(name: str) -> None:
    """The library reads no environment and no file of credentials: logins are given to it."""
    registry = name.partition("/")[0]
    login = api.Login(registry, os.environ["USERNAME"], os.environ["PASSWORD"])
    authorities = tuple(filter(None, [os.environ.get("CA_FILE")]))
    print(publish(name, api.Options(logins=(login,), ca_files=authorities)))


if __name__ == "__main__":
    main(sys.argv[1])
