"""The Python API: build, push and pull. It reads no environment variable and prints nothing.

    from artificer import api

    with api.Workshop("/var/cache/artificer") as workshop:
        image = workshop.build("alpine:3.7", ["server", "conf/"], cmd=["/server"])
        digest = workshop.push(image, "registry.example.com/team/server:v1")

Everything that goes wrong is an `artificer.errors.ArtificerError` with a message, a hint and an
exit code. Importing this module costs next to nothing; what a call needs is imported by it.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from artificer.events import Report, unheard

if TYPE_CHECKING:
    from artificer.builder.build import Sources
    from artificer.builder.debian.tools import DebTools
    from artificer.builder.recipe import AddDebs, Scripts, Target
    from artificer.images.reach import Reach
    from artificer.oci.image import Content, Image, Index
    from artificer.registry.credential import Keychain
    from artificer.sandbox.client import Sandbox
    from artificer.sources.debian.values import Level
    from artificer.sources.url import Web


class Login(NamedTuple):
    """A user and a password (or token) for *registry*; the password has no repr."""

    registry: str
    username: str
    password: str

    def __repr__(self) -> str:
        """Without the password."""
        return f"Login({self.registry!r}, {self.username!r}, …)"


class Options(NamedTuple):
    """How registries are reached. *insecure* ones may speak plain http or show any certificate.

    Archives of packages are asked over *archive_mirrors* (``FROM=TO``) first, with the logins of
    the file *archive_auth*, as apt_auth.conf(5) has it.
    """

    logins: tuple[Login, ...] = ()
    ca_files: tuple[str, ...] = ()
    insecure: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    timeout: float = 60.0
    archive_mirrors: tuple[str, ...] = ()
    archive_auth: str = ""


USUAL = Options()


class Packages(NamedTuple):
    """Debian packages to install: *names* as apt-get takes them, *files* of ``.deb`` files.

    *archives* are lines as in sources.list; none are those that the base names. *pins* are as of
    ``--pin``. *level* is ``configure`` or ``unpack``, *profile* ``whole``, ``minimal`` or
    ``distroless``.
    *scripts* are run where that is possible (``auto``), always (``run``) or never (``replace``).
    """

    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    archives: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    recommends: bool = False
    level: "Level" = "configure"
    profile: str = "whole"
    scripts: "Scripts" = "auto"
    accept_skipped: bool = False
    pins: tuple[str, ...] = ()


class Workshop:
    """A store and the registries: where images are built, and where they come from and go.

    Use it in ``with``. One workshop may be used from several threads; *report* is told what
    happens, from any of them.
    """

    def __init__(
        self,
        store: str,
        options: Options = USUAL,
        *,
        report: Report = unheard,
    ) -> None:
        from artificer.http.dial import Network
        from artificer.images.reach import Reach
        from artificer.registry.certificates import Certificates
        from artificer.registry.routes import Routes, mirrored
        from artificer.registry.wire import registry_over, wired
        from artificer.stop import Stop
        from artificer.store.blobs import open_store

        self._stop = Stop()
        self._sandboxes: list[Sandbox] = []
        routes = Routes(
            mirrored((), options.mirrors),
            insecure=options.insecure,
            certificates=Certificates(ca_files=options.ca_files),
        )
        network = Network(self._stop, trust=routes.trust, timeout=options.timeout)
        self._options = options
        self._wire = wired(network, routes, report=report)
        opened = open_store(store)
        registry = registry_over(self._wire, _keychain(options), opened, report=report)
        self._reach = Reach(opened, registry, report, self._stop)

    @property
    def reach(self) -> "Reach":
        """The handles, for whoever composes calls of the packages below."""
        return self._reach

    def build(  # noqa: PLR0913 - keywords, each what a flag of the command line is
        self,
        base: str,
        files: Iterable[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        cmd: Sequence[str] | None = None,
        entrypoint: Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
        platforms: Iterable[str] = (),
        packages: Packages | None = None,
    ) -> "Image | Index":
        """Build *packages* and *files* (words as after ``--files``) upon *base*, into the store.

        None keeps what the base has, an empty list resets it. Several *platforms* give an index.
        """
        from artificer.builder.recipe import AddFiles, Step, Target
        from artificer.layers.rules import Rules
        from artificer.layers.select import parse_files_word
        from artificer.oci.platform import Platform
        from artificer.oci.reference import parse_reference
        from artificer.oci.settings import Settings

        sources = tuple(parse_files_word(word) for word in files)
        steps: tuple[Step, ...] = ()
        if packages is not None:
            steps = (_installed(packages, base),)
        if sources:
            steps = (*steps, AddFiles(sources, Rules(), (repr(sources), "api")))
        settings = Settings(
            env=tuple((env or {}).items()),
            cmd=None if cmd is None else tuple(cmd),
            entrypoint=None if entrypoint is None else tuple(entrypoint),
            labels=tuple((labels or {}).items()),
        )
        wanted = tuple(Platform.parse(text) for text in platforms)
        return self.build_target(Target(parse_reference(base), steps, settings, platforms=wanted))

    def build_target(self, target: "Target") -> "Image | Index":
        """Build a target of one's own making (`artificer.builder.recipe`)."""
        from artificer.builder.build import build
        from artificer.builder.recipe import AddDebs

        sources = self._sources()
        with self._reach.store.in_use():
            base = sources.base(target.base)
            if any(isinstance(step, AddDebs) for step in target.steps):
                from artificer.builder.package_base import completed

                target = completed(target, base, sources)
            return build(target, base, sources).content

    def push(self, content: "Content", *targets: str) -> str:
        """Bring *content* to each of *targets*, references of any kind; give its digest."""
        from artificer.images.deliver import Order, deliver
        from artificer.oci.reference import parse_reference

        orders = [Order(content, parse_reference(target)) for target in targets]
        with self._reach.store.in_use():
            deliver(orders, self._reach)
        return str(content.digest)

    def pull(self, reference: str, *, platform: str | None = None) -> "Image":
        """Fetch an image with all its layers into the store."""
        from artificer.images.place import image_for
        from artificer.images.pull import pull
        from artificer.oci.image import Image
        from artificer.oci.platform import Platform
        from artificer.oci.reference import parse_reference

        with self._reach.store.in_use():
            found = self._sources().find(parse_reference(reference))
            wanted = None if platform is None else Platform.parse(platform)
            image = pull(image_for(found, wanted), self._reach)
        assert isinstance(image, Image)  # noqa: S101 - an image was given
        return image

    def cancel(self) -> None:
        """End what other threads are doing here: they raise `artificer.errors.Cancelled`."""
        self._stop.set()
        self._wire.connections.abort()

    def close(self) -> None:
        """Close the connections, and the sandbox if there is one."""
        for sandbox in self._sandboxes:
            sandbox.close()
        self._wire.connections.close()

    def _sources(self) -> "Sources":
        from artificer.builder.build import Sources
        from artificer.builder.known import Known

        return Sources(self._reach, Known(self._reach), debs=self._debs)

    def _debs(self) -> "DebTools":
        from artificer.builder.debian.tools import DebTools
        from artificer.sandbox.client import Sandbox, SandboxOptions
        from artificer.store.trees import STATE

        store, web = self._reach.store, self._web()

        def sandbox() -> Sandbox:
            if not self._sandboxes:
                options = SandboxOptions(started=time.time_ns())
                made = Sandbox(f"{store.root}/{STATE}", options, self._stop)
                self._sandboxes.append(made)
            return self._sandboxes[0]

        return DebTools(web, sandbox)

    def _web(self) -> "Web":
        from artificer.http.redirect import redirecting
        from artificer.sources.logins import Logins, logged_in, named_logins
        from artificer.sources.mirrors import Mirrors, mirrors_of
        from artificer.sources.url import Web

        options, wire = self._options, self._wire
        named = options.archive_auth
        logins = Logins(named_logins(named, "archive_auth", "") if named else ())
        return Web(
            redirecting(logged_in(wire.direct, logins), plain=wire.routes.plain),
            self._reach.store,
            self._reach.report,
            self._stop,
            mirrors=Mirrors(mirrors_of(options.archive_mirrors, "archive_mirrors")),
            logins=logins,
        )

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()


def _installed(packages: Packages, base: str) -> "AddDebs":
    from artificer.builder.recipe import AddDebs
    from artificer.oci.reference import Scratch, parse_reference
    from artificer.sources.debian.archives.preferences import pin_of
    from artificer.sources.debian.archives.sourceslist import archive_of
    from artificer.sources.debian.installing.profiles import PROFILES
    from artificer.sources.debian.values import Wanted

    nothing = isinstance(parse_reference(base), Scratch)
    wanted = Wanted(
        tuple(dict.fromkeys(packages.names)),
        tuple(dict.fromkeys(packages.files)),
        tuple(dict.fromkeys(packages.exclude)),
        tuple(map(pin_of, packages.pins)),
        recommends=packages.recommends,
        essential=nothing and packages.level == "configure",
    )
    return AddDebs(
        wanted,
        tuple(one for line in packages.archives for one in archive_of(line, "archives")),
        level=packages.level,
        profile=PROFILES[packages.profile],
        scripts=packages.scripts,
        accept_skipped=packages.accept_skipped,
    )


def _keychain(options: Options) -> "Keychain":
    from artificer.registry.credential import Basic
    from artificer.registry.credentials import Login as Given
    from artificer.registry.credentials import chained, explicit

    return chained(
        *(
            explicit(Given(Basic(one.username, one.password), "Login", (one.registry,)))
            for one in options.logins
        )
    )
