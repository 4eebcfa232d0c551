"""The options of a Job that `artificer job render` and `job submit` share, and what they say."""

import os
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence

from artificer.cli.command import bare_parser
from artificer.cli.grammar import (
    OptionGroup,
    Parser,
    add_access_options,
    add_cache_repository,
    add_common_options,
)
from artificer.cli.words import age, pair
from artificer.errors import Misused
from artificer.kubernetes.job import (
    Cache,
    JobOptions,
    Pace,
    Placement,
    RegistryAccess,
    Resources,
    Security,
    Toleration,
    Variable,
    Volume,
)
from artificer.kubernetes.manifest import ARCH

USAGE = "[options] (LABEL… | -- COMMAND LINE)"
IMAGE_VARIABLE = "ARTIFICER_JOB_IMAGE"
GENERATED = "build-"

_KINDS: Mapping[str, str] = {
    "claim": "a PersistentVolumeClaim",
    "configmap": "a ConfigMap",
    "secret": "a Secret",
    "empty": "an empty directory, of that size at most",
    "memory": "the same in memory",
    "image": "an image's files, read-only (Kubernetes 1.36)",
}


def job_parser(name: str, about: str) -> Parser:
    """The parser of a command that makes a Job, with all that is about the Job."""
    parser = bare_parser(f"job {name}", USAGE, about)
    parser.add_argument("labels", nargs="*", metavar="LABEL")
    _source(OptionGroup(parser, "source"))
    _pod(OptionGroup(parser, "pods"))
    _access(OptionGroup(parser, "registries and secrets in the pods"))
    _job(OptionGroup(parser, "the job"))
    _resources(OptionGroup(parser, "resources"))
    _placement(OptionGroup(parser, "nodes"))
    add_access_options(parser)
    add_common_options(parser)
    parser.set_defaults(pull="always", offline=False)
    return parser


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before the first ``--``, and the command line behind it."""
    if "--" not in words:
        return list(words), []
    at = list(words).index("--")
    return list(words[:at]), list(words[at + 1 :])


def _source(group: OptionGroup) -> None:
    group.one("--git", "URL[#REV[:DIR]]", "clone this; the build starts in DIR")
    group.one("--git-secret", "SECRET", "with which git logs in")
    group.one(
        "--context",
        "DIR",
        "pack this directory into the cache repository; or what `source pack` printed",
    )
    group.one(
        "--workspace",
        "[CLAIM[/DIR]:]PATH",
        "the files are there: in a PersistentVolumeClaim (`:rw` behind: writable), or in "
        "the builder image",
    )


def _pod(group: OptionGroup) -> None:
    group.one(
        "--image", "IMAGE", f"the builder image ({IMAGE_VARIABLE}); a digest is the same for ever"
    )
    group.one("--service-account", "NAME", "on which cloud identities hang")
    group.choice(
        "--commands",
        ("none", "chroot", "namespaces"),
        "what pods are allowed, for targets that run commands (none)",
        default="none",
    )
    group.one("--user", "UID", "or `any`: the cluster's (1000)", default="1000")
    group.one("--group", "GID", "(the user's)")
    group.switch("--host-users", "no user namespace of the pod's own: before Kubernetes 1.33")
    group.many("--env", "NAME=VALUE", "set a variable")
    group.many("--env-secret", "NAME=SECRET:KEY", "take it from a Secret")
    group.many("--env-from-secret", "SECRET", "take all variables of a Secret")
    group.many("--mount", "KIND:NAME:PATH[:ro]", f"one more volume; KIND: {', '.join(_KINDS)}")


def _access(group: OptionGroup) -> None:
    group.one("--registry-secret", "SECRET", "of `artificer job secret`: who the build is")
    group.many("--pull-secret", "SECRET", "with which nodes pull the builder image")
    group.one("--token-audience", "AUDIENCE", "give the pod a token of its service account")
    add_cache_repository(group, "share what is made in a repository")


def _job(group: OptionGroup) -> None:
    group.one("-n --namespace", "NAME", "(the current context's)")
    group.one("--name", "NAME", "of the job")
    group.one("--generate-name", "PREFIX", "let the server choose the rest")
    group.many("--label", "KEY=VALUE", "of job and pods")
    group.many("--annotation", "KEY=VALUE", "of job and pods")
    group.one("--parallelism", "N", "pods at once (10)", type=_number, default=10)
    group.one("--retries", "N", "of what may pass (1)", type=_number, default=1)
    group.one(
        "--max-failed", "N", "end the job when more targets failed; 0: at the first", type=_number
    )
    group.one("--deadline", "TIME", "for the whole job (1h)", default="1h")
    group.one(
        "--keep",
        "TIME",
        "once it is finished (1h); `forever` for Argo CD and Flux, which would make it anew",
        default="1h",
    )
    group.one("--grace", "TIME", "to end when told to (30s)", default="30s")
    group.one("--queue", "NAME", "of Kueue, which then starts the job")
    group.switch("--suspend", "let somebody else start it")


def _resources(group: OptionGroup) -> None:
    for name, what in (
        ("cpu", "what is asked for"),
        ("memory", "what is asked for"),
        ("cpu-limit", "none"),
        ("memory-limit", "more ends the pod"),
        ("storage", "of the node's disk: asked for, and the limit"),
        ("workspace-size", "what the source may take"),
        ("home-size", "what the store may take"),
        ("tmp-size", "what /tmp may take"),
    ):
        usual: str = getattr(Resources(), name.replace("-", "_"))
        told = f"{what} ({usual})" if usual else what
        group.one(f"--{name}", "AMOUNT", told, default=usual)


def _placement(group: OptionGroup) -> None:
    group.many("--node-selector", "KEY=VALUE", "nodes with it")
    group.many("--toleration", "KEY[=VALUE][:EFFECT]", "nodes with this taint, too")
    group.switch(
        "--native",
        "each platform on nodes of its own (kubernetes.io/arch): RUN needs no emulation",
    )
    group.one("--priority-class", "NAME", "who goes first")
    group.one("--runtime-class", "NAME", "as gVisor's or Kata's")


def job_options(args: Namespace, environ: Mapping[str, str]) -> JobOptions:
    """What *args* say of the Job; its values are checked by `kubernetes.check`."""
    if args.name and args.generate_name:
        raise Misused("--name and --generate-name exclude each other")
    image = args.image or environ.get(IMAGE_VARIABLE)
    if not image:
        raise Misused(
            "which builder image?",
            hint=f"`--image IMAGE` or {IMAGE_VARIABLE} names it; docs/guides/kubernetes.md tells "
            "how it is made",
        )
    return JobOptions(
        image=image,
        name=args.name or "",
        generate_name=args.generate_name or GENERATED,
        namespace=args.namespace or "",
        service_account=args.service_account or "",
        labels=_pairs(args.label, "--label"),
        annotations=_pairs(args.annotation, "--annotation"),
        queue=args.queue or "",
        suspend=args.suspend,
        pace=_pace_of(args),
        resources=Resources(*(getattr(args, name) for name in Resources._fields)),
        security=_security_of(args),
        registry=RegistryAccess(
            args.registry_secret or "", args.token_audience or "", tuple(args.pull_secret)
        ),
        cache=_cache_of(args),
        placement=_placement_of(args),
        volumes=tuple(map(_volume, args.mount)),
        env=_variables(args),
        env_from_secrets=tuple(args.env_from_secret),
    )


def _pace_of(args: Namespace) -> Pace:
    return Pace(
        args.parallelism,
        args.retries,
        args.max_failed,
        _seconds(args.deadline, "--deadline"),
        None if args.keep == "forever" else _seconds(args.keep, "--keep"),
        _seconds(args.grace, "--grace"),
    )


def _seconds(text: str, option: str) -> int:
    return int(text) if text.isdecimal() else int(age(text, option))


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ArgumentTypeError(f"not a number: {text!r}")
    return int(text)


def _security_of(args: Namespace) -> Security:
    user, group = args.user, args.group or args.user
    for option, text in (("--user", user), ("--group", group)):
        if not text.isdecimal() and text != "any":
            raise Misused(
                f"{option} {text}: names are the image's own", hint="write the number, or `any`"
            )
    if args.commands != "none" and (args.user != "1000" or args.group):
        raise Misused(f"--commands {args.commands} is root's: no --user and no --group")
    return Security(
        None if user == "any" else int(user),
        None if group == "any" else int(group),
        args.host_users,
        args.commands,
    )


def _cache_of(args: Namespace) -> Cache:
    if args.cache_readonly and not args.cache_repo:
        raise Misused("--cache-readonly without a --cache-repo")
    return Cache(args.cache_repo or "", args.cache_readonly)


def _placement_of(args: Namespace) -> Placement:
    chosen = _pairs(args.node_selector, "--node-selector")
    if args.native and ARCH in dict(chosen):
        raise Misused(f"--native and --node-selector {ARCH} exclude each other")
    return Placement(
        chosen,
        tuple(map(_toleration, args.toleration)),
        args.priority_class or "",
        args.runtime_class or "",
    )


def _toleration(text: str) -> Toleration:
    taint, _, effect = text.partition(":")
    key, equals, value = taint.partition("=")
    return Toleration(key, value if equals else None, effect)


def _pairs(texts: Sequence[str], option: str) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for key, value in (pair(text, option) for text in texts):
        if key in found:
            raise Misused(f"{option} {key} is given twice")
        found[key] = value
    return tuple(found.items())


def _variables(args: Namespace) -> tuple[Variable, ...]:
    plain = [Variable(*pair(text, "--env")) for text in args.env]
    return (*plain, *(_secret_variable(text) for text in args.env_secret))


def _secret_variable(text: str) -> Variable:
    name, place = pair(text, "--env-secret")
    secret, _, key = place.partition(":")
    return Variable(name, secret=secret, key=key)


def _volume(text: str) -> Volume:
    kind, colon, rest = text.partition(":")
    if kind not in _KINDS:
        from difflib import get_close_matches

        near = get_close_matches(kind, _KINDS, 1)
        kinds = ", ".join(f"{name} ({meaning})" for name, meaning in _KINDS.items())
        hint = f"did you mean {near[0]}?" if near and colon else f"KIND:NAME:PATH, of {kinds}"
        raise Misused(f"--mount {text}: no such kind of volume", hint=hint)
    read_only = rest.endswith(":ro")
    # An image's name has colons, too: the path is what comes last.
    origin, colon, path = rest.removesuffix(":ro").rpartition(":")
    if not colon or not os.path.isabs(path):
        raise Misused(f"--mount {text}: where to?", hint=f"`--mount {kind}:NAME:/PATH`")
    match kind:
        case "claim" | "configmap" | "secret" | "image" if not origin:
            raise Misused(f"--mount {text}: which {kind}?", hint=f"`--mount {kind}:NAME:{path}`")
        case "claim" | "configmap" | "secret" | "image" | "empty" | "memory":
            return Volume(kind, origin, path, read_only)
        case _:
            raise AssertionError(kind)
