"""The image that packages are installed upon: its layers at hand, and its files."""

from collections.abc import Callable

from artificer.images.bytes_of import into_store
from artificer.images.files import tree_of
from artificer.images.parallel import Work, run_all
from artificer.images.reach import Reach
from artificer.images.small import has_small
from artificer.layers.tree import Tree
from artificer.oci.image import Image, Layer

_AT_ONCE = 4


def ground(image: Image, reach: Reach) -> Tree:
    """The files of *image*, of which dpkg's and apt's are kept.

    Layers that have to be read for this are brought into the store: the sandbox reads them again,
    and they would come over the network each time.
    """

    def bring(layer: Layer) -> Work:
        def work(check: Callable[[], None]) -> None:
            check()
            into_store(layer.blob, reach)

        return work

    unread = [one for one in image.layers if not has_small(one.diff_id, reach.store)]
    run_all([bring(one) for one in unread], threads=_AT_ONCE, stop=reach.stop)
    return tree_of(image, reach, small=True)
