"""What an instruction depends on, by name: its key, and what `--explain` compares."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, assert_never

from artificer.builder.keys import Part
from artificer.builder.keys import key as key_of
from artificer.builder.staged.contents import Wanted, content_of
from artificer.builder.staged.owners import is_named
from artificer.builder.staged.select import Manner, literal, manner_of
from artificer.builder.staged.shop import Ask, Shop
from artificer.builder.stages import (
    AddSources,
    BindMount,
    CacheMount,
    ContextFiles,
    CopyFiles,
    From,
    MakeDirectory,
    Mount,
    RunCommand,
    SecretMount,
    SshMount,
    StageImage,
    Step,
    TmpfsMount,
)
from artificer.oci.digest import Digest
from artificer.oci.image import Image
from artificer.oci.platform import Platform

BELOW = "what lies below"
LOST = "owners are lost"


class At(NamedTuple):
    """Where an instruction stands: on which layers, and what earlier stages came to."""

    chain: tuple[Digest, ...]
    stages: Mapping[int, Image]
    platform: Platform | None
    kind: str


class Parts(NamedTuple):
    """All that an instruction depends on, and the files that are known to have changed."""

    named: tuple[tuple[str, Part], ...]
    changed: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key of what the instruction comes to."""
        return key_of("step-1", self.named)

    def hashed(self) -> dict[str, str]:
        """Each part by itself, for a record."""
        return {name: key_of(part)[:16] for name, part in self.named}

    def having(self, name: str) -> "Parts":
        """These and one more."""
        return self._replace(named=(*self.named, (name, True)))


def parts_of(step: Step, at: At, shop: Shop) -> Parts:
    """Return what *step* depends on. Contexts are looked at, nothing else is."""
    changed: list[str] = []
    naming = _Naming(at, shop, changed)
    match step:
        case CopyFiles():
            found = [("kind", "COPY"), *naming.copy(step)]
        case AddSources():
            found = [("kind", "ADD"), *naming.add(step)]
        case MakeDirectory(path, owner):
            found = [("kind", "WORKDIR"), ("path", path), ("owner", owner), *naming.below()]
        case RunCommand():
            found = [("kind", "RUN"), *naming.run(step), *naming.below()]
        case _:
            assert_never(step)
    around = (("encoder", at.kind), ("epoch", shop.options.epoch))
    return Parts((*found, *around), tuple(changed))


class _Naming:
    def __init__(self, at: At, shop: Shop, changed: list[str]) -> None:
        self._at = at
        self._shop = shop
        self._changed = changed

    def below(self) -> Iterator[tuple[str, Part]]:
        yield BELOW, self._at.chain

    def copy(self, copy: CopyFiles) -> Iterator[tuple[str, Part]]:
        yield "destination", copy.dest
        yield "sources", copy.sources
        yield "--chown", copy.owner
        yield "--chmod", copy.mode
        yield "other flags", (copy.link, copy.parents, copy.exclude)
        for one in copy.inline:
            yield f"heredoc {one.name}", one.data
        if copy.sources:
            yield from self._files(copy.source, copy.sources, manner_of(copy))
        if not copy.link or (copy.owner and is_named(copy.owner)):
            yield from self.below()

    def add(self, step: AddSources) -> Iterator[tuple[str, Part]]:
        yield from self.copy(step.files)
        yield "--unpack", step.unpack
        yield "--checksum", step.checksum
        for url in step.remote:
            found = self._shop.fetch(Ask(url, step.checksum, step.keep_git_dir))
            yield f"what {url} gives", found.identity

    def run(self, command: RunCommand) -> Iterator[tuple[str, Part]]:
        options = self._shop.options
        yield "command", (command.argv, command.script)
        yield "user and directory", (command.user, command.workdir)
        yield "network", command.network
        yield "--add-host", options.running.hosts
        yield "--preserve-mtime", options.preserve_mtime
        for name, value in command.env:
            yield f"variable {name}", value
        for mount in command.mounts:
            yield from self._mount(mount)

    def _mount(self, mount: Mount) -> Iterator[tuple[str, Part]]:
        name = f"mount {mount.target}"
        match mount:
            case BindMount():
                yield name, ("bind", mount.path, mount.writable)
                yield from self._files(mount.source, (literal(mount.path),), Manner(), name)
            case CacheMount():
                owner = (mount.uid, mount.gid)
                yield name, ("cache", mount.id, mount.mode, owner, mount.readonly)
                if mount.source is not None:
                    path = literal(mount.path)
                    yield from self._files(mount.source, (path,), Manner(), name)
            case TmpfsMount(_, size):
                yield name, ("tmpfs", size)
            case SecretMount():
                # What it is is no part of the key: only that it is there, and how.
                yield f"secret {mount.id}", (mount.target, mount.env, mount[3:])
            case SshMount():
                yield name, ("ssh", mount.id, mount[2:])
            case _:
                assert_never(mount)

    def _files(
        self, source: From, patterns: Sequence[str], manner: Manner, what: str = "files"
    ) -> Iterator[tuple[str, Part]]:
        shop = self._shop
        match source:
            case ContextFiles(name):
                afresh = shop.known.afresh
                where = shop.contexts.provided(name)
                wanted = Wanted(tuple(patterns), manner)
                content = content_of(where, wanted, shop.reach.store, afresh=afresh)
                self._changed += content.changed
                yield f"{what} of the context{f' {name}' if name else ''}", content.key
            case StageImage(number):
                yield f"{what} of stage {number}", _diff_ids(self._at.stages[number])
            case _:
                image = shop.bases.image(source, self._at.platform)
                yield f"{what} of {source}", _diff_ids(image)


def _diff_ids(image: Image) -> Part:
    return tuple(layer.diff_id for layer in image.layers)
