"""What rules_distroless takes out of packages: certificates, a language, lists, one tar of all."""

from artificer.builder.package_targets import Certificates, Controls, KeyStore, TarPart
from artificer.builder.targets import Archive, Content, Output, Put, Target
from artificer.frontends.buildfile.rules.distroless import HIDDEN, TIME, time_of
from artificer.frontends.buildfile.rules.distroless import RULES as SMALL
from artificer.frontends.buildfile.rules.values import mode_of, puts_of, rules_of
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Rule,
    flag,
    label,
    labels,
    string,
)

_NAMED = "distroless_"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_STORE = "etc/ssl/certs/java/cacerts"
_ENDS = {"": "", "gzip": "gz", "bzip2": "bz2", "xz": "xz", "zstd": "zst"}
_OTHER_ENDS = ("compress", "lrzip", "lz4", "lzma", "lzop")
_COMPRESS = string(values=(*_ENDS, *_OTHER_ENDS))
_NO_MTREE = ANY._replace(refused="no list is written; `artificer tree` prints one of an image")

_PART = Rule(
    "distroless_part",
    {"package": label(mandatory=True), "paths": ANY},
    lambda call, context: TarPart(
        context.source(call.string("package")), tuple(call.value("paths")), f"{call.name}.tar"
    ),
)
_CERTIFICATES = Rule(
    "distroless_certificates",
    {"package": label(mandatory=True)},
    lambda call, context: Certificates(context.source(call.string("package")), call.name),
)
_KEYS = Rule(
    "distroless_keys",
    {"certificates": labels(mandatory=True)},
    lambda call, context: KeyStore(context.sources(call.strings("certificates")), call.name),
)


def _hidden(call: Call, rule: Rule, name: str, **attributes: object) -> Call:
    return call._replace(rule=rule, name=name, attributes=attributes)


def _part_of(call: Call, *paths: str) -> Call:
    name = f"{call.name}.part"
    return _hidden(call, _PART, name, package=call.attributes.get("package"), paths=paths)


def _cacerts_parts(call: Call) -> tuple[Call, ...]:
    package = call.attributes.get("package")
    bundle = _hidden(call, _CERTIFICATES, f"{call.name}.crt", package=package)
    return bundle, _part_of(call, "usr/share/doc/ca-certificates/copyright")


def _cacerts(call: Call, context: Context) -> Target:
    """The bundle and the copyright of a package ca-certificates."""
    mode = mode_of(call.string("mode"), call, context, "mode")
    content = Content(
        puts=(Put(context.source(f":{call.name}.crt"), name=_BUNDLE, mode=mode),),
        tars=(Put(context.source(f":{call.name}.part"), mode=mode),),
        mtime=time_of(call, context),
    )
    return Archive(content, f"{call.name}.tar")


def _store_parts(call: Call) -> tuple[Call, ...]:
    certificates = call.attributes.get("certificates")
    return (_hidden(call, _KEYS, f"{call.name}.jks", certificates=certificates),)


def _java_keystore(call: Call, context: Context) -> Target:
    """Certificates as Java has them, where Debian's Java looks for them."""
    if not call.strings("certificates"):
        context.fail(call, "certificates", "java_keystore without certificates")
    mode = mode_of(call.string("mode"), call, context, "mode")
    put = Put(context.source(f":{call.name}.jks"), name=_STORE, mode=mode)
    return Archive(Content((put,), mtime=time_of(call, context)), f"{call.name}.tar")


def _locale_parts(call: Call) -> tuple[Call, ...]:
    charset = call.string("charset")
    return (_part_of(call, f"usr/lib/locale/{charset}", "usr/share/doc/libc-bin/copyright"),)


def _locale(call: Call, context: Context) -> Target:
    """A language of a package libc-bin."""
    charset = call.string("charset")
    if not charset or "/" in charset or charset in {".", ".."}:
        context.fail(call, "charset", f"not the name of a locale: {charset!r}", "write C.utf8")
    part = Put(context.source(f":{call.name}.part"))
    return Archive(Content(tars=(part,), mtime=time_of(call, context)), f"{call.name}.tar")


def _flatten(call: Call, context: Context) -> Target:
    """One tar of several: the first of two files with one name is taken."""
    puts = puts_of(call.strings("tars"), context, "")
    content = Content(tars=puts, keep_times=True)
    return Archive(content, *_named(call, context, "compress"))


def _named(call: Call, context: Context, attribute: str) -> tuple[str, str]:
    """The name of a tar, and how it is compressed."""
    how = call.string(attribute)
    if how in _OTHER_ENDS:
        hint = (
            "write gzip, bzip2, xz or zstd, or nothing: layers are compressed where they are made"
        )
        context.fail(call, attribute, f"tars are not compressed with {how} here", hint)
    ending = _ENDS[how]
    return ".".join(filter(None, (call.name, "tar", ending))), ending


def _dpkg_status(call: Call, context: Context) -> Target:
    return Controls(context.sources(call.strings("controls")), f"{call.name}.tar")


def _control_parts(call: Call) -> tuple[Call, ...]:
    wanted = {name: call.attributes.get(name) for name in ("control", "package_name")}
    return (_hidden(call, _PIECES, f"{call.name}.pieces", **wanted),)


def _pieces(call: Call, context: Context) -> Target:
    name = call.string("package_name")
    if not name or "/" in name or name.startswith("."):
        context.fail(call, "package_name", f"not the name of a package: {name!r}")
    return Controls((context.source(call.string("control")),), f"{call.name}.tar", name)


_PIECES = Rule(
    "distroless_pieces",
    {"control": label(mandatory=True), "package_name": string(mandatory=True)},
    _pieces,
)


def _dpkg_statusd(call: Call, context: Context) -> Target:
    """What scanners know a package by, of its control archive."""
    pieces = Output(context.target(f":{call.name}.pieces"))
    content = Content(tars=(Put(pieces),))
    return Archive(content, *_named(call, context, "compression"))


_PACKAGE: dict[str, Attribute] = {"package": label(mandatory=True), "time": TIME}
_OUTPUTS = ("{name}.tar",)
_HIDDEN = (_PART, _CERTIFICATES, _KEYS, _PIECES)
RULES = rules_of(
    Rule(
        f"{_NAMED}cacerts",
        {**_PACKAGE, "mode": string("0555")},
        _cacerts,
        expand=_cacerts_parts,
        outputs=_OUTPUTS,
    ),
    Rule(
        f"{_NAMED}java_keystore",
        {"certificates": labels(mandatory=True), "mode": string("0555"), "time": TIME},
        _java_keystore,
        expand=_store_parts,
        outputs=_OUTPUTS,
    ),
    Rule(
        f"{_NAMED}locale",
        {**_PACKAGE, "charset": string("C.utf8")},
        _locale,
        expand=_locale_parts,
        outputs=_OUTPUTS,
    ),
    Rule(
        "flatten",
        {
            "tars": labels(mandatory=True),
            "deduplicate": flag(),
            "compress": _COMPRESS,
            "mtree": _NO_MTREE,
        },
        _flatten,
    ),
    Rule("dpkg_status", {"controls": labels(mandatory=True)}, _dpkg_status),
    Rule(
        "dpkg_statusd",
        {
            "control": label(mandatory=True),
            "package_name": string(mandatory=True),
            "compression": _COMPRESS,
        },
        _dpkg_statusd,
        expand=_control_parts,
    ),
    *_HIDDEN,
)
NAMES = {
    name.removeprefix(_NAMED): name
    for name in (*SMALL, *RULES)
    if name not in {*HIDDEN, *(rule.name for rule in _HIDDEN)}
}
"""What the files of rules_distroless give, and the rules that it is here."""
