"""Debian packages as others' rules have them: lists of 2017, locks of rules_distroless, tars."""

import re
from collections.abc import Mapping

from artificer.builder.naming import Output, Source
from artificer.builder.package_targets import Debs, DebsTar, InstalledDebs, ListedDeb
from artificer.builder.recipe import AddDebs
from artificer.builder.targets import (
    Content,
    Fetch,
    ImageTarget,
    Put,
    Target,
    Wishes,
)
from artificer.errors import Misused
from artificer.frontends.buildfile.rules.docker import CREATED_BY
from artificer.frontends.buildfile.rules.values import rules_of
from artificer.frontends.buildfile.schema import (
    ANY,
    Call,
    Context,
    Repository,
    Rule,
    Synthetic,
    label,
    labels,
    string,
    strings,
)
from artificer.sources.debian.archives.sourceslist import archive_of
from artificer.sources.debian.values import Archive as Repo
from artificer.sources.debian.values import Wanted

_UNUSUAL = re.compile(r"[^A-Za-z0-9_.+-]")
_LIST = "file:Packages.json"
_KEYS = "etc/apt/trusted.gpg.d"
_ENDS = (".gpg", ".asc")


def _source(call: Call, context: Context) -> Mapping[str, Repository]:
    """The list of an archive: by its URL, or as a snapshot archive has it."""
    urls = [url for name in ("packages_url", "packages_gz_url") if (url := call.string(name))]
    if not urls:
        # In 2017 the hash was of the .gz, later of the .xz: it says itself which one is meant.
        folder = f"{_prefix(call)}/dists/{call.string('distro')}/main/binary-{call.string('arch')}"
        urls = [f"{folder}/Packages.xz", f"{folder}/Packages.gz"]
    target = Fetch(tuple(urls), "Packages", sha256=call.string("sha256"))
    return {call.name: Synthetic({_LIST: target})}


def _prefix(call: Call) -> str:
    given = call.string("package_prefix")
    archive = call.string("archive") or "debian"
    return given or f"{call.string('url').rstrip('/')}/{archive}/{call.string('snapshot')}"


def _list(call: Call, context: Context) -> Mapping[str, Repository]:
    """Each package a target, whose file is fetched when something needs it."""
    indexes = tuple(_index(text, call, context) for text in call.strings("sources"))
    if not indexes:
        context.fail(
            call, "sources", "dpkg_list without sources", "name a dpkg_src's Packages.json"
        )
    return {
        call.name: Synthetic(
            {
                f"file:{file}": ListedDeb(indexes, name, file)
                for file, name in _files_of(call).items()
            }
        )
    }


def _index(text: str, call: Call, context: Context) -> tuple[Source, str]:
    source = context.source(text)
    made = source.target.label if isinstance(source, Output) else ""
    name = made.removeprefix("@").partition("//")[0]
    maker = context.repository(name) if name else None
    if maker is None or maker.rule.name != "dpkg_src":
        context.fail(call, "sources", f"{text} is of no dpkg_src", "name its file:Packages.json")
    return source, _prefix(maker)


def _packages_file(call: Call) -> Mapping[str, str]:
    """``packages["nginx"]`` is the label of a file of the repository."""
    found = {name: f"@{call.name}//file:{file}" for file, name in _files_of(call).items()}
    bare = {name.partition("=")[0]: place for name, place in found.items()}
    versions = dict.fromkeys(found.values(), "")
    return {"file:packages.bzl": f"packages = {bare | found}\nversions = {versions}\n"}


def _files_of(call: Call) -> dict[str, str]:
    """The packages that *call* lists, by the names of their files."""
    given = call.attributes.get("packages")
    names = [str(name) for name in given] if isinstance(given, list | tuple | dict) else []
    return {f"{_UNUSUAL.sub('_', name)}.deb": name for name in names}


def _download(call: Call, context: Context) -> Target:
    """The packages that an image lacks, with all that they need, out of its own archives."""
    packages = tuple(dict.fromkeys(call.strings("packages")))
    if not packages:
        context.fail(call, "packages", "download_pkgs without packages")
    more: list[Repo] = []
    for line in call.strings("additional_repos"):
        try:
            more.extend(archive_of(line, str(call.place)))
        except Misused as error:
            context.fail(call, "additional_repos", error.message, error.hint)
    base = context.source(call.string("image_tar"))
    return DebsTar(Debs(AddDebs(Wanted(packages)), base=base), call.name, tuple(more))


def _installed(call: Call, context: Context) -> Target:
    base = context.source(call.string("image_tar"))
    after = call.string("installation_cleanup_commands").strip()
    return InstalledDebs(base, context.source(call.string("installables_tar")), after)


def _apt_key(call: Call, context: Context) -> Target:
    puts = []
    for text, source in zip(
        call.strings("keys"), context.sources(call.strings("keys")), strict=True
    ):
        name = text.rpartition(":")[2].rpartition("/")[2]
        # apt passes over files of other names.
        kept = name if name.endswith(_ENDS) else f"{name}.asc"
        puts.append(Put(source, _KEYS, name=f"{_KEYS}/{kept}", mode=0o644))
    if not puts:
        context.fail(call, "keys", "add_apt_key without keys")
    base = context.source(call.string("image"))
    return ImageTarget(base, content=Content(tuple(puts)), wishes=Wishes(created_by=CREATED_BY))


RULES = rules_of(
    Rule(
        "dpkg_src",
        {
            **{name: string() for name in ("arch", "distro", "sha256", "snapshot", "url")},
            **{name: string() for name in ("packages_url", "packages_gz_url", "package_prefix")},
            "archive": string(),
        },
        repository=_source,
    ),
    Rule(
        "dpkg_list",
        {"packages": ANY, "sources": labels()},
        repository=_list,
        starlark=_packages_file,
    ),
    Rule(
        "download_pkgs",
        {
            "image_tar": label(mandatory=True),
            "packages": strings(mandatory=True),
            "additional_repos": strings(),
        },
        _download,
        outputs=("{name}.tar", "{name}_metadata.csv"),
    ),
    Rule(
        "install_pkgs",
        {
            "image_tar": label(mandatory=True),
            "installables_tar": label(mandatory=True),
            "output_image_name": string(),
            "installation_cleanup_commands": string(),
        },
        _installed,
        outputs=("{name}.tar",),
    ),
    Rule(
        "add_apt_key",
        {
            "image": label(mandatory=True),
            "keys": labels(mandatory=True),
            "gpg_image": label(),
        },
        _apt_key,
        outputs=("{name}.tar",),
    ),
)
