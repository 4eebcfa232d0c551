"""rules_pkg's tars."""

from artificer.builder.targets import Archive, Content, Put, Target
from artificer.frontends.buildfile.rules.mapping import Given, parts_of
from artificer.frontends.buildfile.rules.values import (
    image_dir,
    mode_of,
    mtime_of,
    owner_of,
    puts_of,
    strip_of,
)
from artificer.frontends.buildfile.schema import (
    ANY,
    Attribute,
    Call,
    Context,
    Rule,
    either,
    flag,
    label,
    labels,
    number,
    string,
    string_dict,
    strings,
)

_COMPRESSIONS = {
    "": "",
    "tar": "",
    "gz": "gz",
    "tgz": "gz",
    "bz2": "bz2",
    "tbz2": "bz2",
    "xz": "xz",
    "txz": "xz",
    "zst": "zst",
    "tzst": "zst",
}
_LATER = "a path that is only known later has no fixed place"

TAR: dict[str, Attribute] = {
    "srcs": labels(),
    "files": either("label_keys", "labels"),
    "deps": labels(),
    "debs": labels(),
    "package_dir": string("/"),
    "package_dir_file": label(refused=_LATER),
    "package_file_name": string(),
    "package_variables": label(refused=_LATER),
    "archive_name": string(),
    "strip_prefix": string(),
    "symlinks": string_dict(),
    "empty_files": strings(),
    "empty_dirs": strings(),
    "mode": string("0555"),
    "modes": string_dict(),
    "owner": string("0.0"),
    "owners": string_dict(),
    "ownername": ANY,
    "ownernames": ANY,
    "mtime": number(-1),
    "portable_mtime": flag(),
    "extension": string("tar"),
    "out": Attribute(("output",)),
    "remap_paths": string_dict(refused="use `files`, or pkg_files with `renames`"),
    "include_runfiles": flag(refused="name the files that the program needs in `srcs`"),
    "create_parents": flag(default=True),
    "allow_duplicates_with_different_content": flag(default=True),
    "allow_duplicates_from_deps": flag(),
    "compression_level": number(-1),
    "compressor": label(refused="the encoder is fixed, so that the same files give one digest"),
    "compressor_args": ANY,
    "stamp": ANY,
    "preserve_mode": flag(),
    "preserve_mtime": flag(),
    "private_stamp_detect": ANY,
    "build_tar": ANY,
}


def _tar(call: Call, context: Context) -> Target:
    """As since rules_pkg 0.5: whatever has a path has it below the package's directory."""
    return _archive(call, context, _directory(call, context))


def _tar_of_2017(call: Call, context: Context) -> Target:
    """As Bazel itself had it: links and what is empty have their whole paths."""
    return _archive(call, context, "")


def _directory(call: Call, context: Context) -> str:
    return image_dir(call.string("package_dir"), call, context, "package_dir")


def _archive(call: Call, context: Context, below: str) -> Target:
    directory = _directory(call, context)
    parts = parts_of(call, context, Given(directory, strip_of(call, context, "strip_prefix")))

    def path(text: str, name: str) -> str:
        return image_dir(f"{below}/{text}", call, context, name)

    links = [(path(link, "symlinks"), str(target)) for link, target in call.pairs("symlinks")]
    content = Content(
        puts=(*parts.puts, *_files(call, context, directory)),
        tars=puts_of(call.strings("deps"), context, directory),
        debs=puts_of(call.strings("debs"), context, directory),
        symlinks=(*links, *parts.links),
        empty_files=tuple(path(text, "empty_files") for text in call.strings("empty_files")),
        empty_dirs=(
            *(path(text, "empty_dirs") for text in call.strings("empty_dirs")),
            *parts.dirs,
        ),
        mode=None
        if call.flag("preserve_mode")
        else mode_of(call.string("mode"), call, context, "mode"),
        modes=(*parts.modes, *_modes(call, context, directory)),
        owner=owner_of(call.string("owner"), call, context, "owner"),
        owners=(*parts.owners, *_owners(call, context, directory)),
        mtime=mtime_of(call, context),
        keep_times=call.flag("preserve_mtime"),
    )
    return Archive(content, *_named(call, context))


def _files(call: Call, context: Context, directory: str) -> tuple[Put, ...]:
    """A dictionary says where; a list, as in 2017, is more sources."""
    given = call.value("files")
    if isinstance(given, dict):
        return tuple(
            Put(
                context.source(text), name=image_dir(f"{directory}/{dest}", call, context, "files")
            )
            for text, dest in given.items()
        )
    strip = strip_of(call, context, "strip_prefix")
    return puts_of(call.strings("files"), context, directory, strip)


def _named(call: Call, context: Context) -> tuple[str, str]:
    """The name of the file, and how it is compressed."""
    extension = call.string("extension").lstrip(".") or "tar"
    compression = extension.rpartition(".")[2]
    if compression not in _COMPRESSIONS:
        known = ", ".join(filter(None, _COMPRESSIONS))
        context.fail(call, "extension", f"no tar is called .{extension}", hint=f"one of {known}")
    stem = call.string("archive_name") or call.name
    name = call.string("out") or call.string("package_file_name") or f"{stem}.{extension}"
    return name, _COMPRESSIONS[compression]


def _modes(call: Call, context: Context, directory: str) -> tuple[tuple[str, int], ...]:
    # The paths in `modes` and `owners` are below the directory, too; whole ones do as well.
    found = (
        (_below(path, directory), mode_of(str(text), call, context, "modes"))
        for path, text in call.pairs("modes")
    )
    return tuple((path, mode) for path, mode in found if mode is not None)


def _owners(
    call: Call, context: Context, directory: str
) -> tuple[tuple[str, tuple[int, int]], ...]:
    return tuple(
        (_below(path, directory), owner_of(str(text), call, context, "owners"))
        for path, text in call.pairs("owners")
    )


def _below(path: str, directory: str) -> str:
    path = path.strip("/")
    inside = not directory or path == directory or path.startswith(f"{directory}/")
    return path if inside else f"{directory}/{path}"


_OUTPUTS = tuple(
    f"{{name}}.{ending}"
    for ending in ("tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "txz", "tar.zst")
)
_TAR = Rule("pkg_tar", TAR, _tar, outputs=_OUTPUTS)

RULES = {"pkg_tar": _TAR, "pkg_tar_of_2017": _TAR._replace(convert=_tar_of_2017)}
