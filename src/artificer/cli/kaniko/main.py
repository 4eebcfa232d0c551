"""``artificer kaniko``: the command line of kaniko's executor, as a Dockerfile build."""

import base64
import os
import re
from argparse import SUPPRESS, Namespace
from collections.abc import Iterator, Mapping, Sequence

from artificer.cli.command import bare_parser
from artificer.cli.grammar import RUNGS, Once, Parser
from artificer.cli.kaniko.asked import Asked
from artificer.cli.kaniko.flags import FLAGS, OURS, REMOTE_CONTEXTS, SHORT, Flag
from artificer.cli.session import Session
from artificer.errors import Misused
from artificer.oci.reference import parse_name

_ABOUT = """\
Build a Dockerfile as kaniko's executor is asked to. Each of its flags does what it does there, is
so anyway, or is refused by name: docs/reference/kaniko.md lists all of them.

Unlike kaniko it runs anywhere, touches no file of the machine it runs on, and prints the image's
reference by digest to standard output.
"""
_TRUE = frozenset({"", "1", "t", "true"})
_FALSE = frozenset({"0", "f", "false"})
_QUIET = frozenset({"panic", "fatal", "error", "warn", "warning"})
_LEVELS = _QUIET | {"info", "debug", "trace"}
_LOGS = {"text": "plain", "color": "auto", "json": "json"}
_AZURE = re.compile(r"https?://[^/]*\.blob\.core\.[^/]*/")
_CONTEXT = "/workspace/"
_OTHERS = {
    "login": "`artificer login REGISTRY`",
    "push": "`artificer push IMAGE`",
    "warmer": "`artificer pull IMAGE` brings a base into the store",
}
Given = Mapping[str, Sequence[str]]


def run(words: Sequence[str], session: Session) -> int:
    """Build what *words* describe."""
    rest = words[1:]
    if "-h" in rest or "--help" in rest:
        session.out(parser().format_help().rstrip("\n"))
        return 0
    if rest[:1] == ["version"]:
        from artificer.cli import version

        return version.run(rest, session)
    if rest[:1] and rest[0] in _OTHERS:
        raise Misused(f"kaniko {rest[0]}: artificer has its own", hint=_OTHERS[rest[0]])
    return _carry_out(translated(rest, session.environ), session)


def _carry_out(asked: Asked, session: Session) -> int:
    """Build what kaniko was asked for."""
    from artificer.cli.dockerfile.main import carry_out, parsed_dockerfile
    from artificer.cli.kaniko.files import write_kaniko_files

    args = parsed_dockerfile(asked.words, session)
    args.git_authorization, args.kaniko = asked.git_authorization, True
    return carry_out(
        args,
        session,
        lambda result, reach: write_kaniko_files(asked, result.content, reach),
    )


def parser() -> Parser:
    """The words that it takes."""
    made = bare_parser("kaniko", "--context CONTEXT --destination NAME… [flags]", _ABOUT)
    add = made.add_argument_group("flags").add_argument
    short = {name: letter for letter, name in SHORT.items()}
    for name, flag in FLAGS.items():
        letters = (short[name],) if name in short else ()
        add(
            *letters,
            f"--{name}",
            dest=name,
            action="append",
            default=[],
            metavar="BOOL" if flag.switch else "VALUE",
            help=flag.text if flag.fate in {"same", "own"} else SUPPRESS,
        )
    add = made.add_argument_group("artificer's own").add_argument
    add("--store", metavar="DIR", action=Once, help="local store (ARTIFICER_STORE)")
    way = "way to run commands (`artificer doctor run`)"
    add("--rung", choices=RUNGS, metavar="WAY", action=Once, help=way)
    add("--allow-lost-owners", action="store_true", help="run also where owners cannot be kept")
    add("--preserve-mtime", action="store_true", help="keep the times of files commands write")
    add("-h", "--help", action="store_true", help="show this help")
    return made


def translated(words: Sequence[str], environ: Mapping[str, str]) -> Asked:
    """What *words* of kaniko's executor, and its variables in *environ*, ask for."""
    args = parser().parse_args([_with_value(word) for word in words])
    given = {name: values for name in FLAGS if (values := getattr(args, name))}
    for name, values in given.items():
        _check(name, FLAGS[name], values)
    given = _with_environ(given, environ)
    names = tuple(text for value in given.get("destination", ()) for text in value.split(","))
    for name in names:
        parse_name(name)
    pushing = not _is(given, "no-push")
    if pushing and not names:
        raise Misused(
            "no --destination", hint="say where the image goes, or --no-push to send it nowhere"
        )
    pushed = names if pushing else ()
    made = [
        *_same(given),
        *(f"--tag=docker://{name}" for name in pushed),
        *(f"--tag=oci:{path}" for path in given.get("oci-layout-path", ())[-1:]),
        *_file(given),
        *_registries(given, pushed),
        *_caching(given, names),
        *_display(given),
        *_ours(args, given),
        _place(given, environ),
    ]
    return Asked(
        tuple(made),
        names,
        pushed,
        _last(given, "tar-path"),
        _last(given, "image-name-with-digest-file"),
        _last(given, "image-name-tag-with-digest-file"),
        _git_authorization(environ),
    )


def _with_value(word: str) -> str:
    """*word*, and if it is a bare switch, that it is true."""
    flag = FLAGS.get(word.removeprefix("--"))
    return f"{word}=true" if word.startswith("--") and flag and flag.switch else word


def _check(name: str, flag: Flag, values: Sequence[str]) -> None:
    if flag.fate == "refused" and not (flag.switch and _FALSE.issuperset(map(str.lower, values))):
        raise Misused(f"--{name} is refused: {flag.text}", hint=flag.hint)
    if flag.fate == "usual":
        for text in (part for value in values for part in value.lower().split(",")):
            spelled = {"1": "true", "t": "true", "0": "false", "f": "false"}.get(text, text)
            if text not in flag.values and spelled not in flag.values:
                raise Misused(f"--{name}={text} is refused: {flag.text}", hint=flag.hint)


def _with_environ(given: Given, environ: Mapping[str, str]) -> dict[str, Sequence[str]]:
    """*given*, and what variables say where no flag does."""
    found = dict(given)
    for name, values in (
        ("no-push", environ.get("KANIKO_NO_PUSH")),
        ("registry-mirror", environ.get("KANIKO_REGISTRY_MIRROR")),
        ("registry-map", environ.get("KANIKO_REGISTRY_MAP")),
        ("kaniko-dir", environ.get("KANIKO_DIR")),
    ):
        if values and name not in found:
            found[name] = values.split(",") if name == "registry-mirror" else [values]
    return found


def _same(given: Given) -> Iterator[str]:
    for name, values in given.items():
        if FLAGS[name].fate == "same":
            yield from (f"{FLAGS[name].option}={value}" for value in values)


def _place(given: Given, environ: Mapping[str, str]) -> str:
    """The context as docker names it."""
    text = _last(given, "context") or _CONTEXT
    scheme, slashes, rest = text.partition("://")
    if "git" in given and scheme != "git":
        raise Misused("--git, but the context is not of git", hint="leave it out")
    if (slashes and scheme in REMOTE_CONTEXTS) or _AZURE.match(text):
        raise Misused(
            f"a context cannot be read from {scheme}://",
            hint=REMOTE_CONTEXTS.get(
                scheme, "`az storage blob download …` before it, then `--context tar://FILE`"
            ),
        )
    match scheme if slashes else "dir":
        case "dir":
            return rest if slashes else text
        case "tar":
            return "-" if rest == "stdin" else rest
        case "git":
            return _git(rest, given, environ)
        case "https" | "http":
            return text
        case _:
            raise Misused(
                f"--context {text}: no such kind of context",
                hint="dir://, tar://, git:// or https://",
            )


def _file(given: Given) -> Iterator[str]:
    """Where the Dockerfile is: as kaniko looks for it, here first and then in the context."""
    file = _last(given, "dockerfile")
    if file is None:
        return
    scheme, slashes, rest = (_last(given, "context") or _CONTEXT).partition("://")
    local = not slashes or scheme == "dir"
    if local and not os.path.isfile(file):
        below = _last(given, "context-sub-path") or ""
        file = os.path.join(rest if slashes else scheme, below, file)
    yield f"--file={file}"


def _git(rest: str, given: Given, environ: Mapping[str, str]) -> str:
    """``HOST/PATH[#REF[#COMMIT]]`` as docker writes it."""
    head, _, revision = rest.partition("#")
    ref, _, commit = revision.partition("#")
    submodules = False
    for word in (part for value in given.get("git", ()) for part in value.split(",")):
        name, _, value = word.partition("=")
        if name == "branch":
            ref = ref or f"refs/heads/{value}"
        elif name == "recurse-submodules":
            submodules = value.lower() in _TRUE
        elif name != "single-branch" or value.lower() not in _TRUE:
            raise Misused(
                f"--git {word} is refused",
                hint="it takes branch=NAME, single-branch=true, recurse-submodules=true",
            )
    method = environ.get("GIT_PULL_METHOD") or "https"
    if method not in {"https", "http"}:
        raise Misused(f"GIT_PULL_METHOD is neither https nor http: {method}")
    query = "&".join(
        [*(["submodules=true"] if submodules else ()), *([f"commit={commit}"] if commit else ())]
    )
    tail = f"#{ref}" if ref else ""
    return f"{method}://{head}{'?' + query if query else ''}{tail}"


def _git_authorization(environ: Mapping[str, str]) -> str:
    """The header for the context's host: a token, or a user and a password, as kaniko has them."""
    token, user = environ.get("GIT_TOKEN"), environ.get("GIT_USERNAME")
    password = environ.get("GIT_PASSWORD")
    if not token and not password:
        return ""
    words = f"{token}:" if token else f"{user or ''}:{password}"
    return f"Basic {base64.b64encode(words.encode()).decode()}"


def _registries(given: Given, pushed: Sequence[str]) -> Iterator[str]:
    if _is(given, "insecure") or _is(given, "skip-tls-verify"):
        hosts = dict.fromkeys(parse_name(name).repository.registry for name in pushed)
        yield from (f"--insecure-registry={host}" for host in hosts)
    yield from (f"--registry-mirror=docker.io={one}" for one in given.get("registry-mirror", ()))
    for value in given.get("registry-map", ()):
        for pair in filter(None, value.split(";")):
            host, mirror = _divided("registry-map", pair)
            yield f"--registry-mirror={_hub(host)}={mirror}"
    for value in given.get("registry-certificate", ()):
        yield f"--cacert={_divided('registry-certificate', value)[1]}"
    for value in given.get("registry-client-cert", ()):
        files = _divided("registry-client-cert", value)[1].split(",")
        if len(files) != 2:
            raise Misused(f"--registry-client-cert {value}: not HOST=CERTIFICATE,KEY")
        yield f"--client-cert={files[0]}"
        yield f"--client-key={files[1]}"


def _divided(name: str, text: str) -> tuple[str, str]:
    host, equals, value = text.partition("=")
    if not equals or not host or not value:
        raise Misused(f"--{name} {text}: not HOST=VALUE")
    return host, value


def _hub(host: str) -> str:
    return "docker.io" if host in {"index.docker.io", "registry-1.docker.io"} else host


def _caching(given: Given, names: Sequence[str]) -> Iterator[str]:
    repo = _last(given, "cache-repo")
    readonly = _is(given, "no-push-cache")
    if not _is(given, "cache"):
        return
    if repo is None and not names:
        raise Misused("--cache without a --destination", hint="name it: `--cache-repo REPO`")
    if repo is not None and repo.startswith("oci:"):
        path = repo.removeprefix("oci:")
        yield f"--cache-from=type=local,src={path}"
        if not readonly:
            yield f"--cache-to=type=local,dest={path}"
        return
    yield f"--cache-repo={repo or f'{parse_name(names[0]).repository}/cache'}"
    if readonly:
        yield "--cache-readonly"


def _display(given: Given) -> Iterator[str]:
    level = (_last(given, "verbosity") or "info").lower()
    if level not in _LEVELS:
        raise Misused(f"--verbosity {level}: not a level", hint=", ".join(sorted(_LEVELS)))
    form = _last(given, "log-format") or "color"
    if form not in _LOGS:
        raise Misused(f"--log-format {form}: not a format", hint="text, color or json")
    yield f"--progress={_LOGS[form]}"
    if level in _QUIET:
        yield "--quiet"


def _ours(args: Namespace, given: Given) -> Iterator[str]:
    place = _last(given, "kaniko-dir")
    if args.store is not None or place:
        yield f"--store={args.store or os.path.join(place or '', 'store')}"
    for option in OURS:
        value = getattr(args, option.removeprefix("--").replace("-", "_"))
        if value is True:
            yield option
        elif value and option != "--store":
            yield f"{option}={value}"


def _last(given: Given, name: str) -> str | None:
    """A flag that is given twice means its last value, as with kaniko."""
    values = given.get(name, ())
    return values[-1] if values else None


def _is(given: Given, name: str) -> bool:
    value = (_last(given, name) or "false").lower()
    if value not in _TRUE | _FALSE:
        raise Misused(f"--{name}={value}: neither true nor false")
    return value in _TRUE
