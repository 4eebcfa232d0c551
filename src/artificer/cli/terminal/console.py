"""Events to lines on a terminal or in a log: words for people, on standard error."""

import json
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO, assert_never

from artificer import events
from artificer.errors import ArtificerError, Misused

if TYPE_CHECKING:
    from artificer.cli.terminal.progress import Bars

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

MODES = ("auto", "plain", "json", "quiet")


class Console:
    """Shows events, one line each; a live display of transfers where there is a terminal.

    `report` may be called from any thread.
    """

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        self._stream = stream
        self._environ = environ
        self._lock = threading.Lock()
        self._mode = "plain"
        self._bars: Bars | None = None
        self._told: set[events.Event] = set()
        self._failed: events.TargetFailed | None = None

    def choose(self, mode: str) -> None:
        """Set how events are shown: one of `MODES`."""
        if mode not in MODES:
            raise Misused(f"not a kind of progress: {mode}", hint=f"one of {', '.join(MODES)}")
        if mode == "auto":
            mode = "plain"
            if self._stream.isatty() and self._environ.get("TERM") != "dumb":
                mode = "live" if not self._environ.get("CI") else "plain"
        self._mode = mode

    def report(self, event: events.Event) -> None:
        """Show *event*. Never raises: a broken terminal must not break a build."""
        try:
            with self._lock:
                self._show(event)
        except (OSError, ValueError):
            self._mode = "quiet"

    def say(self, text: str) -> None:
        """Print a line, unless nothing but errors is wanted."""
        self.report(events.Note(text))

    def warn(self, text: str) -> None:
        """Print a line at once, from within a signal handler: no lock is asked for."""
        with suppress(OSError, ValueError, RuntimeError):  # it may be printing just now
            print(f"{self._styled('warning:', '33')} {visible(text)}", file=self._stream)
            self._stream.flush()

    def fail(self, error: ArtificerError) -> None:
        """Tell *error*, as ``error: …`` and ``hint: …``, if anybody can hear it."""
        with suppress(OSError, ValueError):
            self.close()
            self._fail(error)

    def _fail(self, error: ArtificerError) -> None:
        if self._mode == "json":
            fields = {"event": "error", "message": error.message, "exit_code": error.exit_code}
            if error.hint:
                fields["hint"] = error.hint
            print(json.dumps(fields), file=self._stream, flush=True)
            return
        print(f"{self._styled('error:', '1;31')} {indented(error.message)}", file=self._stream)
        if error.hint:
            print(f"{self._styled('hint:', '36')} {indented(error.hint)}", file=self._stream)
        self._stream.flush()

    def close(self) -> None:
        """Leave the terminal as it was; an event that comes later may draw on it again."""
        with self._lock:
            bars, self._bars = self._bars, None
            if bars is not None:
                bars.close()

    def _show(self, event: events.Event) -> None:
        if isinstance(event, events.Unpinned | events.Warned):
            if event in self._told:
                return
            self._told.add(event)
        if self._mode == "json":
            fields = {"event": _kind(event), **_plain_fields(event)}
            print(json.dumps(fields), file=self._stream, flush=True)
        elif isinstance(event, events.BlobProgress):
            if self._mode == "live":
                self._moving(event)
        elif isinstance(event, events.Warned) or self._mode != "quiet":
            self._show_lines(event)

    def _show_lines(self, event: events.Event) -> None:
        """Show *event*; a failure when something follows, for the error at the end says it too."""
        if not isinstance(event, events.Note):
            failed, self._failed = self._failed, None
            # A warning may be what became of the failure.
            if failed is not None and failed.message not in getattr(event, "text", ""):
                for line in lines_of(failed):
                    self._line(line)
        if isinstance(event, events.TargetFailed):
            self._failed = event
            return
        for line in lines_of(event):
            self._line(line)

    def _moving(self, event: events.BlobProgress) -> None:
        if self._bars is None:
            from artificer.cli.terminal.progress import Bars

            self._bars = Bars(self._stream)
        self._bars.move(event._replace(name=visible(event.name)))

    def _line(self, text: str) -> None:
        if self._bars is not None:
            self._bars.line(visible(text))
        else:
            print(visible(text), file=self._stream, flush=True)

    def _styled(self, text: str, code: str) -> str:
        if self._environ.get("NO_COLOR") or not self._stream.isatty():
            return text
        return f"\x1b[{code}m{text}\x1b[0m"


def lines_of(event: events.Event) -> list[str]:
    """What a person reads of *event*; nothing for what only a machine wants to know."""
    if isinstance(event, events.ImageEvent):
        return _of_image(event)
    if isinstance(event, events.TransferEvent):
        return _of_transfer(event)
    if isinstance(event, events.TargetEvent):
        return _of_target(event)
    if isinstance(event, events.StepEvent):
        return _of_step(event)
    if isinstance(event, events.PackageEvent):
        return _of_packages(event)
    return _said(event)


def _said(event: events.Note | events.Warned | events.Retrying) -> list[str]:
    match event:
        case events.Note(text):
            return [text]
        case events.Warned(text, hint):
            return [f"warning: {text}", *([f"hint: {hint}"] if hint else [])]
        case events.Retrying(what, reason, seconds):
            return [f"{what}: {reason}; trying again in {seconds:.1f} s"]
        case _:
            assert_never(event)


def _of_image(event: events.ImageEvent) -> list[str]:
    match event:
        case events.BaseResolved(reference, digest, platform):
            return [f"base {reference} is {digest.short} ({platform})"]
        case events.Unpinned(_, pinned):
            return [f"hint: the base may change under its tag; pin it with {pinned}"]
        case events.LayerReused(name, digest, size, why):
            return [f"layer {name}: {digest.short}, {amount(size)}, {why}"]
        case events.LayerWritten(name, digest, size, tar_size, entries, seconds):
            count = f"{entries} entr{'y' if entries == 1 else 'ies'}"
            became = f"{amount(tar_size)} became {amount(size)} in {seconds:.1f} s"
            return [f"layer {name}: {digest.short}, {count}, {became}"]
        case events.LayerChanged(name, changes, more):
            rest = [f"  and {more} more"] if more else []
            return [f"layer {name} is built again:", *(f"  {change}" for change in changes), *rest]
        case events.SocketSkipped(path):
            return [f"warning: {path} is a socket, which no image can hold: skipped"]
        case _:
            assert_never(event)


def _of_transfer(event: events.TransferEvent) -> list[str]:
    match event:
        case events.BlobExists() | events.BlobProgress() | events.ManifestSent():
            return []
        case events.BlobMounted(repository, digest, size, source):
            return [f"{repository}: {digest.short} ({amount(size)}) mounted from {source}"]
        case events.BlobSent(repository, digest, _, sent):
            return [f"{repository}: {digest.short} ({amount(sent)}) sent"]
        case events.Tagged(reference, digest):
            return [f"{reference} is now {digest}"]
        case events.UpToDate(reference, digest):
            return [f"{reference} is {digest} already: nothing to send"]
        case events.EngineLoaded(name, identity, sent, size):
            return [f"{name} is {identity}: {amount(sent)} of {amount(size)} sent"]
        case _:
            assert_never(event)


def _of_target(event: events.TargetEvent) -> list[str]:
    match event:
        case events.TargetStarted():
            return []
        case events.TargetDone(label, seconds, why):
            return [] if why else [f"{label} made in {seconds:.1f} s"]
        case events.TargetChanged(label, changes):
            return [f"{label} is made again:", *(f"  {change}" for change in changes)]
        case events.TargetFailed(label, place, message):
            first, *others = message.split("\n  ")
            return [f"{place}: {label}: {first}", *(f"  {line}" for line in others)]
        case _:
            assert_never(event)


def _of_step(event: events.StepEvent) -> list[str]:
    match event:
        case events.StepStarted(label, title):
            return [f"[{label}] {title}"]
        case events.StepCached(label, title, why):
            return [f"[{label}] {title}: {why}"]
        case events.StepDone(label, _, seconds):
            return [f"[{label}] done in {seconds:.1f} s"]
        case events.StepChanged(label, title, changes):
            told = (f"[{label}]   {change}" for change in changes)
            return [f"[{label}] {title} is done again:", *told]
        case events.CommandOutput(label, line):
            return [f"{_named(label)} {without_colours(line)}"]
        case _:
            assert_never(event)


def _of_packages(event: events.PackageEvent) -> list[str]:
    match event:
        case events.PackagesChosen(packages, size, why, removed):
            plural = "" if len(packages) == 1 else "s"
            gone = [f"removed from the base: {' '.join(removed)}"] if removed else []
            return [f"{len(packages)} package{plural}, {amount(size)}, {why}", *gone]
        case events.ScriptDecided(_, _, "run" | "skipped", ""):
            return []
        case events.ScriptDecided(package, script, fate, how):
            verb = "are" if script == "triggers" else "is"
            return [f"{package}: {script} {verb} {fate}{f': {how}' if how else ''}"]
        case _:
            assert_never(event)


def _named(label: str) -> str:
    """Who says something: a target, or an instruction of a stage."""
    return f"{label}:" if label.startswith(("/", "@")) else f"[{label}]"


def without_colours(line: str) -> str:
    """*line* of a command, which may think that it writes to a terminal."""
    return _COLOURS.sub("", line).expandtabs() if not line.isprintable() else line


def visible(text: str) -> str:
    """*text* in one line and harmless to a terminal: it may quote a server, or a file's name."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def indented(text: str) -> str:
    """*text*; lines that begin with two spaces stay lines, and all other breaks are shown."""
    return "\n  ".join(map(visible, text.split("\n  ")))


def amount(size: int) -> str:
    """*size* bytes, for people."""
    if size < 1000:
        return f"{size} B"
    value, unit = size / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"


def _kind(event: events.Event) -> str:
    name = type(event).__name__
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)[1:]


def _plain_fields(event: events.Event) -> dict[str, object]:
    return {
        name: value if isinstance(value, int | float | list) else _plain(value)
        for name, value in event._asdict().items()
    }


def _plain(value: object) -> object:
    from artificer.oci.reference import Repository

    if isinstance(value, Repository):
        return str(value)
    return list(value) if isinstance(value, tuple) else str(value)
