"""Targets of a build with many of them: what each is made of and what it yields. Values only.

A front end (BUILD files) turns text into these; `builder.graph` makes them. Nothing here has been
read, fetched or run. A target that needs others names them by `TargetId`, in an `Output`.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

# Whoever speaks of targets speaks of what they are made of: those names are given on.
from artificer.builder.naming import FromFile as FromFile
from artificer.builder.naming import Output as Output
from artificer.builder.naming import Pairs as Pairs
from artificer.builder.naming import Source as Source
from artificer.builder.naming import SourceFile as SourceFile
from artificer.builder.naming import Stamped as Stamped
from artificer.builder.naming import TargetId as TargetId
from artificer.builder.naming import Text as Text
from artificer.builder.package_targets import PackageTarget
from artificer.builder.place import Place
from artificer.builder.recipe import Compress
from artificer.oci.media import Format
from artificer.oci.platform import Platform
from artificer.oci.reference import Named


class Put(NamedTuple):
    """Files into *directory* (an image's path without its first slash).

    By name alone where *strip* is None (rules_docker flattens); else each keeps its path below
    the workspace, from which the prefix *strip* is taken ("" takes nothing). *name* is the exact
    path of a single file instead. With *linked* each is a link to where it is in that directory.
    """

    source: Source
    directory: str = ""
    strip: str | None = None
    name: str | None = None
    mode: int | None = None
    owner: tuple[int, int] | None = None
    linked: str = ""


class Content(NamedTuple):
    """What one new layer holds. Its order decides between files of one name: the first wins.

    *mode* None means 0755 for what may be executed here and 0644 for the rest. *mtime* is of all
    files; with *keep_times* those of *tars* and *debs* are kept. *exact* writes a directory for
    every parent; *owner* is of all that has none of its own. *windows* puts all below ``Files/``.
    *merged_usr* puts what *debs* have in ``/bin``, ``/lib`` and so on below ``/usr``.
    """

    puts: tuple[Put, ...] = ()
    tars: tuple[Put, ...] = ()
    debs: tuple[Put, ...] = ()
    symlinks: tuple[tuple[str, str], ...] = ()
    empty_files: tuple[str, ...] = ()
    empty_dirs: tuple[str, ...] = ()
    directory: str = ""
    mode: int | None = None
    modes: tuple[tuple[str, int], ...] = ()
    owner: tuple[int, int] = (0, 0)
    owners: tuple[tuple[str, tuple[int, int]], ...] = ()
    mtime: int = 0
    keep_times: bool = False
    windows: bool = False
    merged_usr: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was asked for."""
        return not any(self[:6])


class Wishes(NamedTuple):
    """What an image's config and manifest are to say; None and () leave what the base has.

    *env_order* sorts the result (rules_docker) or keeps the order (rules_oci); *env_unknown* is
    what becomes of a variable that nobody set. *entrypoint* clears an inherited command unless
    *keep_cmd*. *created_by* is the line of history of every new layer.
    """

    env: Pairs | FromFile = ()
    env_order: Literal["sorted", "kept"] = "kept"
    env_unknown: Literal["kept", "empty", "error"] = "error"
    env_expands: Literal["base", "all"] = "all"
    entrypoint: tuple[Text, ...] | FromFile | None = None
    cmd: tuple[Text, ...] | FromFile | None = None
    keep_cmd: bool = False
    user: Text | None = None
    workdir: Text | None = None
    labels: Pairs | FromFile = ()
    annotations: Pairs | FromFile = ()
    ports: tuple[str, ...] | FromFile = ()
    volumes: tuple[str, ...] | FromFile = ()
    created: Text | None = None
    author: str | None = None
    created_by: str = ""
    platform: Platform | None = None
    run_flags: tuple[str, ...] = ()


class Pull(NamedTuple):
    """An image of a registry, by digest where one is known. Yields Image or Index."""

    name: Named
    platform: Platform | None = None


class Fetch(NamedTuple):
    """A file from any of *urls*, verified. Yields Files: one, called *name*."""

    urls: tuple[str, ...]
    name: str
    sha256: str = ""
    integrity: str = ""
    executable: bool = False


class Unpacked(NamedTuple):
    """The files of an archive, without the leading *strip*. Yields Files, by path in it."""

    archive: Source
    strip: str = ""
    kind: str = ""


class GitTree(NamedTuple):
    """The files of a *commit* of git, or of what *ref* stands for now; as `Unpacked` does."""

    remote: str
    ref: str = ""
    commit: str = ""
    submodules: bool = False
    strip: str = ""


class Imported(NamedTuple):
    """An image of a file (docker-save, OCI), of its parts, or of a *dockerfile*. Yields Image."""

    archive: Source | None = None
    config: Source | None = None
    manifest: Source | None = None
    layers: tuple[Source, ...] = ()
    dockerfile: SourceFile | None = None
    arguments: tuple[tuple[str, str], ...] = ()
    stage: str = ""


class Group(NamedTuple):
    """Files under one name (filegroup, exports_files, alias). Yields Files, or what it names."""

    sources: tuple[Source, ...] = ()


class Command(NamedTuple):
    """A command in a clean directory and environment. Yields Files: *outs*, below the package.

    *command* is for ``/bin/sh -euc`` (or bash) with ``$(location …)`` and the like still in it:
    *locations* says what they stand for. *caches* are directories (name → environment variable)
    that are kept between runs and are no part of the key. What *tools* yield is on PATH.

    With a *root* it is for ``/bin/sh -c`` in that image. It *yields* the image or the layer that
    becomes of it, or the file *extract* of the image, which is called as *outs* says.
    """

    command: str
    package: str
    outs: tuple[str, ...]
    sources: tuple[Source, ...] = ()
    tools: tuple[Source, ...] = ()
    locations: tuple[tuple[str, Source], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    caches: tuple[tuple[str, str], ...] = ()
    executable: bool = False
    stamped: bool = False
    timeout: float = 600.0
    directories: bool = False
    root: Source | None = None
    yields: Literal["files", "layer", "image"] = "files"
    extract: str = ""
    user: str = ""


class Written(NamedTuple):
    """A file with a text known already (passwd_file, write_file). Yields Files: one."""

    name: str
    text: str
    executable: bool = False


class Archive(NamedTuple):
    """A tar of *content*, perhaps compressed (pkg_tar). Yields Files: one, called *name*."""

    content: Content
    name: str
    compression: str = ""


class LayerTarget(NamedTuple):
    """Layers of *content*, and the environment that they bring. Yields Layers."""

    content: Content
    env: Pairs = ()
    compress: Compress = Compress()


class TarLayers(NamedTuple):
    """A layer for each tar of *tars*, whose bytes are not changed (rules_oci). Yields Layers."""

    tars: tuple[Source, ...]


class ImageTarget(NamedTuple):
    """*base*, then *layers* (targets that yield Layers) in order, then *content*. Yields Image.

    *always* makes the layer of *content* even if it is empty. *launcher* is put at ``/NAME`` and
    before the entrypoint. *digests* of a base, where the file says, must hold.
    """

    base: Source | None = None
    layers: tuple[TargetId, ...] = ()
    content: Content = Content()
    wishes: Wishes = Wishes()
    format: Format | None = None
    compress: Compress = Compress()
    launcher: Source | None = None
    launcher_args: tuple[str, ...] = ()


class IndexTarget(NamedTuple):
    """An index of *images*. Yields Index."""

    images: tuple[TargetId, ...]
    annotations: Pairs | FromFile = ()


class Bundle(NamedTuple):
    """Images by name (with ``{VAR}`` in the names). Yields Images."""

    images: tuple[tuple[Text, TargetId], ...]


class Flattened(NamedTuple):
    """The root filesystem of *image* as ``NAME.tar``, and its config. Yields Files."""

    image: TargetId
    name: str


class Push(NamedTuple):
    """Push *image* (an image, an index or a bundle) when run. *names* may hold variables."""

    image: TargetId
    registry: Text = ""
    repository: Text = ""
    tags: tuple[Text, ...] | FromFile = ()
    format: Format | None = None
    insecure: bool = False


class Load(NamedTuple):
    """Load *image* into a container engine as *names* when run; *loader* names the program."""

    image: TargetId
    names: tuple[Text, ...] | FromFile = ()
    format: Literal["docker", "oci"] = "docker"
    loader: Source | None = None
    flags: tuple[str, ...] = ()
    starts: bool = False


class Program(NamedTuple):
    """A file that is executed when run or tested (sh_binary, sh_test), with *data* beside it."""

    source: Source
    data: tuple[Source, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    test: bool = False


class StructureTest(NamedTuple):
    """container-structure-test's checks of *image*, by configuration files (YAML or JSON)."""

    image: TargetId
    configs: tuple[Source, ...]


class SameImage(NamedTuple):
    """compare_ids_test: all *images* have one image ID (*id* if given)."""

    images: tuple[Source, ...]
    id: str = ""


class Reproducible(NamedTuple):
    """container_repro_test: *image* built twice is the same."""

    image: TargetId


class Refused(NamedTuple):
    """A rule that is known, and cannot be done (yet): *reason* and *hint* are told when needed."""

    rule: str
    reason: str
    hint: str


Target = (
    Pull
    | Fetch
    | Unpacked
    | GitTree
    | Imported
    | Group
    | Command
    | Written
    | Archive
    | LayerTarget
    | PackageTarget
    | TarLayers
    | ImageTarget
    | IndexTarget
    | Bundle
    | Flattened
    | Push
    | Load
    | Program
    | StructureTest
    | SameImage
    | Reproducible
    | Refused
)


class Declared(NamedTuple):
    """A target as it was declared: where, by which rule, and with which attributes (for query)."""

    id: TargetId
    target: Target
    rule: str
    place: Place
    attributes: Mapping[str, object] = {}
    tags: tuple[str, ...] = ()


Graph = Mapping[TargetId, Declared]
"""Every target that was loaded, by id. `dependencies` of a target are in it, or were not found."""
