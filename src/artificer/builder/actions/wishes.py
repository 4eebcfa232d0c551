"""What a BUILD file wishes of an image's config, as settings that can be applied to a base."""

import re
from collections.abc import Mapping, Sequence

from artificer.builder.targets import FromFile, Text, Wishes
from artificer.builder.task import Task, WrongInput
from artificer.layers.rules import InvalidRule, parse_mtime
from artificer.oci.edit import EPOCH, Stamp
from artificer.oci.image import Image
from artificer.oci.settings import DEFAULT_PATH, Settings, expanded

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)
_SECONDS = re.compile(r"-?[0-9]+(\.[0-9]*)?")
_MILLISECONDS = 100_000_000_000
"""From here on a number of seconds is taken as one of milliseconds (RD-56)."""

SCRIPTS_LABEL = "dev.artificer.scripts-not-run"
"""The label that lists the Debian packages whose maintainer scripts were not run."""


def settings_of(
    wishes: Wishes,
    image: Image,
    layers_env: Sequence[tuple[str, str]],
    scripts: Sequence[str],
    task: Task,
) -> Settings:
    """What has to change on *image*, whose layers bring *layers_env* of their own."""
    env = (*layers_env, *task.pairs(wishes.env))
    labels = list(task.pairs(wishes.labels))
    if scripts:
        labels.append((SCRIPTS_LABEL, " ".join(scripts)))
    return Settings(
        env=_env(env, wishes, image),
        clear_env=bool(env) and wishes.env_order == "sorted",
        entrypoint=_command(wishes.entrypoint, task),
        cmd=_command(wishes.cmd, task),
        keep_cmd=wishes.keep_cmd,
        workdir=_optional(wishes.workdir, task),
        user=_optional(wishes.user, task),
        labels=tuple(labels),
        ports=task.words(wishes.ports, ","),
        volumes=task.words(wishes.volumes, ","),
        platform=wishes.platform,
    )


def stamp_of(wishes: Wishes, task: Task) -> Stamp:
    """When the image says that it was made, and by whom."""
    if wishes.created is None:
        return Stamp(EPOCH, wishes.author)
    return Stamp(_moment(task.text(wishes.created).strip()), wishes.author)


def _optional(text: Text | None, task: Task) -> str | None:
    return None if text is None else task.text(text)


def _command(words: tuple[Text, ...] | FromFile | None, task: Task) -> tuple[str, ...] | None:
    if words is None:
        return None
    found = task.words(words)
    # rules_oci writes a newline inside an argument of a file as %5Cn.
    return tuple(word.replace("%5Cn", "\n") for word in found)


def _env(
    env: Sequence[tuple[str, str]], wishes: Wishes, image: Image
) -> tuple[tuple[str, str], ...]:
    if not env:
        return ()
    listed = image.settings.get("Env")
    lines = [line for line in listed if isinstance(line, str)] if isinstance(listed, list) else []
    base = dict(line.partition("=")[::2] for line in lines)
    result = dict(base)
    for name, text in env:
        known = base if wishes.env_expands == "base" else result
        result[name] = _expanded(text, known, name, wishes)
    if wishes.env_order == "sorted":
        return tuple((name, _quoted(result[name])) for name in sorted(result))
    return tuple((name, _quoted(result[name])) for name in dict.fromkeys(name for name, _ in env))


def _expanded(text: str, known: Mapping[str, str], name: str, wishes: Wishes) -> str:
    if wishes.env_unknown == "error":
        return expanded(text, known, name)

    def value(match: re.Match[str]) -> str:
        variable = match[1] or match[2]
        # A PATH without the directories of the system is what nobody means by $PATH:….
        found = known.get(variable, DEFAULT_PATH if variable == "PATH" else None)
        if found is not None:
            return found
        return f"${variable}" if wishes.env_unknown == "kept" else ""

    return _VARIABLE.sub(value, text)


def _quoted(value: str) -> str:
    """*value* such that expanding it gives *value*."""
    return value.replace("$", "$$")


def _moment(text: str) -> str:
    """*text* (seconds, milliseconds or RFC 3339) as RFC 3339."""
    if not _SECONDS.fullmatch(text):
        try:
            parse_mtime(text)
        except InvalidRule as error:
            raise WrongInput(
                f"not a time: {text!r}", hint="write seconds since 1970, or an RFC 3339 time"
            ) from error
        return text
    seconds = float(text)
    if seconds >= _MILLISECONDS:
        seconds /= 1000
    return rfc3339(int(seconds))


def rfc3339(seconds: int) -> str:
    """*seconds* since 1970 as RFC 3339 (the calendar of Howard Hinnant's `civil_from_days`)."""
    days, rest = divmod(seconds, 86400)
    days += 719_468
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    hours, minutes = divmod(rest // 60, 60)
    return f"{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{rest % 60:02}Z"
