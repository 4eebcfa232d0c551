"""``artificer test //pkg:name …``: tests of BUILD files, run where they are not known to pass."""

from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence

from artificer.builder.outcome import Outcome
from artificer.builder.products import Passed
from artificer.builder.targets import (
    Graph,
    Group,
    Output,
    Program,
    Reproducible,
    SameImage,
    StructureTest,
    Target,
    TargetId,
)
from artificer.cli.command import run_command
from artificer.cli.grammar import OptionGroup, Parser
from artificer.cli.session import Session
from artificer.cli.workspace.open import opened
from artificer.cli.workspace.options import check_patterns, spelled, target_parser
from artificer.errors import ArtificerError

_ABOUT = """\
Make targets, and run the tests among them; all other targets are only made. A test that passed
is not run again until something that it needs has changed.

Each test's outcome goes to standard output. The exit code is 3 if one fails, and 4 if there is
none.
"""


class SomeFailed(ArtificerError):
    """Tests did not pass."""

    exit_code = 3


class NoTests(ArtificerError):
    """There is nothing to be tested."""

    exit_code = 4


def run(words: Sequence[str], session: Session) -> int:
    """Run the tests in *words*."""
    return run_command(parser(), spelled(words), session, _test)


def parser() -> Parser:
    """The words that it takes."""
    made = target_parser("test", "TARGET… [options]", _ABOUT)
    made.add_argument("targets", nargs="*", metavar="TARGET")
    group = OptionGroup(made, "tests")
    group.add(
        "--test-output",
        choices=("summary", "errors", "all"),
        default="errors",
        help="what is shown of what tests print (errors)",
    )
    group.switch("--build-tests-only", "make nothing that no test needs")
    group.add(
        "--test-tag-filters",
        metavar="TAG,-TAG",
        default="",
        help="only tests with one of these tags, and none with -TAG",
    )
    return made


def _test(args: Namespace, session: Session) -> int:
    check_patterns(args.targets, "test")
    with opened(args, session) as workspace:
        loaded = workspace.load(args.targets)
        graph = loaded.graph
        tests = tuple(_filtered(tests_of(loaded.roots, graph), graph, args.test_tag_filters))
        if not tests:
            raise NoTests(
                "there is no test among these targets",
                hint="`artificer query 'tests(//...)'` lists all",
            )
        roots = tests if args.build_tests_only else tuple(dict.fromkeys((*loaded.roots, *tests)))
        outcome = workspace.make(roots, graph, tests=True)
    return _told(tests, outcome, args.test_output, session)


def is_test(target: Target) -> bool:
    """Whether *target* says of something whether it is as it should be."""
    match target:
        case StructureTest() | SameImage() | Reproducible() | Program(test=True):
            return True
        case _:
            return False


def tests_of(roots: Iterable[TargetId], graph: Graph) -> Iterator[TargetId]:
    """The tests among *roots*, each once; suites and other names stand for theirs."""
    seen: set[TargetId] = set()
    waiting = list(roots)[::-1]
    while waiting:
        one = waiting.pop()
        if one in seen or one not in graph:
            continue
        seen.add(one)
        target = graph[one].target
        if is_test(target):
            yield one
        elif isinstance(target, Group):
            inner = [each.target for each in target.sources if isinstance(each, Output)]
            waiting.extend(reversed(inner))


def _filtered(tests: Iterable[TargetId], graph: Graph, filters: str) -> Iterator[TargetId]:
    words = [word for word in filters.split(",") if word]
    wanted = {word.removeprefix("+") for word in words if not word.startswith("-")}
    unwanted = {word[1:] for word in words if word.startswith("-")}
    for one in tests:
        tags = set(graph[one].tags)
        if not tags & unwanted and (not wanted or tags & wanted):
            yield one


def _told(tests: Sequence[TargetId], outcome: Outcome, shown: str, session: Session) -> int:
    timings = {timing.label: timing for timing in outcome.timings}
    passed = failed = cached = 0
    width = max(len(str(one)) for one in tests)
    for one in tests:
        product, timing = outcome.products.get(one), timings.get(str(one))
        if not isinstance(product, Passed) or timing is None:
            session.out(f"{one!s:{width}}  NO STATUS")
            continue
        again = bool(timing.why)
        good = product.passed
        passed, failed, cached = passed + good, failed + (not good), cached + again
        word = f"{'(cached) ' if again else ''}{'PASSED' if good else 'FAILED'}"
        session.out(f"{one!s:{width}}  {word} in {timing.seconds:.1f}s")
        if product.output and (shown == "all" or (shown == "errors" and not good)):
            for line in product.output.splitlines():
                session.say(f"  {line}")
    untold = len(tests) - passed - failed
    session.say(
        f"{len(tests)} tests: {passed} passed ({cached} of them known), {failed} failed"
        + (f", {untold} could not be run." if untold else ".")
    )
    outcome.check()
    if failed:
        raise SomeFailed(f"{failed} of {len(tests)} tests failed")
    return 0
