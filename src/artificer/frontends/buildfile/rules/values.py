"""Values of attributes: texts with variables, paths, modes, owners, times, platforms, words."""

import re
from collections.abc import Iterable

from artificer.builder.targets import FromFile, Pairs, Put, Stamped, Text
from artificer.frontends.buildfile.schema import Call, Context, Rule
from artificer.oci.platform import Platform

_MAKE = re.compile(r"\$\$|\$\(([^()]*)\)")
_STAMP = re.compile(r"\{[A-Z][A-Z0-9_]*\}")
_MODE = re.compile(r"(?:0o?)?([0-7]{3,5})")
_SHELL = ("/bin/sh", "-c")
_WINDOWS_SHELL = (r"%WinDir%\system32\cmd.exe", "/c")
_OWNER = re.compile(r"(\d+)[.:](\d+)")


def rules_of(*rules: Rule) -> dict[str, Rule]:
    """The *rules* by their names."""
    return {rule.name: rule for rule in rules}


def made(text: str, call: Call, context: Context, attribute: str) -> str:
    """*text* with ``$(VARIABLE)`` replaced and ``$$`` a dollar; other dollars stay."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return "$"
        found = context.variables.get(name)
        if found is None:
            context.fail(
                call,
                attribute,
                f"$({name}) is not defined",
                hint=f"define it with `--define {name}=VALUE`; `$$` stands for a dollar",
            )
        return found

    return _MAKE.sub(value, text)


def text_of(text: str, call: Call, context: Context, attribute: str) -> Text:
    """*text* with make variables replaced; with ``{STAMP}`` in it, it is stamped later."""
    found = made(text, call, context, attribute)
    return Stamped(found) if _STAMP.search(found) and stamps(call) is not False else found


def stamps(call: Call) -> bool | None:
    """What ``stamp`` says (RD-57); None leaves it to the command line, as does its absence."""
    given = call.value("stamp") if "stamp" in call.rule.attributes else None
    if isinstance(given, str):
        return {"always": True, "never": False}.get(given.rpartition(":")[2])
    return None if given in (None, -1) else bool(given)


def text_or_file(call: Call, context: Context, name: str, file: str) -> Text:
    """The attribute *name*, unless the attribute *file* names a file that holds it."""
    if call.value(file):
        return FromFile(context.source(call.string(file)))
    return text_of(call.string(name), call, context, name)


def pairs_of(call: Call, context: Context, name: str) -> Pairs:
    """A dictionary of texts; keys have make variables, too."""
    return tuple(
        (made(key, call, context, name), text_of(str(value), call, context, name))
        for key, value in call.pairs(name)
    )


def labels_of(call: Call, context: Context, name: str) -> Pairs:
    """The labels of an image; the value ``@//a:b`` is what the file has (RD-52)."""
    files = {
        key: FromFile(context.source(value))
        for key, value in call.pairs(name)
        if value.startswith("@") and "//" in value
    }
    return tuple((key, files.get(key, text)) for key, text in pairs_of(call, context, name))


def package_path(call: Call) -> str:
    """Where the package's files are when something is made: ``nginx``, ``external/x/nginx``."""
    package = call.package.partition("//")[2] if "//" in call.package else call.package
    return "/".join((*repository_of(call), *([package] if package else [])))


def strip_of(call: Call, context: Context, name: str) -> str | None:
    """The prefix that ``data_path`` or ``strip_prefix`` takes away; None flattens.

    ``.`` is the package, ``x`` and ``./x`` are below it, ``/x`` is below the workspace (RD-21).
    """
    given = call.value(name)
    if given is None or given == "":
        return None
    text = str(given)
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts:
        context.fail(call, name, f"{name} goes upwards: {text!r}", hint="write it without `..`")
    if not text.startswith("/"):
        return "/".join((*([package_path(call)] if package_path(call) else []), *parts))
    return "/".join((*repository_of(call), *parts))


def repository_of(call: Call) -> tuple[str, ...]:
    """``external/NAME`` as parts, for a call in another repository."""
    name, slashes, _ = call.package.partition("//")
    return ("external", name.lstrip("@")) if slashes and name else ()


def image_dir(text: str, call: Call, context: Context, name: str) -> str:
    """A directory of the image, without slashes at its ends."""
    parts = [part for part in text.split("/") if part not in {"", "."}]
    if ".." in parts:
        context.fail(call, name, f"{name} goes upwards: {text!r}", hint="write it without `..`")
    return "/".join(parts)


def image_paths(call: Call, context: Context, name: str) -> tuple[str, ...]:
    """The paths of the image in the attribute *name*."""
    return tuple(image_dir(text, call, context, name) for text in call.strings(name))


def puts_of(
    labels: Iterable[str], context: Context, directory: str, strip: str | None = None
) -> tuple[Put, ...]:
    """What *labels* name, put into *directory*."""
    return tuple(Put(source, directory, strip) for source in context.sources(labels))


def mode_of(text: str, call: Call, context: Context, name: str) -> int | None:
    """``0o555``, ``0555`` or ``555``; None for "" (the bit to execute is then kept)."""
    if not text:
        return None
    match = _MODE.fullmatch(text)
    if match is None:
        context.fail(call, name, f"not a mode: {text!r}", hint='write it in octal: "0o755"')
    return int(match[1], 8)


def owner_of(text: str, call: Call, context: Context, name: str) -> tuple[int, int]:
    """``1000.1000``; names are no numbers, and what a name means depends on the image."""
    match = _OWNER.fullmatch(text or "0.0")
    if match is None:
        context.fail(call, name, f"not an owner: {text!r}", hint='write numbers: "1000.1000"')
    return int(match[1]), int(match[2])


def mtime_of(call: Call, context: Context) -> int:
    """``mtime`` and ``portable_mtime`` (RD-28, RD-29)."""
    mtime = call.number("mtime") if call.value("mtime") is not None else -1
    if call.flag("portable_mtime"):
        if mtime >= 0:
            context.fail(call, "mtime", "you may not set both mtime and portable_mtime")
        return 946_684_800  # 2000-01-01
    return max(mtime, 0)


def platform_of(call: Call, **names: str) -> Platform | None:
    """The platform that a call names, None if it names none. *names* are the attributes'."""
    if not any(call.given(name) for name in names.values()):
        return None

    def value(part: str, default: str) -> str:
        name = names.get(part)
        return call.string(name) or default if name else default

    return Platform.normal(
        value("os", "linux"),
        value("architecture", "amd64"),
        value("variant", ""),
        value("version", ""),
    )


def words_of(call: Call, context: Context, name: str) -> tuple[Text, ...] | None:
    """``entrypoint`` or ``cmd``: None if it is not given; None, [] and "" given reset (RD-50)."""
    if not call.given(name):
        return None
    given = call.attributes[name]
    if not given:
        return ()
    if isinstance(given, str):
        windows = call.string("operating_system") == "windows"
        shell = _WINDOWS_SHELL if windows else _SHELL
        return (*shell, text_of(given, call, context, name))
    return tuple(text_of(str(word), call, context, name) for word in given)
