"""``artificer init COMMAND LINE``: the BUILD file that says what a one-line build says."""

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from artificer.builder.recipe import Target
from artificer.cli.oneline.grammar import build_parser
from artificer.cli.oneline.main import parsed, references_of
from artificer.cli.oneline.target import target_of
from artificer.cli.session import Session
from artificer.cli.workspace.query import starlark
from artificer.errors import ArtificerError, Misused
from artificer.frontends.buildfile.files import BUILD_FILES, ROOTS, first_file
from artificer.layers.patterns import is_pattern
from artificer.layers.select import LocalPath, parse_files_word, parse_tar_word
from artificer.oci.reference import Named, Scratch

_SAID = frozenset(
    {
        *("baseimage", "files", "tar", "symlink", "empty_dir", "empty_file", "env", "env_file"),
        *("cmd", "cmd_shell", "entrypoint", "entrypoint_shell", "keep_cmd", "workdir", "user"),
        *("label", "expose", "volume", "target", "format", "platform", "created", "author"),
        *("apt", "deb", "archive", "sources", "keyring", "snapshot", "preferences"),
        *("deb_level", "deb_profile", "deb_exclude", "deb_layers", "recommends"),
        *("accept_skipped", "deb_scripts", "pin"),
    }
)
_ELSEWHERE = frozenset(
    {
        "archive_auth",
        "archive_mirror",
        "store",
        "progress",
        "quiet",
        "help",
        "pull",
        "offline",
        "timeout",
    }
)
_RULES = "@io_bazel_rules_docker//container:container.bzl"


_WITHOUT_LOAD = frozenset({"apt"})


class Exists(ArtificerError):
    """A file is there that would be written."""


class Statement(NamedTuple):
    """A call of a BUILD file: the rule, and what it is given."""

    rule: str
    attributes: dict[str, Any]

    def __str__(self) -> str:
        """As a BUILD file has it."""
        lines = [f"    {name} = {_text(value)}," for name, value in self.attributes.items()]
        return "\n".join((f"{self.rule}(", *lines, ")"))


class Code(str):
    """Starlark that stands in a BUILD file as it is."""

    __slots__ = ()


def run(words: Sequence[str], session: Session) -> int:
    """Write BUILD and, where there is none, WORKSPACE."""
    args = parsed(words[1:], session, "artificer init")
    if args is None:
        return 0
    _check(args)
    target = target_of(args, session.environ)
    targets = references_of(args)
    present = first_file(".", BUILD_FILES)
    if present is not None:
        raise Exists(f"{present} is there already", hint="init writes a new one, or none at all")
    base = _base(target)
    workspace = first_file(".", ROOTS)
    if workspace is not None and base is not None:
        raise Exists(
            f"{workspace} is there already", hint=f"add this to it, and remove nothing:\n{base}"
        )
    _write("BUILD", _build_file(args, target, targets), session)
    if workspace is None:
        _write("WORKSPACE", _workspace_file(base), session)
    return 0


def _check(args: Namespace) -> None:
    """Refuse options that a BUILD file has no word for."""
    default = vars(build_parser("artificer init").parse_args([]))
    for name, value in vars(args).items():
        if name not in _SAID | _ELSEWHERE and value != default.get(name):
            option = f"--{name.replace('_', '-')}"
            raise Misused(
                f"{option} cannot be said in a BUILD file",
                hint="leave it out, and change the BUILD file that is written",
            )
    if len(args.platform) > 1:
        raise Misused("a container_image is of one platform", hint="name one `--platform`")


def _base(target: Target) -> Statement | None:
    if isinstance(target.base, Scratch):
        return None
    if not isinstance(target.base, Named):
        raise Misused(f"{target.base} is in no registry", hint="push it, or import it by hand")
    name = target.base
    where: dict[str, Any] = {
        "name": "base",
        "registry": name.repository.registry,
        "repository": name.repository.path,
    }
    pin = {"digest": str(name.digest)} if name.digest else {"tag": name.tag or "latest"}
    platform = target.platforms[0] if target.platforms else None
    kind = {"os": platform.os, "architecture": platform.architecture} if platform else {}
    return Statement("container_pull", {**where, **pin, **kind})


def _workspace_file(base: Statement | None) -> str:
    if base is None:
        return "# The images of this workspace are built upon nothing.\n"
    return f'load("{_RULES}", "container_pull")\n\n{base}\n'


def _build_file(args: Namespace, target: Target, targets: Sequence[Any]) -> str:
    pushed = [one for one in targets if isinstance(one, Named)]
    for one in targets:
        if not isinstance(one, Named):
            raise Misused(
                f"{one} is in no registry", hint="a BUILD file pushes to registries only"
            )
    name = pushed[0].repository.path.rpartition("/")[2] if pushed else _directory_name()
    layers = [*_packages(args, target), *_layers(args)]
    image = Statement("container_image", dict(_image(name, args, target, layers)))
    pushes = list(_pushes(name, pushed, target))
    rules = dict.fromkeys(
        one.rule for one in (*layers, image, *pushes) if one.rule not in _WITHOUT_LOAD
    )
    loaded = ", ".join(f'"{rule}"' for rule in sorted(rules))
    body = "\n\n".join(map(str, (*layers, image, *pushes)))
    return f'load("{_RULES}", {loaded})\n\n{body}\n'


def _directory_name() -> str:
    name = os.path.basename(os.getcwd())
    return name if name.replace("-", "").replace("_", "").isalnum() else "image"


def _packages(args: Namespace, target: Target) -> Iterator[Statement]:
    """The packages, with a lock: a BUILD file is for builds that come to the same again."""
    if not (args.apt or args.deb):
        return
    names = [word for word in (*args.apt, *args.deb) if not word.endswith((".deb", ".udeb"))]
    given = {
        "packages": names,
        "debs": [_below(word) for word in args.deb if word not in names],
        "base": "" if isinstance(target.base, Scratch) else "@base//image",
        "archives": args.archive,
        "sources": [_below(path) for path in args.sources],
        "keyrings": [_below(path) for path in args.keyring],
        "pins": args.pin,
        "preferences": [_below(path) for path in args.preferences],
        "snapshot": args.snapshot,
        "level": args.deb_level,
        "scripts": args.deb_scripts,
        "profile": args.deb_profile,
        "exclude": args.deb_exclude,
        "recommends": args.recommends,
        "layers": args.deb_layers,
        "accept_skipped": args.accept_skipped,
        "lock": "packages.lock",
    }
    said = {key: value for key, value in given.items() if value}
    yield Statement("apt", {"name": "packages", **said})


def _below(path: str) -> str:
    """*path* as a label of the package: it has to be below this directory."""
    bare = os.path.normpath(path)
    if bare.startswith(("/", "..")):
        raise Misused(f"{path} is not below this directory", hint="a BUILD file has no such file")
    return bare


def _layers(args: Namespace) -> Iterator[Statement]:
    """A layer for every word of ``--files`` and ``--tar``: each has a place of its own."""
    for number, word in enumerate(args.files, 1):
        yield Statement("container_layer", dict(_layer(f"files_{number}", parse_files_word(word))))
    for number, word in enumerate(args.tar, 1):
        path, dest = parse_tar_word(word)
        where = {"directory": f"/{dest.lstrip('/')}"} if dest else {}
        yield Statement("container_layer", {"name": f"tar_{number}", "tars": [path], **where})


def _layer(name: str, word: LocalPath) -> Iterator[tuple[str, Any]]:
    source, dest = word
    path = _below(source)
    yield "name", name
    contents = source.rstrip("/").endswith("/.") or path == "." or os.path.isdir(path)
    if contents and not is_pattern(source):
        inside = "" if path == "." else f"{path}/"
        yield "files", Code(f'glob(["{inside}**"])')
        yield "data_path", path
        whole = source.rstrip("/").endswith("/.") or path == "."
        place = "" if whole and dest is None else _place(dest, path)
        yield "directory", f"/{place}"
    else:
        yield "files", Code(f'glob(["{path}"])') if is_pattern(source) else [path]
        yield "directory", f"/{_folder(dest, path)}"
    yield "mode", ""


def _place(dest: str | None, path: str) -> str:
    """Where the contents of the directory *path* go."""
    if dest is None:
        return os.path.basename(path)
    return f"{dest.strip('/')}/{os.path.basename(path)}" if dest.endswith("/") else dest.strip("/")


def _folder(dest: str | None, path: str) -> str:
    """Where the file *path* goes; it keeps its name, for container_layer knows no other."""
    if dest is None or not dest:
        return ""
    if dest.endswith("/") or is_pattern(path):
        return dest.strip("/")
    folder, _, name = dest.strip("/").rpartition("/")
    if name != os.path.basename(path):
        raise Misused(
            f"{path} would be called {name}: a container_layer keeps names",
            hint="rename the file, or make it by a genrule",
        )
    return folder


def _image(
    name: str, args: Namespace, target: Target, layers: Sequence[Statement]
) -> Iterator[tuple[str, Any]]:
    settings = target.settings
    yield "name", name
    if not isinstance(target.base, Scratch):
        yield "base", "@base//image"
    platform = target.platforms[0] if target.platforms else None
    if platform:
        yield "operating_system", platform.os
        yield "architecture", platform.architecture
    if args.created:
        yield "creation_time", target.stamp.created
    links = (text.partition("=") for text in args.symlink)
    simple = {
        "layers": [f":{layer.attributes['name']}" for layer in layers],
        "symlinks": {link: to for link, _, to in links},
        "empty_dirs": args.empty_dir,
        "empty_files": args.empty_file,
        "env": {key: _escaped(value) for key, value in settings.env},
        "labels": {key: _escaped(value) for key, value in settings.labels},
        "ports": list(settings.ports),
        "volumes": list(settings.volumes),
        "user": settings.user,
        "workdir": settings.workdir,
    }
    yield from ((key, value) for key, value in simple.items() if value)
    if settings.entrypoint is not None:
        yield "entrypoint", [_escaped(word) for word in settings.entrypoint]
        if settings.cmd is None and not settings.keep_cmd:
            yield "cmd", []
    if settings.cmd is not None:
        yield "cmd", [_escaped(word) for word in settings.cmd]


def _escaped(text: str) -> str:
    return text.replace("$(", "$$(")


def _pushes(name: str, targets: Sequence[Named], target: Target) -> Iterator[Statement]:
    for number, one in enumerate(targets, 1):
        yield Statement(
            "container_push",
            {
                "name": "push" if number == 1 else f"push_{number}",
                "image": f":{name}",
                "format": "OCI" if target.format == "oci" else "Docker",
                "registry": one.repository.registry,
                "repository": one.repository.path,
                "tag": one.tag or "latest",
            },
        )


def _text(value: Any) -> str:
    return str(value) if isinstance(value, Code) else starlark(value)


def _write(path: str, text: str, session: Session) -> None:
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)
    session.out(path)
