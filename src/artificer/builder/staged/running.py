"""RUN: the command in a root of the files below, its mounts, and what it changed as a layer."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from threading import Thread
from typing import TYPE_CHECKING, assert_never

from artificer.builder.kind import Kind
from artificer.builder.output import Output
from artificer.builder.staged.cachemounts import CacheMounts
from artificer.builder.staged.contexts import Provided
from artificer.builder.staged.landing import order, with_parents
from artificer.builder.staged.options import Running
from artificer.builder.staged.select import Manner, NoSuchSource, below
from artificer.builder.staged.shop import Ground, Root, Shop, Told
from artificer.builder.stages import (
    BindMount,
    CacheMount,
    ContextFiles,
    From,
    Mount,
    RunCommand,
    SecretMount,
    SshMount,
    StageImage,
    TmpfsMount,
)
from artificer.errors import ArtificerError, Misused
from artificer.events import LayerReused, LayerWritten
from artificer.images.bytes_of import into_store
from artificer.images.reach import Reach
from artificer.layers.encode import encoder
from artificer.layers.entry import DIRECTORY
from artificer.layers.tree import Tree
from artificer.layers.write import Known, Written, write_layer, write_tar
from artificer.oci.digest import Digest
from artificer.oci.image import Layer, Stored
from artificer.sandbox import command as sandboxed
from artificer.sandbox.client import NoSandbox
from artificer.sandbox.command import Chain, Command, TreeLayer
from artificer.sandbox.instead import instead

if TYPE_CHECKING:
    from artificer.builder.known import Answer

_KILLED = (-9, 137)
_NOT_FOUND = 127


class RunFailed(ArtificerError):
    """A command of RUN did not end with 0."""


def run_layer(command: RunCommand, ground: Ground, told: Told, shop: Shop) -> Layer:
    """Run *command* and return the layer of what it changed."""
    words = _command(command, ground, shop)
    _see_to_sandbox(command, shop)
    with _root(chain_of(ground.layers, shop.reach), shop) as root:
        output = Output(told.label, shop.reach.report)
        code = root.run(words, output.take)
        output.end()
        if code:
            raise _failed(told, code, output.last)
        written = _written(root, ground.kind, told, shop)
        root.adopt(written.diff_id)
        _share_caches(command, root, ground, shop)
        return written


def _cache_mounts(ground: Ground, shop: Shop) -> CacheMounts | None:
    cache = shop.options.mounts
    if cache is None:
        return None
    platform = str(ground.platform or ground.image().platform or "")
    return CacheMounts(cache, platform, shop.reach, shop.known)


def _share_caches(command: RunCommand, root: Root, ground: Ground, shop: Shop) -> None:
    mounts = _cache_mounts(ground, shop)
    if mounts is None or mounts.cache.readonly:
        return
    for identity in sorted({one.id for one in command.mounts if isinstance(one, CacheMount)}):
        tar = root.cached(identity)
        if tar is not None:
            mounts.keep(identity, tar)


def chain_of(layers: Sequence[Layer], reach: Reach) -> Chain:
    """Return *layers* as what a root is made of; their blobs are in the store by now."""
    return tuple(TreeLayer(layer.diff_id, into_store(layer.blob, reach)) for layer in layers)


def unpacking(layers: Sequence[Layer], shop: Shop) -> Thread:
    """Fetch *layers*, and have the sandbox unpack them while other things are done.

    What goes wrong there does so again, and is told, when a command is run.
    """
    chain = chain_of(layers, shop.reach)

    def unpack() -> None:
        with suppress(ArtificerError, OSError), _root(chain, shop):
            pass

    thread = Thread(target=unpack, daemon=True)
    thread.start()
    return thread


def _root(chain: Chain, shop: Shop) -> AbstractContextManager[Root]:
    return shop.sandbox().at(chain)


def _see_to_sandbox(command: RunCommand, shop: Shop) -> None:
    """Start the sandbox; where there can be none, say what can be written instead."""
    try:
        _ = shop.sandbox().rung
    except NoSandbox as error:
        way = instead(command.argv)
        if way is None:
            raise
        raise NoSandbox(error.message, hint=f"without a command: {way}") from error


def _failed(told: Told, code: int, last: Sequence[str]) -> RunFailed:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    hint = None
    if code in _KILLED:
        hint = "it was killed: is there enough memory?"
    elif code == _NOT_FOUND:
        hint = "the image has no such program, or it is not on PATH"
    lines = "".join(f"\n  {line}" for line in last)
    return RunFailed(f"{told.title}: it ended with {how}{lines}", hint=hint)


def _written(root: Root, kind: Kind, told: Told, shop: Shop) -> Layer:
    answers: list[Answer] = []

    def known(diff_id: Digest) -> Known | None:
        answer = shop.known.answer(kind, diff_id)
        if answer is None:
            return None
        answers.append(answer)
        return Known(answer.descriptor.digest, answer.descriptor.size)

    reach = shop.reach
    made = write_tar(root.changes(), kind.encoder, reach.store, known=known, stop=reach.stop)
    if answers:
        digest, size = answers[0].descriptor.digest, answers[0].descriptor.size
        reach.report(LayerReused(told.title, digest, size, answers[0].why))
        return kind.layer(digest, size, made.diff_id, answers[0].origin)
    origin = Stored(reach.store.blob_path(made.digest))
    layer = kind.layer(made.digest, made.size, made.diff_id, origin)
    shop.known.remember(kind, layer, None)
    reach.report(_told(told, made))
    return layer


def _told(told: Told, made: Written) -> LayerWritten:
    return LayerWritten(told.title, made.digest, made.size, made.tar_size, made.entries, 0.0)


def _command(command: RunCommand, ground: Ground, shop: Shop) -> Command:
    running = shop.options.running
    env = {"SOURCE_DATE_EPOCH": str(shop.options.epoch), **dict(command.quiet)}
    env |= dict(command.env)
    mounts: list[sandboxed.Mount] = []
    for mount in command.mounts:
        mounts += _mounted(mount, ground, shop, env)
    return Command(
        command.argv,
        tuple(env.items()),
        command.workdir or "/",
        command.user,
        tuple(mounts),
        command.network,
        running.hosts,
        command.script,
    )


def _mounted(
    mount: Mount, ground: Ground, shop: Shop, env: dict[str, str]
) -> Iterator[sandboxed.Mount]:
    match mount:
        case BindMount(target, source, path, writable):
            chain, real = _chain(source, path, ground, shop)
            yield sandboxed.Bind(target, chain, real, writable)
        case CacheMount():
            chain, real = (), ""
            if mount.source is not None:
                chain, real = _chain(mount.source, mount.path, ground, shop)
            elif (mounts := _cache_mounts(ground, shop)) is not None:
                chain = mounts.seed(mount.id)
            owner = (mount.mode, mount.uid, mount.gid, mount.readonly)
            yield sandboxed.Cache(mount.target, mount.id, mount.sharing, chain, real, *owner)
        case TmpfsMount(target, size):
            yield sandboxed.Tmpfs(target, size)
        case SecretMount():
            yield from _secret(mount, shop.options.running, env)
        case SshMount():
            yield from _agent(mount, shop.options.running, env)
        case _:
            assert_never(mount)


def _secret(
    mount: SecretMount, running: Running, env: dict[str, str]
) -> Iterator[sandboxed.Mount]:
    data = running.secrets.get(mount.id)
    if data is None:
        if mount.required:
            raise Misused(
                f"the secret {mount.id} is required, and not given",
                hint=f"give it: --secret id={mount.id},src=FILE or ,env=VARIABLE",
            )
        return
    if mount.env:
        env[mount.env] = data.decode("utf-8", "surrogateescape")
    if mount.target:
        yield sandboxed.Secret(mount.target, data, mount.mode, mount.uid, mount.gid)


def _agent(mount: SshMount, running: Running, env: dict[str, str]) -> Iterator[sandboxed.Mount]:
    path = running.agents.get(mount.id)
    if path is None:
        if mount.required:
            raise Misused(
                f"the ssh agent {mount.id} is required, and not given",
                hint=f"give it: --ssh {mount.id}=SOCKET, or --ssh default with SSH_AUTH_SOCK",
            )
        return
    env.setdefault("SSH_AUTH_SOCK", mount.target)
    yield sandboxed.Socket(mount.target, path, mount.mode, mount.uid, mount.gid)


def _chain(source: From, path: str, ground: Ground, shop: Shop) -> tuple[Chain, str]:
    """Return the files of *source* as a chain, and where *path* is in them."""
    match source:
        case StageImage(number):
            return chain_of(ground.stages[number].layers, shop.reach), path
        case ContextFiles(name):
            return _packed(shop.contexts.provided(name), path, shop)
        case _:
            image = shop.bases.image(source, ground.platform)
            return chain_of(image.layers, shop.reach), path


def _packed(provided: Provided, path: str, shop: Shop) -> tuple[Chain, str]:
    """Return *path* of a context, all below it included, as a plain tar in the store."""
    real = provided.files.resolve(path)
    file = provided.files.lookup(real, follow=False)
    if file is None and real:
        raise NoSuchSource(f"there is no /{path} in the context to be mounted")
    files = [file] if file is not None and real else []
    if not real or (file is not None and file.kind == DIRECTORY):
        files += [one.file for one in below(provided.files, real, Manner().exclude)]
    pairs = sorted(((one, one.path) for one in files), key=lambda pair: order(pair[1]))
    epoch, reach = shop.options.epoch, shop.reach
    entries = with_parents(provided.entries(pairs, epoch), Tree(()), (0, 0), epoch)
    made = write_layer(entries, encoder("none"), reach.store, stop=reach.stop)
    return (TreeLayer(made.diff_id, reach.store.blob_path(made.digest)),), real
