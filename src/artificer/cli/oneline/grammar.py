"""The words of a one-line build: the 2018 tool's, and many more."""

from collections.abc import Sequence

from artificer.cli.grammar import (
    Formatter,
    OptionGroup,
    Parser,
    add_archive_options,
    add_cache_repository,
    add_common_options,
    add_registry_options,
    add_result_files,
    add_store_limit,
)
from artificer.cli.words import size

_USAGE = "-b BASE -f FILE… [-e NAME=VALUE…] [-c CMD] -t TARGET [options]"


def with_stdin(words: Sequence[str]) -> list[str]:
    """Join ``--tar`` with a ``-:/DEST`` behind it: argparse would take that for an option."""
    joined: list[str] = []
    for word in words:
        if joined and joined[-1] == "--tar" and word.startswith("-:"):
            joined[-1] = f"--tar={word}"
        else:
            joined.append(word)
    return joined


def build_parser(prog: str) -> Parser:
    """The parser of a one-line build's words."""
    parser = Parser(
        prog=prog,
        usage=f"{prog} {_USAGE}",
        add_help=False,
        allow_abbrev=False,
        formatter_class=Formatter,
    )
    _files(parser)
    _packages(parser)
    _config(parser)
    _image(parser)
    _outputs(parser)
    add_registry_options(parser)
    add_common_options(parser)
    return parser


def _files(parser: Parser) -> None:
    group = OptionGroup(parser, "base and files")
    group.one("-b --baseimage --base", "BASE", "image to build upon; `scratch` for none")
    group.several("-f --files", "FILE", "file, directory, pattern, or SRC:/DEST")
    group.many("--tar", "FILE", "merge an archive's files; `-` reads standard input")
    group.many("--symlink", "LINK=TARGET", "add a symbolic link")
    group.many("--empty-dir", "PATH", "add an empty directory")
    group.many("--empty-file", "PATH", "add an empty file")
    group.many("--delete", "PATH", "hide a path of the base")
    group.many("--copy-from", "IMAGE:/PATH[:/DEST]", "copy files out of another image")
    _rules(group)


def _rules(group: OptionGroup) -> None:
    """What is done to files on their way, and how layers are made of them."""
    group.many("--exclude", "PATTERN", "leave files out (.dockerignore syntax)")
    group.many("--ignore-file", "FILE", "read patterns to leave out")
    group.many("--chmod", "[PATTERN=]MODE", "mode of files, or `preserve`")
    group.many("--chown", "[PATTERN=]UID[:GID]", "owner of files, or `preserve`")
    group.one("--mtime", "TIME", "seconds, RFC 3339 time or `preserve` (SOURCE_DATE_EPOCH or 0)")
    group.switch("--follow-symlinks", "take what links inside directories point to")
    group.choice(
        "--layers",
        ("auto", "one"),
        "split large trees into several layers, or not",
        default="auto",
    )
    group.choice("--compression", ("gzip", "zstd", "none"), "of new layers (gzip)")
    group.one("--compression-level", "N", "default: 1, the fastest", type=int)


def _packages(parser: Parser) -> None:
    group = OptionGroup(parser, "Debian packages")
    group.several(
        "--apt", "PACKAGE", "install packages: NAME, NAME=VERSION, NAME/SUITE, as apt-get"
    )
    group.several(
        "--deb", "FILE", "install .deb files, or packages; what they need is taken from archives"
    )
    add_archive_options(group, "the base's own")
    group.switch("--recommends", "install what packages recommend, too")
    group.many("--deb-exclude", "NAME", "a package that must not come in")
    _levels(group)


def _levels(group: OptionGroup) -> None:
    group.choice(
        "--deb-level",
        ("configure", "unpack"),
        "run their scripts in a sandbox, or only place files (configure)",
    )
    group.choice(
        "--deb-scripts",
        ("auto", "run", "replace"),
        "run them where that is possible, always, or never (auto; run with --rung)",
    )
    group.choice(
        "--deb-profile",
        ("whole", "minimal", "distroless"),
        "without documentation; without shell and dpkg, too (whole)",
    )
    group.one("--rung", "WAY", "way to run their scripts (`artificer doctor run`)")
    group.one("--deb-layers", "HOW", "one, by-package, or budget=N (one)")
    group.switch("--accept-skipped", "leave out scripts that can neither be run nor replaced")


def _config(parser: Parser) -> None:
    group = OptionGroup(parser, "how a container starts")
    group.many("-e --env", "NAME=VALUE", "add to the environment; $VAR is expanded")
    group.many("--env-file", "FILE", "read NAME=VALUE lines")
    group.switch("--clear-env", "drop the base's environment")
    group.one("-c --cmd", "CMD", 'words, or ["a","b"]; [] resets the base\'s')
    group.one("--cmd-shell", "LINE", "a line for /bin/sh -c")
    group.one("--entrypoint", "CMD", "as --cmd; it clears an inherited command")
    group.one("--entrypoint-shell", "LINE", "a line for /bin/sh -c")
    group.switch("--keep-cmd", "--entrypoint leaves the base's command")
    group.one("-w --workdir", "DIR", "working directory")
    group.one("-u --user", "USER[:GROUP]", "user that the command runs as")
    group.many("-l --label", "KEY=VALUE", "add a label")
    group.many("-p --expose --port", "PORT[/PROTO]", "port that is listened on")
    group.many("--volume", "DIR", "mount point of a volume")
    group.one("--stop-signal", "SIGNAL", "signal that ends it")
    group.one("--healthcheck", "CMD", 'a shell line, ["a","b"], or `none`')
    for name, what in (
        ("interval", "time between two checks"),
        ("timeout", "time that one check may take"),
        ("start-period", "time to come up"),
        ("start-interval", "time between checks while coming up"),
    ):
        group.one(f"--health-{name}", "TIME", f"{what}, as 30s or 1m30s")
    group.one("--health-retries", "N", "failures until it is unhealthy", type=int)


def _image(parser: Parser) -> None:
    group = OptionGroup(parser, "the image")
    group.many("--platform", "OS/ARCH", "of the base; several make an index")
    group.choice(
        "--format",
        ("docker", "oci"),
        "convert media types (default: the base's; oci for oci: targets)",
    )
    group.many(
        "--annotation",
        "[SCOPE:]KEY=VALUE",
        "scope: manifest, index, manifest-descriptor, index-descriptor",
    )
    group.one("--created", "TIME", "SOURCE_DATE_EPOCH, or 1970-01-01")
    group.one("--author", "NAME", "who maintains it")


def _outputs(parser: Parser) -> None:
    group = OptionGroup(parser, "where it goes")
    group.many(
        "-t --target", "TARGET", "registry name, oci:DIR, store:NAME …; several are possible"
    )
    group.switch("--arch-tags", "tag each platform's image, too: TAG-ARCH")
    add_result_files(group)
    group.one("--max-upload", "SIZE", "refuse to send more, as 50MB", type=_max_upload)
    group.switch("--explain", "name every file because of which a layer is built again")
    group.switch("--locked", "use only what artificer.lock pins")
    group.switch("--no-cache", "read every input anew")
    add_cache_repository(group, "share layers through a repository")
    add_store_limit(group)


def _max_upload(text: str) -> str:
    """*text* as it is, for errors quote it: a size that is none is refused before a build."""
    size(text, "--max-upload")
    return text
