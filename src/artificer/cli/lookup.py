"""From a reference on the command line to what it names: where to look, which platform."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from artificer.cli.connect import open_reach
from artificer.cli.session import Session
from artificer.events import Note
from artificer.images.find import Wishes, find
from artificer.images.place import Found, image_for, platforms
from artificer.images.reach import Reach
from artificer.oci.image import Image
from artificer.oci.platform import LINUX_AMD64, Platform
from artificer.oci.reference import Reference


class Lookup:
    """A handle on everything that references may point to, as the options say."""

    def __init__(self, args: Namespace, session: Session, reach: Reach) -> None:
        self._args = args
        self._session = session
        self.reach = reach

    @property
    def docker_host(self) -> str | None:
        """Where a docker engine listens, if that is said."""
        return self._session.environ.get("DOCKER_HOST")

    @property
    def asked(self) -> Platform | None:
        """The platform that ``--platform`` names."""
        text = getattr(self._args, "platform", None)
        return None if text is None else Platform.parse(text)

    @property
    def platform(self) -> Platform | None:
        """The platform of a command that is about one image: asked for, or this user's usual."""
        usual = self._session.environ.get("DOCKER_DEFAULT_PLATFORM")
        return self.asked or (Platform.parse(usual) if usual else None)

    def find(self, reference: Reference) -> Found:
        """What *reference* names; documents are read when they are needed, layers never."""
        wishes = Wishes(
            pull="never" if self._args.offline else self._args.pull,
            docker_host=self.docker_host,
            platform=self.platform or LINUX_AMD64,
        )
        return find(reference, self.reach, wishes)

    def image(self, reference: Reference) -> Image:
        """The one image of *reference* that a command is about."""
        return self.image_in(self.find(reference))

    def image_in(self, found: Found) -> Image:
        """The image of the platform; of several, when nobody chose, it is told which is taken."""
        image = image_for(found, self.platform)
        there = platforms(found) if self.platform is None else ()
        if len(there) > 1:
            listed = ", ".join(map(str, there))
            told = f"{found.reference} has {listed}: taking {image.platform}"
            self.reach.report(Note(f"{told}; `--platform` chooses another"))
        return image


@contextmanager
def looking(
    args: Namespace, session: Session, targets: Sequence[Reference] = ()
) -> Iterator[Lookup]:
    """Open the store and the way to registries; while inside, nothing here is pruned."""
    reach = open_reach(args, session, targets)
    with reach.store.in_use():
        yield Lookup(args, session, reach)
