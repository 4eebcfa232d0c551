"""Uses a store until it is killed: images, names, records, uploads' sessions."""

import os
import random
import sys

from artificer.oci.digest import Digest
from artificer.store.blobs import Store, open_store
from tests.store.images import image_in


def work(store: Store, rng: random.Random) -> None:
    """One small build."""
    layers = [rng.randbytes(rng.choice([10, 1000, 300_000])) for _ in range(3)]
    key = f"key {rng.randrange(20)}"
    with store.in_use():
        with store.writer() as writer:
            for start in range(0, len(layers[0]), 1000):
                writer.write(layers[0][start : start + 1000])
            writer.commit(Digest.of(layers[0]), len(layers[0]))
        image = image_in(store, *layers)
        store.set_name(f"name {rng.randrange(5)}", image)
        store.set_record("layer", key, b"data" * 100, needs=[Digest.of(layers[1])])
        store.record("layer", f"key {rng.randrange(20)}")
        store.take_record("layer", f"key {rng.randrange(20)}")
    if rng.random() < 0.3:
        store.remove_name(f"name {rng.randrange(5)}")


def main() -> None:
    """``python kill_worker.py STORE SEED``, until killed."""
    rng = random.Random(sys.argv[2])
    while True:
        work(open_store(sys.argv[1]), rng)
        os.write(1, b"built\n")


if __name__ == "__main__":
    main()
