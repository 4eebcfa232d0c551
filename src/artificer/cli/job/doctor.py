"""``artificer job doctor``: whether a cluster can build, before anything starts."""

import base64
import json
import os
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from artificer.cli.command import bare_parser, run_command
from artificer.cli.connect import open_registry
from artificer.cli.grammar import OptionGroup, Parser, add_access_options, add_common_options
from artificer.cli.job.grammar import IMAGE_VARIABLE
from artificer.cli.job.graph import architecture_of
from artificer.cli.job.open import add_cluster_options, add_namespace, open_cluster
from artificer.cli.job.works import platforms_in
from artificer.cli.session import Session
from artificer.cli.terminal.table import printable
from artificer.errors import ArtificerError
from artificer.kubernetes.cluster import Cluster, Forbidden
from artificer.kubernetes.doctor import Checked, examined, sick
from artificer.kubernetes.job import (
    HOME_DIRECTORY,
    Commands,
    Job,
    JobOptions,
    RegistryAccess,
    Security,
    Work,
    Workspace,
)
from artificer.oci.reference import parse_name

_ABOUT = """\
Look whether a cluster can build: its version, what you may do there, what its namespace lets in
(a pod is tried, and not run), the Secret for registries and its type, whether nodes have user
namespaces, whether the builder image is there, with --platform, whether there are nodes of it,
and with --push, whether the Secret's credentials may push. Each line says ok, warn or fail, and
what to do.
"""


def run(words: Sequence[str], session: Session) -> int:
    """Examine the cluster that *words* name."""
    return run_command(_parser(), words, session, _examine)


def _parser() -> Parser:
    parser = bare_parser("job doctor", "[options]", _ABOUT)
    group = OptionGroup(parser, "job")
    group.one("--image", "IMAGE", f"the builder image ({IMAGE_VARIABLE})")
    group.one("--service-account", "NAME", "of the pods")
    group.one("--registry-secret", "SECRET", "who the build is")
    group.many("--pull-secret", "SECRET", "of the nodes")
    group.many("--push", "REPO", "try to push there, too")
    group.choice(
        "--commands",
        ("none", "chroot", "namespaces"),
        "what pods are allowed (none)",
        default="none",
    )
    group.switch("--host-users", "no user namespace of the pod's own")
    group.many("--platform", "PLATFORM", "look for nodes of it, as `--native` needs them")
    add_namespace(parser)
    add_cluster_options(parser)
    add_access_options(parser)
    add_common_options(parser)
    parser.set_defaults(pull="always", offline=False)
    return parser


def _examine(args: Namespace, session: Session) -> int:
    cluster = open_cluster(args, session)
    found = []
    for one in _all(args, cluster, session):
        found.append(one)
        session.out(f"{one.state:4}  {one.topic}: {printable(one.text)}")
        if one.hint and one.state != "ok":
            session.out(f"      {printable(one.hint)}")
    error = sick(found)
    if error is not None:
        raise error
    return 0


def _all(args: Namespace, cluster: Cluster, session: Session) -> Iterator[Checked]:
    architectures = dict.fromkeys(map(architecture_of, platforms_in(args.platform)))
    yield from examined(cluster, _job(args, session), tuple(architectures))
    image = args.image or session.environ.get(IMAGE_VARIABLE)
    if image:
        yield _image(image, args, session)
    for name in args.push:
        yield _push(name, args, cluster, session)


def _job(args: Namespace, session: Session) -> Job:
    commands: Commands = args.commands
    image = args.image or session.environ.get(IMAGE_VARIABLE) or "registry.example/builder"
    options = JobOptions(
        image,
        name="artificer-doctor",
        service_account=args.service_account or "",
        registry=RegistryAccess(args.registry_secret or "", pull_secrets=tuple(args.pull_secret)),
        security=Security(host_users=args.host_users, commands=commands),
    )
    return Job(options, (Work("doctor", ("version",)),), Workspace(directory=HOME_DIRECTORY))


def _image(text: str, args: Namespace, session: Session) -> Checked:
    """Whether the builder image is there, as seen from here: nodes have their own ways."""
    try:
        registry = open_registry(args, session, session.store(args.store))
        there = registry.head_target(parse_name(text))
    except ArtificerError as error:
        hint = "nodes have credentials and a network of their own: they may see it"
        return Checked("image", "warn", f"{text}: {error.message}", hint)
    if there is None:
        hint = "push it first, or name another with `--image`"
        return Checked("image", "fail", f"there is no image {text}", hint)
    return Checked("image", "ok", f"{text} is {there.digest}")


def _push(text: str, args: Namespace, cluster: Cluster, session: Session) -> Checked:
    """Whether the credentials of the Secret, if it can be read, may push."""
    name = parse_name(text)
    try:
        with _authfile(args.registry_secret, cluster) as path:
            whose = f"the Secret {args.registry_secret}" if path else "your own credentials"
            chosen = Namespace(**{**vars(args), "authfile": path or args.authfile})
            registry = open_registry(chosen, session, session.store(args.store))
            registry.check_push(name.repository)
    except Forbidden:
        return Checked("push", "warn", f"{text}: secrets cannot be read by you")
    except ArtificerError as error:
        return Checked("push", "fail", error.message, error.hint or "")
    return Checked("push", "ok", f"{whose} may push to {name.repository}")


@contextmanager
def _authfile(secret: str | None, cluster: Cluster) -> Iterator[str | None]:
    """The credentials of *secret* as a file that only we can read, and that is gone afterwards."""
    found = cluster.find("secrets", secret) if secret else None
    data = (found or {}).get("data", {}).get(".dockerconfigjson")
    if not isinstance(data, str):
        yield None
        return
    try:
        config = json.loads(base64.b64decode(data))
    except (ValueError, RecursionError) as error:
        raise ArtificerError(f"the Secret {secret} holds no docker config.json") from error
    descriptor, path = tempfile.mkstemp(prefix="artificer-")
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(config, file)
        yield path
    finally:
        os.unlink(path)
