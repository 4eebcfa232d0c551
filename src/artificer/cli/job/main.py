"""``artificer job``: builds on a Kubernetes cluster; its second word picks what is run."""

import importlib
from collections.abc import Sequence

from artificer.cli.session import Session
from artificer.errors import Misused

# Apart, for a pod loads what its index needs, and nothing of who submits.
PARTS = {
    "submit": "artificer.cli.job.submit",
    "wait": "artificer.cli.job.wait",
    "logs": "artificer.cli.job.logs",
    "cancel": "artificer.cli.job.cancel",
    "doctor": "artificer.cli.job.doctor",
    "index": "artificer.cli.job.index",
    "render": "artificer.cli.job.render",
    "secret": "artificer.cli.job.secret",
}

_PAGE = """\
usage: artificer job COMMAND …

submit   build targets on a cluster, and watch them to their end
render   print the same Job as YAML, for Git
secret   make the Secret with the logins that a build needs
doctor   look whether a cluster can build
wait     watch a Job that is there, as when its submitter was killed
logs     print what its pods say
cancel   end it
index    what a pod of it runs
"""


def run(words: Sequence[str], session: Session) -> int:
    """Run the part that the second of *words* names; tell of all of them when asked for help."""
    known = f"one of {', '.join(PARTS)}: `artificer job --help` tells of each"
    if len(words) < 2:
        raise Misused("job what?", hint=known)
    if words[1] in {"-h", "--help"}:
        session.out(_PAGE.rstrip("\n"))
        for name in PARTS:
            session.out("")
            _run(name, (name, "--help"), session)
        return 0
    if words[1] not in PARTS:
        raise _unknown(words[1], known)
    return _run(words[1], words[1:], session)


def _run(name: str, words: Sequence[str], session: Session) -> int:
    code: int = importlib.import_module(PARTS[name]).run(words, session)
    return code


def _unknown(word: str, known: str) -> Misused:
    from difflib import get_close_matches

    near = get_close_matches(word, PARTS, 1)
    if near:
        return Misused(f"no such command: job {word}", hint=f"did you mean `job {near[0]}`?")
    if word.startswith(("//", ":", "@", "-")):
        hint = f"`artificer job submit {word} …` sends it to a cluster, `job render` shows it"
        return Misused(f"job {word}: do what with it?", hint=hint)
    return Misused(f"no such command: job {word}", hint=known)
