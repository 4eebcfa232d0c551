"""The words of a one-line build that have to do with Debian packages, to a step of its recipe."""

import os
import re
from argparse import Namespace

from artificer.builder.recipe import AddDebs, Scripts
from artificer.cli.grammar import RUNGS
from artificer.cli.words import text_file
from artificer.errors import Misused
from artificer.oci.reference import Scratch, parse_reference
from artificer.sources.debian.archives.preferences import pin_of, pins_of
from artificer.sources.debian.archives.sourceslist import archive_of, archives_of
from artificer.sources.debian.installing.profiles import PROFILES
from artificer.sources.debian.values import Archive, Layering, Level, Pin, Wanted

_FILES = (".deb", ".udeb")
_SNAPSHOT = re.compile(r"\d{8}T\d{6}Z")
_WORD = re.compile(r"[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?(?:=[A-Za-z0-9.+:~*-]+|/[\w./-]+)?[+-]?")
_LAYERINGS: dict[str, Layering] = {"one": "one", "by-package": "by-package", "budget": "budget"}
_LAYERS = 10


def add_debs(args: Namespace, epoch: int) -> AddDebs:
    """The step that *args* ask for; what the base has to say about it is not in it yet."""
    names = dict.fromkeys((*args.apt, *(word for word in args.deb if not is_file(word))))
    for name in names:
        _check_word(name)
    files: dict[str, str] = {}
    for word in filter(is_file, args.deb):
        files.setdefault(os.path.abspath(word), _file(word))
    archives = archives_given(args)
    nothing = isinstance(parse_reference(args.baseimage), Scratch)
    level: Level = args.deb_level or "configure"
    if nothing and not archives and (names or level == "configure"):
        raise Misused(
            "packages upon nothing, and no archive to take them from",
            hint="name one: `--archive 'URL SUITE COMPONENT…'`, or `--sources FILE`; "
            "upon a base with apt its own are taken",
        )
    layering, budget = _layering(args.deb_layers or "one")
    if args.rung not in {None, *RUNGS}:
        raise Misused(f"--rung: no such way: {args.rung}", hint=f"one of {', '.join(RUNGS)}")
    wanted = Wanted(
        packages=tuple(names),
        files=tuple(files.values()),
        exclude=tuple(dict.fromkeys(args.deb_exclude)),
        pins=pins_given(args),
        recommends=args.recommends,
        essential=nothing and level == "configure",
    )
    return AddDebs(
        wanted,
        archives,
        level=level,
        profile=PROFILES[args.deb_profile or "whole"],
        layering=layering,
        budget=budget,
        scripts=_scripts(args, level),
        accept_skipped=args.accept_skipped,
        epoch=epoch,
    )


def _scripts(args: Namespace, level: Level) -> Scripts:
    """Whether scripts are run; who names a way to run them wants that."""
    for option in ("deb_scripts", "rung"):
        if getattr(args, option) and level == "unpack":
            raise Misused(
                f"--{option.replace('_', '-')}, but level unpack runs no scripts",
                hint="`--deb-level configure` does",
            )
    if args.rung and args.deb_scripts == "replace":
        raise Misused("--rung, but scripts are not run", hint="leave `--deb-scripts` out")
    found: Scripts = args.deb_scripts or ("run" if args.rung else "auto")
    return found


def is_file(word: str) -> bool:
    """Whether *word* is the path of a package, and not a name."""
    return word.endswith(_FILES) or word.startswith((".", "/"))


def archives_given(args: Namespace) -> tuple[Archive, ...]:
    """The archives that *args* name, with the keyrings and the snapshot that they say."""
    found = [one for line in args.archive for one in archive_of(line)]
    for path in args.sources:
        if os.path.isdir(path):
            raise Misused(
                f"--sources: {path} is a directory",
                hint="name the files in it, each behind a `--sources` of its own",
            )
        found.extend(archives_of(text_file(path, "--sources").encode(), path))
        if not found:
            raise Misused(f"{path} names no archive", hint="a disabled one is none")
    if not found and (args.keyring or args.snapshot):
        option = "--keyring" if args.keyring else "--snapshot"
        raise Misused(f"{option}, but no archive is named", hint="add `--archive` or `--sources`")
    if args.keyring and all(one.signed_by for one in found):
        raise Misused(
            "--keyring, but each archive says itself which keys it has",
            hint="leave one of them out: `--keyring`, or `signed-by`",
        )
    return tuple(_completed(one, args) for one in found)


def pins_given(args: Namespace) -> tuple[Pin, ...]:
    """The pins that *args* name, those of files last: the first that matches decides."""
    of_files = (
        pin
        for path in args.preferences
        for pin in pins_of(text_file(path, "--preferences").encode(), path)
    )
    return (*map(pin_of, args.pin), *of_files)


def refuse_idle(args: Namespace) -> None:
    """Refuse words about packages where there are none."""
    for name in (
        *("archive", "sources", "keyring", "snapshot", "preferences", "deb_level", "deb_profile"),
        *("pin", "archive_mirror", "archive_auth", "deb_scripts"),
        *("deb_exclude", "recommends", "deb_layers", "accept_skipped", "rung"),
    ):
        if getattr(args, name):
            raise Misused(
                f"--{name.replace('_', '-')}, but no package is to be installed",
                hint="name packages with `--apt`, or files with `--deb`",
            )


def _completed(archive: Archive, args: Namespace) -> Archive:
    if args.snapshot and not archive.snapshot:
        if not _SNAPSHOT.fullmatch(args.snapshot):
            raise Misused(
                f"--snapshot: not the time of a snapshot: {args.snapshot!r}",
                hint="write it as snapshot archives do: 20260101T000000Z",
            )
        archive = archive._replace(snapshot=args.snapshot)
    if archive.signed_by or not args.keyring:
        return archive
    return archive._replace(signed_by=tuple(_keyring(path) for path in args.keyring))


def _keyring(path: str) -> str:
    if not os.path.isfile(path):
        raise Misused(f"--keyring: there is no file {path}")
    return os.path.abspath(path)


def _check_word(word: str) -> None:
    if not _WORD.fullmatch(word):
        raise Misused(
            f"not the name of a package: {word!r}",
            hint="write NAME, NAME=VERSION, NAME/SUITE, NAME:ARCH or NAME-; "
            "a file ends in .deb: `--deb FILE`",
        )


def _file(path: str) -> str:
    if os.path.isdir(path):
        raise Misused(
            f"--deb: {path} is a directory", hint=f"name its files: {path.rstrip('/')}/*.deb"
        )
    if not os.path.isfile(path):
        raise Misused(
            f"--deb: there is no file {path}", hint="a package of an archive: `--apt NAME`"
        )
    return path


def _layering(text: str) -> tuple[Layering, int]:
    name, equals, number = text.partition("=")
    if name not in _LAYERINGS or (equals and name != "budget"):
        raise Misused(
            f"--deb-layers: neither one, by-package nor budget=N: {text!r}",
            hint="budget=10 makes ten layers at most",
        )
    if equals and (not number.isdecimal() or not 0 < int(number) < 127):
        raise Misused(f"--deb-layers: not a number of layers: {number!r}", hint="1 to 126")
    return _LAYERINGS[name], int(number) if equals else _LAYERS if name == "budget" else 0
