"""Build an image of two files upon a base, and keep it as an OCI layout: nothing is pushed.

python build.py BASE LAYOUT
"""

import sys

from artificer import api
from artificer.errors import ArtificerError


def build(base: str, layout: str) -> str:
    """Build upon *base*; give the digest."""
    with api.Workshop("store") as workshop:
        image = workshop.build(
            base,
            ["server", "conf/"],  # words as after --files
            env={"LOGLEVEL": "1"},
            cmd=["/server", "--config", "/conf/server.toml"],
            labels={"org.opencontainers.image.title": "server"},
        )
        return workshop.push(image, f"oci:{layout}:v1")


if __name__ == "__main__":
    try:
        print(build(*sys.argv[1:3]))
    except ArtificerError as error:
        # What a person can do about it, and an exit code that scripts know.
        print(f"error: {error.message}", f"hint: {error.hint}", sep="\n", file=sys.stderr)
        sys.exit(error.exit_code)
