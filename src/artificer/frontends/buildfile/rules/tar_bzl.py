"""The tars of tar.bzl and aspect_bazel_lib, which rules_oci's images are made of today."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from artificer.builder.targets import (
    Archive,
    Content,
    Group,
    Output,
    Put,
    Source,
    SourceFile,
    Target,
)
from artificer.frontends.buildfile.package import outputs_of
from artificer.frontends.buildfile.rules.oci import platform_named
from artificer.frontends.buildfile.rules.values import image_dir, puts_of, rules_of
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Rule,
    either,
    label,
    labels,
    string,
    strings,
)

_COMPRESSIONS = {"": "", "gzip": "gz", "bzip2": "bz2", "xz": "xz", "zstd": "zst"}
_TIME = 1672560000
"""What a file has by default: 2023-01-01, as tar.bzl says it."""

_FIXED = "the encoder is fixed, so that the same files give one digest"
_LINES = "it is known only when it is built; write its lines as a list"
_MUTATIONS = frozenset(("strip_prefix", "package_dir", "mtime", "owner", "srcs", "ownername"))

TAR: dict[str, Attribute] = {
    "srcs": labels(),
    "mtree": either("label", "strings", default="auto"),
    "mutate": ANY,
    "out": Attribute(("output",)),
    "mode": string("create", values=("create",)),
    "compress": string(values=tuple(_COMPRESSIONS)),
    "compressor": label(refused=_FIXED),
    "compressor_args": string(refused=_FIXED),
    "args": strings(refused=_FIXED),
    "compute_unused_inputs": ANY,
    "stamp": ANY,
}
MUTATE: dict[str, Attribute] = {
    "mtree": label(mandatory=True),
    "srcs": labels(),
    "strip_prefix": string(),
    "package_dir": string(),
    "mtime": either("string", "int"),
    "owner": string(),
    "ownername": string(refused="what a name means depends on the image: say `owner`"),
    "awk_script": label(refused="it is a program; say what it does in a `genrule`"),
    "preserve_symlinks": ANY,
}


def _tar(call: Call, context: Context) -> Target:
    ending = _COMPRESSIONS[call.string("compress")]
    name = call.string("out") or ".".join(filter(None, (call.name, "tar", ending)))
    mtree = call.value("mtree")
    if not isinstance(mtree, str):
        return Archive(_of_lines(call, context), name, ending)
    listed = _Listed(call.strings("srcs"), {}, context)
    if mtree != "auto":
        listed = _listed(call, context, mtree)
    changes = {**listed.changes, **_checked(dict(call.value("mutate") or {}), call, context)}
    return Archive(_automatic(call, listed._replace(changes=changes)), name, ending)


class _Listed(NamedTuple):
    sources: Sequence[str]
    changes: Mapping[str, Any]
    context: Context


def _listed(call: Call, context: Context, text: str) -> _Listed:
    """What an ``mtree_spec`` lists, and how ``mtree_mutate`` changes it."""
    named = context.call(text)
    if named is None or named.rule.name not in {"mtree_spec", "mtree_mutate"}:
        context.fail(call, "mtree", f"the mtree {text} is not supported: {_LINES}")
    inner = context.of(named)
    if named.rule.name == "mtree_spec":
        return _Listed(named.strings("srcs"), {}, inner)
    found = _listed(named, inner, named.string("mtree"))
    own = {name: named.value(name) for name in _MUTATIONS if named.value(name)}
    return found._replace(changes={**found.changes, **own})


def _checked(changes: dict[str, Any], call: Call, context: Context) -> dict[str, Any]:
    for name in changes:
        if changes[name] and name not in _MUTATIONS - {"ownername"}:
            context.fail(call, "mutate", f"mutate(`{name}`) is not supported")
    return changes


def _automatic(call: Call, listed: _Listed) -> Content:
    context, changes = listed.context, listed.changes
    directory = image_dir(str(changes.get("package_dir") or ""), call, context, "mutate")
    owner = int(changes.get("owner") or 0)
    return Content(
        puts=puts_of(listed.sources, context, directory, str(changes.get("strip_prefix") or "")),
        mode=0o755,
        owner=(owner, 0),
        mtime=int(changes.get("mtime") or _TIME),
    )


def _of_lines(call: Call, context: Context) -> Content:
    lines = [_line(text, call, context) for text in call.strings("mtree") if text.strip()]
    times = {line.words.get("time", "0") for line in lines}
    if len(times) > 1:
        context.fail(call, "mtree", f"files of several times: {', '.join(sorted(times))}")
    known = dict(pair for text in call.strings("srcs") for pair in _known(text, context))
    of_kind = {kind: [one for one in lines if one.kind == kind] for kind in _KINDS}
    return Content(
        puts=tuple(_put(line, known, call, context) for line in of_kind["file"]),
        symlinks=tuple((line.path, line.words.get("link", "")) for line in of_kind["link"]),
        empty_dirs=tuple(line.path for line in of_kind["dir"]),
        modes=tuple((line.path, line.mode) for line in lines if line.mode is not None),
        owners=tuple((line.path, line.owner) for line in lines),
        mtime=int(float(next(iter(times), "0"))),
    )


_KINDS = ("file", "dir", "link")


class _Line(NamedTuple):
    path: str
    words: Mapping[str, str]

    @property
    def kind(self) -> str:
        return self.words.get("type", "file")

    @property
    def mode(self) -> int | None:
        return int(self.words["mode"], 8) if "mode" in self.words else None

    @property
    def owner(self) -> tuple[int, int]:
        return int(self.words.get("uid", 0)), int(self.words.get("gid", 0))


_NUMBERS = {"uid": 10, "gid": 10, "mode": 8}


def _line(text: str, call: Call, context: Context) -> _Line:
    path, *words = text.split()
    found = _Line(
        image_dir(path, call, context, "mtree"),
        dict(word.partition("=")[::2] for word in words),
    )
    if found.kind not in _KINDS:
        context.fail(call, "mtree", f"{found.path}: no files of type {found.kind}")
    for name, base in _NUMBERS.items():
        try:
            int(found.words.get(name, "0"), base)
        except ValueError:
            context.fail(call, "mtree", f"{found.path}: {name}={found.words[name]} is no number")
    return found


def _known(text: str, context: Context) -> Iterator[tuple[str, Source]]:
    """What the label *text* names, each file with its path below the workspace."""
    source, named = context.source(text), context.call(text)
    if isinstance(source, SourceFile):
        yield source.short, source
        return
    made = outputs_of(named) if named is not None and not source.name else ()
    package = source.target.label.partition("//")[2].partition(":")[0]
    for name in made or (source.name or source.target.label.rpartition(":")[2],):
        yield "/".join(filter(None, (package, name))), source._replace(name=name)


def _put(line: _Line, known: Mapping[str, Source], call: Call, context: Context) -> Put:
    content = line.words.get("content") or line.words.get("contents") or line.path
    source = known.get(content.removeprefix("$(BINDIR)/").removeprefix("./"))
    if source is None:
        context.fail(call, "mtree", f"{line.path}: no file of `srcs` is {content}")
    return Put(source, name=line.path)


def _only_listed(call: Call, context: Context) -> Target:
    context.fail(call, "", f"{call.rule.name} is there for the `mtree` of a tar alone")


def _by_name(call: Call) -> tuple[Call, ...]:
    """What nothing but a tar reads is no part of ``//...``."""
    tags = [*call.strings("tags"), "manual"]
    return (call._replace(attributes={**call.attributes, "tags": tags}),)


def _transition(call: Call, context: Context) -> Target:
    platform = platform_named(call.string("target_platform"), context)
    return Group(
        tuple(Output(context.target(text, platform=platform)) for text in call.strings("srcs"))
    )


_OUTPUTS = tuple(
    f"{{name}}.{ending}" for ending in ("tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst")
)
_TAR = Rule("tar", TAR, _tar, outputs=_OUTPUTS)

RULES = rules_of(
    _TAR,
    Rule(
        "mtree_spec",
        {"srcs": labels(), "out": ANY, "include_runfiles": ANY},
        _only_listed,
        expand=_by_name,
        replaces=True,
    ),
    Rule("mtree_mutate", MUTATE, _only_listed, expand=_by_name, replaces=True),
    Rule(
        "platform_transition_filegroup",
        {"srcs": labels(), "target_platform": label(mandatory=True)},
        _transition,
    ),
)
