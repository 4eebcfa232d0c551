"""Images of BUILD files: a base, layers of other targets, own content, and a config."""

from typing import NamedTuple

from artificer.builder.actions.content import image_path
from artificer.builder.actions.layer import content_layer, line_of
from artificer.builder.actions.wishes import settings_of, stamp_of
from artificer.builder.package_targets import Debs
from artificer.builder.products import Layers
from artificer.builder.targets import (
    Content,
    Group,
    ImageTarget,
    LayerTarget,
    Output,
    Pull,
    Put,
    Source,
    SourceFile,
    Target,
    TargetId,
    Wishes,
)
from artificer.builder.task import Task, WrongInput, told
from artificer.images.load import images_in
from artificer.images.place import image_for
from artificer.oci.descriptor import Descriptor
from artificer.oci.edit import (
    BASE_DIGEST,
    BASE_NAME,
    Stamp,
    annotated,
    appended,
    configured,
    converted,
    empty,
)
from artificer.oci.image import Image, Index, Layer
from artificer.oci.media import Format
from artificer.oci.media import converted as converted_type
from artificer.oci.platform import LINUX_AMD64, Platform, select


class _Stack(NamedTuple):
    """An image so far, and what its layers brought besides files."""

    image: Image
    env: tuple[tuple[str, str], ...] = ()
    scripts: tuple[str, ...] = ()


def image_of(target: ImageTarget, task: Task) -> Image:
    """Build *target*: its layers are made already, its own content where nobody knows it."""
    platform = target.wishes.platform or task.id.platform
    base = empty(platform or LINUX_AMD64, "oci")
    if target.base is not None:
        base = base_image(target.base, platform, task)
    stamp = stamp_of(target.wishes, task)
    stack = _Stack(base if target.format is None else converted(base, target.format))
    for one in target.layers:
        stack = _with_layers(stack, one, target.wishes, stamp, task)
    content = _with_launcher(target, task)
    if not content.is_empty:
        stack = _with_content(stack, content, target, stamp, task)
    wishes = _with_entrypoint(target, stack.image, task)
    settings = settings_of(wishes, stack.image, stack.env, stack.scripts, task)
    image = configured(stack.image, settings, stamp)
    told = {**_base_annotations(target, base, task), **dict(task.pairs(wishes.annotations))}
    return annotated(image, told)


def base_image(source: Source, platform: Platform | None, task: Task) -> Image:
    """The image that *source* is: a target's, one of an index for *platform*, or a file's."""
    if isinstance(source, Output):
        product = task.products[source.target]
        if isinstance(product, Image):
            return product
        if isinstance(product, Index):
            # Not by way of an archive, which would have the layers of all platforms.
            return _member(product, platform, source)
    # As in 2017: what docker has saved, perhaps compressed.
    file = task.file(source)
    held = images_in(kept(file.path, file.digest, task), file.short, task.reach)
    if len(held) != 1:
        raise WrongInput(f"{told(source)} holds {len(held)} images where one is needed")
    return image_for(held[0].found, platform)


def _member(index: Index, platform: Platform | None, source: Output) -> Image:
    """The image of *index* for *platform*; None is the only one there is, or linux/amd64."""
    images = _images(index)
    known = [entry.platform for entry in images if entry.platform is not None]
    wanted = platform or (known[0] if len(known) == 1 else LINUX_AMD64)
    chosen = select(list(images), wanted)
    if chosen is not None:
        return images[chosen]
    there = ", ".join(dict.fromkeys(map(str, known)))
    raise WrongInput(
        f"{told(source)} has no {wanted} image",
        hint=f"it has {there}; choose with `--platforms`" if there else "it states no platform",
    )


def _images(index: Index) -> dict[Descriptor, Image]:
    """The images of *index*, and of the indexes in it, as it files them."""
    members = {one.digest: one for one in index.members}
    found: dict[Descriptor, Image] = {}
    for entry in index.descriptors:
        one = members.get(entry.digest)
        if isinstance(one, Index):
            found |= _images(one)
        elif isinstance(one, Image):
            found[entry] = one
    return found


def kept(path: str, digest: str, task: Task) -> str:
    """A file of the workspace, brought into the store: an image of it outlives the workspace."""
    from_store = path.startswith(f"{task.reach.store.root}/")
    if from_store:
        return path
    with open(path, "rb") as file:
        stored = task.reach.store.put_chunks(iter(lambda: file.read(1 << 18), b""))
    if stored != digest:
        raise WrongInput(f"{path} changed while it was read")
    return task.reach.store.blob_path(stored)


def _base_annotations(target: ImageTarget, base: Image, task: Task) -> dict[str, str]:
    """What tells where the image comes from: of a base that was built here, its own base."""
    source = target.base
    if not isinstance(source, Output):
        return {} if source is None else {BASE_DIGEST: str(base.digest)}
    pulled = _pulled(source.target, task)
    if pulled is None:
        return {} if BASE_DIGEST in base.annotations else {BASE_DIGEST: str(base.digest)}
    name = pulled.name if pulled.name.tag or pulled.name.digest else None
    shown = name._replace(digest=None) if name else pulled.name._replace(tag="latest")
    return {BASE_NAME: str(shown), BASE_DIGEST: str(base.digest)}


def _pulled(one: TargetId, task: Task) -> Pull | None:
    target = _meant(one, task)
    return target if isinstance(target, Pull) else None


def _meant(one: TargetId, task: Task) -> Target:
    """The target that *one* is, or stands for."""
    target = task.graph[one].target
    while isinstance(target, Group) and len(target.sources) == 1:
        source = target.sources[0]
        if isinstance(source, SourceFile):
            break
        target = task.graph[source.target].target
    return target


def _with_layers(stack: _Stack, one: TargetId, wishes: Wishes, stamp: Stamp, task: Task) -> _Stack:
    product = task.products[one]
    if not isinstance(product, Layers):
        raise WrongInput(f"{one} yields no layers", hint="files go into `files` or `tars`")
    layers, lines = product.layers, product.lines
    target = _meant(one, task)
    if isinstance(target, LayerTarget) and layers:
        # Some layers are other ones on this base, whose directories may be links.
        layers = (content_layer(target.content, target.compress, stack.image, task).layer,)
    if isinstance(target, Debs):
        _check_ground(target, stack.image, one, task)
    if wishes.created_by:
        lines = tuple(wishes.created_by for _ in layers)
    return _Stack(
        appended(stack.image, _typed(layers, stack.image.format), lines, stamp),
        (*stack.env, *product.env),
        (*stack.scripts, *(one for one in product.scripts if one not in stack.scripts)),
    )


def _check_ground(target: Debs, image: Image, one: TargetId, task: Task) -> None:
    """Packages with a database of what is installed are for the base that they were made upon."""
    if target.base is None and target.step.level == "unpack":
        return
    ground: tuple[Layer, ...] = ()
    if target.base is not None:
        ground = base_image(target.base, image.platform, task).layers
    if [layer.diff_id for layer in ground] != [layer.diff_id for layer in image.layers]:
        upon = told(target.base) if target.base is not None else "nothing"
        raise WrongInput(
            f"{one} is installed upon {upon}, and not upon what is below it here",
            hint="give both the same `base`, and name the packages first in `layers`",
        )


def _with_content(
    stack: _Stack, content: Content, target: ImageTarget, stamp: Stamp, task: Task
) -> _Stack:
    made = content_layer(content, target.compress, stack.image, task)
    line = line_of(task, target.wishes.created_by)
    image = appended(stack.image, _typed((made.layer,), stack.image.format), [line], stamp)
    scripts = (*stack.scripts, *(one for one in made.scripts if one not in stack.scripts))
    return _Stack(image, stack.env, scripts)


def _typed(layers: tuple[Layer, ...], image_format: Format) -> list[Layer]:
    """*layers* with the media types of *image_format*."""
    typed = []
    for layer in layers:
        media_type = converted_type(layer.descriptor.media_type, image_format)
        descriptor = layer.descriptor.changed(mediaType=media_type)
        typed.append(Layer(type(layer.blob)(descriptor, layer.blob.origin), layer.diff_id))
    return typed


def _with_launcher(target: ImageTarget, task: Task) -> Content:
    if target.launcher is None:
        return target.content
    name = task.file(target.launcher).short.rpartition("/")[2]
    put = Put(target.launcher, name=image_path(name, task), mode=0o755)
    return target.content._replace(puts=(*target.content.puts, put))


def _with_entrypoint(target: ImageTarget, image: Image, task: Task) -> Wishes:
    """The wishes with the launcher before the entrypoint, also before an inherited one."""
    wishes = target.wishes
    if target.launcher is None:
        return wishes
    name = task.file(target.launcher).short.rpartition("/")[2]
    before = (f"/{name}", *target.launcher_args)
    if wishes.entrypoint is not None:
        return wishes._replace(entrypoint=(*before, *task.words(wishes.entrypoint)))
    inherited = image.settings.get("Entrypoint")
    words = [str(word) for word in inherited] if isinstance(inherited, list) else []
    return wishes._replace(entrypoint=(*before, *words), keep_cmd=True)
