"""``artificer job index``: what a pod of an Indexed Job does: its own index's command line."""

import os
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from artificer.cli.command import bare_parser, run_command
from artificer.cli.conventions import write_conventions
from artificer.cli.grammar import OptionGroup, Parser, add_display_options
from artificer.cli.main import dispatch
from artificer.cli.results import write
from artificer.cli.session import Made, Session
from artificer.cli.terminal.console import Console
from artificer.errors import ArtificerError, Misused, reason
from artificer.events import Event, LayerWritten
from artificer.kubernetes.job import (
    INDEX_VARIABLE,
    RESULT_SCHEMA,
    TERMINATION_FILE,
    WORK_FILE_VARIABLE,
    WORK_VARIABLE,
    Work,
    work_of,
)
from artificer.limits import MIB
from artificer.oci.document import InvalidDocument, dump, parse
from artificer.oci.platform import Platform

TERMINATION_BYTES = 4096
"""Of a container's message the kubelet keeps no more."""
_WORK_BYTES = 4 * MIB
_TARGET = 500
"""So much of a target's name is told, whatever else there is."""
_OF_TESTS = (3, 4)
"""Exit codes of tests that fail, or are not there: a Job tries again what it does not know."""
_LEAST = 71  # bytes of a digest

_ABOUT = """\
Run in a pod of an Indexed Job: the command line that ARTIFICER_JOB, or the file named by
ARTIFICER_JOB_FILE, has for the index in JOB_COMPLETION_INDEX. What came of it is written where
Kubernetes looks for a container's last words.
"""


def run(words: Sequence[str], session: Session) -> int:
    """Do the work of this index."""
    return run_command(_parser(), words, session, _do)


def _parser() -> Parser:
    parser = bare_parser("job index", "[options]", _ABOUT)
    group = OptionGroup(parser, "results")
    group.one("--dotenv", "FILE", "write IMAGE_URL=… lines, as for GitLab")
    group.one("--results-dir", "DIR", "write DIR/IMAGE_URL …, as for Tekton")
    add_display_options(parser)
    return parser


def _do(args: Namespace, session: Session) -> int:
    work = asked_work(session.environ)
    session.console = heard = _Heard(session)
    try:
        code = _made(work, session)
    except ArtificerError as error:
        if error.exit_code not in _OF_TESTS:
            raise
        session.fail(error)
        return ArtificerError.exit_code
    if code:
        return code
    write_conventions(session.made, args.dotenv, args.results_dir, write)
    if os.path.isfile(TERMINATION_FILE) and os.access(TERMINATION_FILE, os.W_OK):
        with open(TERMINATION_FILE, "wb") as file:
            file.write(message(work, session.made, hit=not heard.written))
    return 0


def _made(work: Work, session: Session) -> int:
    if not work.member:
        return dispatch(list(work.argv), session)
    platform = Platform.parse(work.member)
    if work.argv[0] == "build":
        from artificer.cli.dockerfile.main import make_member
    else:
        from artificer.cli.oneline.main import make_member
    make_member(work.argv, platform, session)
    return 0


def asked_work(environ: Mapping[str, str]) -> Work:
    """What the environment says that is to be done here."""
    works = parse(
        b'{"works":' + _text(environ) + b"}", limit=_WORK_BYTES, what="the work of the job"
    )["works"]
    number = environ.get(INDEX_VARIABLE, "")
    if not number.isdecimal():
        raise Misused(
            f"{INDEX_VARIABLE} is no number: {number!r}",
            hint="Kubernetes sets it in pods of a Job whose completionMode is Indexed",
        )
    if not isinstance(works, list) or int(number) >= len(works):
        raise Misused(f"there is no work for index {number}", hint="the Job has more completions")
    return _work(works[int(number)])


def message(work: Work, made: Sequence[Made], *, hit: bool) -> bytes:
    """The last words of the container; of many images as many as fit, and how many do not."""
    first = made[0] if made else Made("", "", 0)
    document: dict[str, Any] = {
        "schema": RESULT_SCHEMA,
        "target": work.target[:_TARGET],
        "image": first.name,
        "digest": first.digest,
        "size": first.size,
        "cache": "hit" if hit else "miss",
    }
    names = [one.name for one in made if one.name]
    for kept in range(min(len(names), TERMINATION_BYTES // _LEAST), 0, -1):
        cut = {"more": len(names) - kept} if kept < len(names) else {}
        data = dump({**document, "images": names[:kept], **cut})
        if len(data) <= TERMINATION_BYTES:
            return data
    return dump({**document, **({"more": len(names)} if names else {})})


def _text(environ: Mapping[str, str]) -> bytes:
    text = environ.get(WORK_VARIABLE)
    if text is not None:
        return text.encode("utf-8", "surrogateescape")
    path = environ.get(WORK_FILE_VARIABLE)
    if path is None:
        raise Misused(
            f"neither {WORK_VARIABLE} nor {WORK_FILE_VARIABLE} says what to do",
            hint="`artificer job submit` makes pods that are told; this runs in one of them",
        )
    try:
        with open(path, "rb") as file:
            return file.read(_WORK_BYTES)
    except OSError as error:
        raise Misused(
            f"{path}: {reason(error)}", hint=f"{WORK_FILE_VARIABLE} names a mounted ConfigMap"
        ) from error


def _work(document: object) -> Work:
    found = work_of(document)
    if found is None or not found.argv:
        raise InvalidDocument("the work for this index has no target, or no command line")
    if found.argv[0] == "job":
        raise InvalidDocument(f"the work for {found.target} is no command line")
    return found


class _Heard(Console):
    """Shows events as ever, and knows whether any layer was made."""

    def __init__(self, session: Session) -> None:
        super().__init__(session.stderr, session.environ)
        self.written = False

    def report(self, event: Event) -> None:
        """Show *event*, and remember."""
        self.written |= isinstance(event, LayerWritten)
        super().report(event)
