"""The parsed words of a one-line build to the target that they describe."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from artificer.builder.recipe import AddFiles, Compress, CopyFrom, Step, Target
from artificer.cli import words
from artificer.errors import Misused
from artificer.layers.patterns import Ignored, ignore_lines, ignored
from artificer.layers.rules import Rules, parse_chmod, parse_chown, parse_mtime
from artificer.layers.select import (
    Delete,
    EmptyDir,
    EmptyFile,
    Source,
    destination,
    image_path,
    parse_files_word,
    parse_symlink_word,
    parse_tar_word,
)
from artificer.layers.split import USUAL
from artificer.oci.edit import EPOCH, Stamp
from artificer.oci.media import Format
from artificer.oci.platform import Platform
from artificer.oci.reference import parse_reference
from artificer.oci.settings import Settings, absolute, env_pair, port, stop_signal

_OCI_ONLY = ("oci:", "oci-archive:")
_TEXTS = (
    *("env", "cmd", "cmd_shell", "entrypoint", "entrypoint_shell", "workdir", "user", "label"),
    *("volume", "healthcheck", "annotation", "author"),
)
"""What becomes part of the image's documents."""
_DEBIAN = (
    *("apt", "deb", "archive", "sources", "keyring", "snapshot", "preferences", "deb_level"),
    *("pin", "archive_mirror", "archive_auth", "deb_scripts"),
    *("deb_profile", "deb_exclude", "recommends", "deb_layers", "accept_skipped", "rung"),
)
"""What has to do with Debian packages."""


def target_of(args: Namespace, environ: Mapping[str, str]) -> Target:
    """Describe what *args* ask for. Only small files that options name are read."""
    if args.baseimage is None:
        raise Misused(
            "no base image", hint="name one with `-b IMAGE`, or start empty with `-b scratch`"
        )
    for option in _TEXTS:
        _check_text(getattr(args, option), option)
    epoch = environ.get("SOURCE_DATE_EPOCH", "")
    if epoch and not epoch.isdecimal():
        raise Misused(f"SOURCE_DATE_EPOCH is not a number of seconds: {epoch!r}")
    created = args.created or epoch
    return Target(
        base=parse_reference(args.baseimage),
        steps=(*_packages(args, epoch or "0"), *_copies(args), *_files(args, epoch or "0")),
        settings=_settings(args, environ),
        stamp=Stamp(words.rfc3339(created, "--created") if created else EPOCH, args.author),
        annotations=tuple(one for text in args.annotation for one in words.annotation(text)),
        platforms=_platforms(args, environ),
        format=_format(args),
        compress=Compress(args.compression or "gzip", args.compression_level),
    )


def _check_text(given: str | list[str] | None, option: str) -> None:
    for text in [given] if isinstance(given, str) else given or ():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise Misused(
                f"--{option.replace('_', '-')}: not UTF-8: {text!r}",
                hint="an image's config is JSON, which holds text and no other bytes",
            ) from error


def _format(args: Namespace) -> Format | None:
    """The base's unless it is asked for – or an OCI layout, in which nobody reads docker's."""
    layout = next((text for text in args.target if text.startswith(_OCI_ONLY)), None)
    if layout is not None and args.format == "docker":
        raise Misused(
            f"--format docker, but {layout} holds OCI images only",
            hint="`-t docker-archive:FILE` is what docker saves",
        )
    chosen: Format | None = "oci" if layout is not None else args.format
    return chosen


def _platforms(args: Namespace, environ: Mapping[str, str]) -> tuple[Platform, ...]:
    texts = [text for given in args.platform for text in given.split(",") if text]
    if not texts and environ.get("DOCKER_DEFAULT_PLATFORM"):
        texts = [environ["DOCKER_DEFAULT_PLATFORM"]]
    return tuple(dict.fromkeys(Platform.parse(text) for text in texts))


def _packages(args: Namespace, epoch: str) -> tuple[Step, ...]:
    if not any(getattr(args, name) for name in _DEBIAN):
        return ()
    from artificer.cli.debian.words import add_debs, refuse_idle

    if not (args.apt or args.deb):
        refuse_idle(args)
    return (add_debs(args, int(epoch)),)


def _files(args: Namespace, epoch: str) -> tuple[Step, ...]:
    sources: list[Source] = [parse_files_word(word) for word in args.files]
    sources.extend(parse_tar_word(text) for text in args.tar)
    sources.extend(parse_symlink_word(text) for text in args.symlink)
    sources.extend(EmptyDir(image_path(path)) for path in args.empty_dir)
    sources.extend(EmptyFile(image_path(path)) for path in args.empty_file)
    sources.extend(Delete(image_path(path)) for path in args.delete)
    if not sources:
        _refuse_rules(args)
        return ()
    patterns = [
        *(
            line
            for path in args.ignore_file
            for line in ignore_lines(words.text_file(path, "--ignore-file"))
        ),
        *args.exclude,
    ]
    mtime = args.mtime or epoch
    rules = Rules(
        excluded=ignored(patterns) if patterns else Ignored(),
        chmod=tuple(parse_chmod(text) for text in args.chmod),
        chown=tuple(parse_chown(text) for text in args.chown),
        mtime=parse_mtime(mtime),
        archive_mtime=parse_mtime(args.mtime) if args.mtime else None,
        follow=args.follow_symlinks,
    )
    told = (
        *(repr(sources), patterns, args.chmod, args.chown),
        *(mtime, args.mtime, args.follow_symlinks),
    )
    split = USUAL if args.layers == "auto" else None
    return (AddFiles(tuple(sources), rules, told, split),)


def _refuse_rules(args: Namespace) -> None:
    """Without files there is nothing that rules for files could change."""
    for name in ("exclude", "ignore_file", "chmod", "chown", "mtime", "follow_symlinks"):
        if getattr(args, name):
            raise Misused(
                f"--{name.replace('_', '-')}, but no file is added",
                hint="name files with `-f`; what --copy-from takes stays as it is",
            )


def _copies(args: Namespace) -> tuple[CopyFrom, ...]:
    return tuple(_copy(text) for text in args.copy_from)


def _copy(text: str) -> CopyFrom:
    image, found, rest = text.partition(":/")
    if image in {"docker", "oci", "oci-archive", "docker-archive"} and found:
        # The transport's own ":/", as in docker://alpine:3.7:/bin/sh.
        inner, found, tail = rest.partition(":/")
        image, rest = f"{image}:/{inner}", tail
    if not found or not rest:
        raise Misused(
            f"--copy-from: no path in {text!r}",
            hint="write IMAGE:/path or IMAGE:/path:/dest, as in alpine:3.7:/bin/busybox",
        )
    path, colon, dest = rest.partition(":")
    place = f"/{destination(dest)}" if colon else None
    return CopyFrom(parse_reference(image), f"/{path}", place)


def _settings(args: Namespace, environ: Mapping[str, str]) -> Settings:
    if args.keep_cmd and args.entrypoint is None and args.entrypoint_shell is None:
        raise Misused(
            "--keep-cmd without an --entrypoint", hint="only a new entrypoint clears the command"
        )
    env = [pair for path in args.env_file for pair in words.env_file(path, environ)]
    env.extend(env_pair(text) for text in args.env)
    return Settings(
        env=tuple(env),
        clear_env=args.clear_env,
        entrypoint=words.chosen_command(args.entrypoint, args.entrypoint_shell, "--entrypoint"),
        cmd=words.chosen_command(args.cmd, args.cmd_shell, "--cmd"),
        keep_cmd=args.keep_cmd,
        workdir=None if args.workdir is None else absolute(args.workdir, "--workdir"),
        user=args.user,
        labels=tuple(words.pair(text, "--label") for text in args.label),
        ports=tuple(one for text in args.expose for one in port(text)),
        volumes=tuple(absolute(path, "--volume") for path in args.volume),
        stop_signal=None if args.stop_signal is None else stop_signal(args.stop_signal),
        healthcheck=_healthcheck(args),
    )


def _healthcheck(args: Namespace) -> dict[str, Any] | None:
    times = {
        "Interval": ("--health-interval", args.health_interval),
        "Timeout": ("--health-timeout", args.health_timeout),
        "StartPeriod": ("--health-start-period", args.health_start_period),
        "StartInterval": ("--health-start-interval", args.health_start_interval),
    }
    given = {
        key: words.duration(text, option)
        for key, (option, text) in times.items()
        if text is not None
    }
    if args.health_retries is not None:
        if args.health_retries < 0:
            raise Misused(f"--health-retries: less than none: {args.health_retries}")
        given["Retries"] = args.health_retries
    if args.healthcheck is None:
        _refuse_health(given, "without a --healthcheck")
        return None
    if args.healthcheck.lower() == "none":
        _refuse_health(given, "with --healthcheck none")
        return {"Test": ["NONE"]}
    if args.healthcheck.lstrip().startswith("["):
        return {"Test": ["CMD", *words.command(args.healthcheck, "--healthcheck")], **given}
    return {"Test": ["CMD-SHELL", args.healthcheck], **given}


def _refuse_health(given: Mapping[str, int], where: str) -> None:
    if given:
        raise Misused(f"--health-… options {where}", hint="they say when a check is run")
