"""Fetch an image, say what is in it, and write its files into a directory.

python pull.py IMAGE DIRECTORY
"""

import sys

from artificer import api


def fetch(reference: str, directory: str) -> None:
    """Fetch the image of *reference* for linux/amd64, and unpack it."""
    with api.Workshop("store") as workshop:
        image = workshop.pull(reference, platform="linux/amd64")
        print(f"{reference} is {image.digest} for {image.platform}")
        for layer in image.layers:
            print(f"layer {layer.blob.digest.short}, {layer.descriptor.size} bytes")
        print(f"starts {image.settings.get('Cmd')} with {image.settings.get('Env')}")
        workshop.push(image, f"rootfs:{directory}")


if __name__ == "__main__":
    fetch(*sys.argv[1:3])
