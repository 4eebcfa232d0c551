"""``artificer run //pkg:name``: an image is loaded, a push pushes, a program is started."""

import os
import shlex
import shutil
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, NoReturn

from artificer.builder.outcome import Outcome
from artificer.builder.package_targets import ManifestLock
from artificer.builder.products import Files, Images, Layers, Product
from artificer.builder.running import Where, insecure_registries, pushed
from artificer.builder.targets import (
    Declared,
    Graph,
    Group,
    ImageTarget,
    Load,
    Output,
    Program,
    Push,
    TargetId,
)
from artificer.cli.command import run_command
from artificer.cli.engines import Engines
from artificer.cli.grammar import OptionGroup, Parser
from artificer.cli.results import made
from artificer.cli.session import Made, Session
from artificer.cli.workspace.lock_debs import write_lock
from artificer.cli.workspace.open import Workspace, opened
from artificer.cli.workspace.options import check_patterns, spelled, target_parser
from artificer.cli.workspace.outputs import copy, put_other
from artificer.errors import ArtificerError, Misused, reason
from artificer.frontends.buildfile.labels import PackageId, parse_label
from artificer.oci.image import Image, Index
from artificer.oci.reference import Named, parse_name

_ABOUT = """\
Make a target, and do what it is for. An image or a bundle is loaded into the container engine
that is found, as bazel/PACKAGE:NAME, and the command that starts it is printed; it is started
when there are ARGS, or its rule says so. A push target pushes. A program is started.
@NAME//:lock of apt.install writes its lock.

ARGS after `--` are those of the program; of a push: --dst=REFERENCE, -r REPOSITORY, -t TAG; of
an image: options of `docker run`, then a second `--`, then what the container is given.
`--norun` among them only loads.
"""
_RUN_FLAGS = ("-i", "--rm", "--network=host")


class NothingToRun(ArtificerError):
    """A target that does nothing when it is run."""


class Started(NamedTuple):
    """What is to be started in a container: its engine's words, and whether to do so."""

    words: tuple[str, ...]
    now: bool


def run(words: Sequence[str], session: Session) -> int:
    """Run the target in *words*."""
    if "--" in words:
        end = words.index("--")
        words, rest = words[:end], words[end + 1 :]
    else:
        rest = ()
    return run_command(
        parser(), spelled(words), session, lambda args, inner: _run(args, tuple(rest), inner)
    )


def parser() -> Parser:
    """The words that it takes."""
    made = target_parser("run", "TARGET [options] [-- ARGS…]", _ABOUT)
    made.add_argument("targets", nargs="*", metavar="TARGET")
    group = OptionGroup(made, "where images are loaded")
    group.choice(
        "--engine",
        ("docker", "podman", "nerdctl", "containerd", "kind"),
        "(the first of them that is there)",
    )
    group.add("--namespace", metavar="NAME", default="default", help="of containerd (default)")
    group.add("--cluster", metavar="NAME", default="kind", help="of kind (kind)")
    return made


def _run(args: Namespace, words: tuple[str, ...], session: Session) -> int:
    check_patterns(args.targets, "run")
    with opened(args, session) as workspace:
        loaded = workspace.load(args.targets)
        if len(loaded.roots) != 1:
            raise Misused(f"run takes one target, and these are {len(loaded.roots)}")
        one = _meant(loaded.roots[0], loaded.graph)
        if isinstance(loaded.graph[one].target, ManifestLock):
            if words:
                raise Misused(f"{words[0]}: a lock is written, and no other file is changed")
            return write_lock(loaded.graph[one], loaded.graph, workspace)
        outcome = workspace.make(loaded.roots, loaded.graph)
        outcome.check()
        return _act(loaded.graph[one], words, outcome, loaded.graph, workspace)


def _meant(one: TargetId, graph: Graph) -> TargetId:
    """The target that *one* is, or is another name of."""
    while True:
        target = graph[one].target
        if not isinstance(target, Group) or len(target.sources) != 1:
            return one
        source = target.sources[0]
        if not isinstance(source, Output) or source.name:
            return one
        one = source.target


def _act(
    declared: Declared,
    words: tuple[str, ...],
    outcome: Outcome,
    graph: Graph,
    workspace: Workspace,
) -> int:
    product = outcome.products[declared.id]
    match declared.target:
        case Push():
            return _push(declared.id, words, outcome, graph, workspace)
        case Load() as target:
            names = product.images if isinstance(product, Images) else ()
            return _load(names, Engines(workspace, program=_loader(target, outcome)), workspace)
        case Program() as target:
            _start(declared, target, product, words, workspace)
        case _:
            pass
    if isinstance(product, Image | Index):
        return _load_and_start(declared, product, words, graph, workspace)
    if isinstance(product, Images):
        return _load(product.images, Engines(workspace), workspace)
    if isinstance(product, Files) and len(product.files) == 1 and product.files[0].executable:
        _start(declared, None, product, words, workspace)
    what = "layers are" if isinstance(product, Layers) else "it is"
    raise NothingToRun(
        f"{declared.place}: {declared.id} does nothing when it is run: {what} only built",
        hint=f"`artificer build {declared.id.label}` makes it",
    )


def _push(
    one: TargetId, words: tuple[str, ...], outcome: Outcome, graph: Graph, workspace: Workspace
) -> int:
    where, insecure = _where(words)
    hosts = set(insecure_registries([one], outcome, graph))
    if insecure:
        product = outcome.products[one]
        known = [name for name, _ in product.images] if isinstance(product, Images) else []
        named = [*where.names, *([where.repository] if where.repository else known)]
        hosts |= {parse_name(name).repository.registry for name in named if name}
    reach = workspace.reaching(frozenset(hosts)) if hosts else workspace.reach
    for done in pushed([one], outcome, graph, reach, where).values():
        for line in done.lines:
            workspace.session.out(line)
        workspace.session.made += _made(done.lines, outcome.products[one])
    return 0


def _made(lines: Sequence[str], product: Product) -> Iterator[Made]:
    """What the *lines* name by digest; its size is as it was built, not of another format."""
    contents = product.images if isinstance(product, Images) else ()
    for line, (_, content) in zip(lines, contents, strict=False):
        yield made(content, [line])[0]._replace(digest=line.rpartition("@")[2])


def _where(words: tuple[str, ...]) -> tuple[Where, bool]:
    """The flags of the push programs of rules_docker and rules_oci; and whether TLS is not."""
    parser = Parser(prog="artificer run PUSH --", add_help=False, allow_abbrev=False)
    parser.add_argument("--dst", "-dst", action="append", default=[])
    parser.add_argument("-r", "--repository", default="")
    parser.add_argument("-t", "--tag", action="append", default=[])
    parser.add_argument("--insecure", "--insecure-repository", action="store_true")
    args = parser.parse_args(list(words))
    return Where(tuple(args.dst), args.repository, tuple(args.tag)), bool(args.insecure)


def _load(
    images: Sequence[tuple[str, Image | Index]], engines: Engines, workspace: Workspace
) -> int:
    if not any(name for name, _ in images):
        raise NothingToRun("no name to load it as", hint="give it the attribute `repo_tags`")
    for name, content in images:
        named = parse_name(name)
        engines.load(content, named if named.tag else named._replace(tag="latest"))
        workspace.session.out(f"{named.familiar}@{content.digest}")
    return 0


def _loader(target: Load, outcome: Outcome) -> str | None:
    """The program that the target says to load with."""
    if not isinstance(target.loader, Output):
        return target.loader.path if target.loader else None
    product = outcome.products[target.loader.target]
    return product.files[0].path if isinstance(product, Files) and product.files else None


def _load_and_start(
    declared: Declared,
    content: Image | Index,
    words: tuple[str, ...],
    graph: Graph,
    workspace: Workspace,
) -> int:
    name = loaded_name(declared)
    engines = Engines(workspace)
    engines.load(content, name)
    given = list(words)
    runs = "--norun" not in given
    given = [word for word in given if word != "--norun"]
    split = given.index("--") if "--" in given else len(given)
    flags = [*run_flags(declared, graph), *given[:split]]
    command = (engines.program, "run", *flags, name.familiar, *given[split + 1 :])
    legacy = declared.attributes.get("legacy_run_behavior")
    starts = bool(given) or legacy is False or legacy == 0
    if not (runs and starts):
        workspace.session.say("It is started by:")
        workspace.session.out(shlex.join(command))
        return 0
    path = shutil.which(engines.program, path=workspace.session.environ.get("PATH"))
    if path is None:
        raise NothingToRun(f"{engines.program} is not on PATH, so nothing can be started")
    return _become(path, command, os.getcwd(), workspace.session.environ, workspace.session)


def loaded_name(declared: Declared) -> Named:
    """What an image is loaded as: ``bazel/PACKAGE:NAME``, or as its rule says (RD-61)."""
    label = parse_label(declared.id.label, PackageId("", ""))
    attributes = declared.attributes
    repository = str(attributes.get("repository") or "bazel")
    if "/" in repository and declared.rule.endswith("_import"):
        repository = "bazel"
    tag = str(attributes.get("tag_name") or label.name.replace("/", "_"))
    package = label.package or ""
    if label.repository:
        package = "/".join(filter(None, ("external", label.repository, package)))
    if attributes.get("legacy_repository_naming"):
        package = package.replace("/", "_")
    path = "/".join(filter(None, (repository, package))).lower()
    return parse_name(f"{path}:{tag}")


def run_flags(declared: Declared, graph: Graph) -> tuple[str, ...]:
    """``docker_run_flags`` of an image, or of its base (RD-62)."""
    one = declared
    while isinstance(one.target, ImageTarget):
        if one.target.wishes.run_flags:
            return one.target.wishes.run_flags
        base = one.target.base
        if not isinstance(base, Output):
            break
        one = graph[_meant(base.target, graph)]
    return _RUN_FLAGS


def _start(
    declared: Declared,
    target: Program | None,
    product: Product,
    words: tuple[str, ...],
    workspace: Workspace,
) -> NoReturn:
    """Become the program, in a directory with its files as they lie in the workspace."""
    if not isinstance(product, Files) or not product.files:
        raise NothingToRun(f"{declared.id} has no file to start")
    folder = runfiles(declared, product, workspace)
    path = f"{folder}/{product.files[0].short}"
    environ = {
        **workspace.session.environ,
        "BUILD_WORKSPACE_DIRECTORY": workspace.root,
        "BUILD_WORKING_DIRECTORY": os.getcwd(),
        "RUNFILES_DIR": os.path.dirname(folder),
        **(dict(target.env) if target else {}),
    }
    args = target.args if target else ()
    _become(path, (path, *args, *words), folder, environ, workspace.session)


def runfiles(declared: Declared, product: Files, workspace: Workspace) -> str:
    """A directory with the files of *product*, at their paths below the workspace."""
    label = parse_label(declared.id.label, PackageId("", ""))
    name = "/".join(filter(None, (label.repository, label.package, label.name)))
    folder = f"{workspace.outputs.base}/run/{name}.runfiles/__main__"
    shutil.rmtree(folder, ignore_errors=True)
    for file in product.files:
        short = os.path.normpath(file.short)
        if short.startswith(("/", "..")):
            raise NothingToRun(f"{file.short} is not below the workspace")
        if file.kind != "file":
            put_other(file, f"{folder}/{short}")
            continue
        executable = file.executable or file is product.files[0]
        copy(file.path, f"{folder}/{short}", executable=executable)
    return folder


def _become(
    path: str, words: Sequence[str], folder: str, environ: Mapping[str, str], session: Session
) -> NoReturn:
    session.stdout.flush()
    session.stderr.flush()
    session.close()
    os.chdir(folder)
    try:
        os.execve(path, list(words), dict(environ))  # noqa: S606 - to become it is the purpose
    except OSError as error:
        raise NothingToRun(f"{path} cannot be started: {reason(error)}") from error
