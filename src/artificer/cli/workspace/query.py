"""``artificer query EXPRESSION``: which targets there are, and how they hang together."""

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from artificer.cli.command import run_command
from artificer.cli.grammar import OptionGroup, Parser
from artificer.cli.session import Session
from artificer.cli.workspace.open import opened
from artificer.cli.workspace.options import spelled, target_parser
from artificer.cli.workspace.query_graph import Nodes, Web
from artificer.cli.workspace.query_words import InvalidQuery, parse_query, patterns_of
from artificer.errors import Misused
from artificer.frontends.buildfile.files import Files

_ABOUT = """\
Print the targets that an expression stands for; nothing is made. It has labels and patterns,
deps(x), rdeps(universe, x), allrdeps(x), kind(regex, x), attr(name, regex, x),
filter(regex, x), labels(attribute, x), tests(x), somepath(a, b), allpaths(a, b), some(x),
buildfiles(x), set(a b c), `let NAME = x in y`, and x + y, x - y, x ^ y.

A `select` has only the branch that is taken, as in Bazel's cquery.
"""
_OUTPUTS = ("label", "label_kind", "build", "graph", "json", "package", "location")


def run(words: Sequence[str], session: Session) -> int:
    """Answer the query in *words*."""
    return run_command(parser(), spelled(words), session, _query)


def parser() -> Parser:
    """The words that it takes."""
    made = target_parser("query", "EXPRESSION [options]", _ABOUT)
    made.add_argument("expression", nargs="*", metavar="EXPRESSION")
    group = OptionGroup(made, "query")
    group.add("--output", choices=_OUTPUTS, default="label", help="(label)")
    return made


def _query(args: Namespace, session: Session) -> int:
    if not args.expression:
        raise Misused("query what?", hint="as in `artificer query 'deps(//nginx:nginx)'`")
    expression = parse_query(" ".join(args.expression))
    patterns = tuple(dict.fromkeys(patterns_of(expression)))
    if not patterns:
        raise InvalidQuery("the query names no target")
    with opened(args, session) as workspace:
        loaded = workspace.load(patterns, keep_going=True)
        for failure in loaded.failures:
            # The excerpt of the file is on lines of its own.
            for line in f"warning: {failure.message}".splitlines():
                session.say(line)
        web = Web(loaded.graph, Files(workspace.root), workspace.directory)
        nodes = web.answer(expression, {})
    for line in _shown(nodes, web, args.output):
        session.out(line)
    return 0


def _shown(nodes: Nodes, web: Web, output: str) -> Iterator[str]:
    match output:
        case "label_kind":
            yield from (f"{web.kind(one)} {one}" for one in nodes)
        case "package":
            yield from dict.fromkeys(one.rpartition(":")[0].removeprefix("//") for one in nodes)
        case "location":
            for one in nodes:
                declared = web.declared.get(one)
                where = str(declared.place) if declared else one.removeprefix("//")
                yield f"{where}: {web.kind(one)} {one}"
        case "build":
            yield "\n".join(text for one in nodes for text in _declaration(one, web)).rstrip("\n")
        case "graph":
            yield from _graph(nodes, web)
        case "json":
            yield json.dumps([_document(one, web) for one in nodes], indent=2)
        case _:
            yield from nodes


def _declaration(label: str, web: Web) -> Iterator[str]:
    """How a target was declared, as a BUILD file says it."""
    declared = web.declared.get(label)
    if declared is None or declared.rule.endswith(" file"):
        return
    yield f"# {declared.place}"
    yield f"{declared.rule}("
    for name, value in declared.attributes.items():
        yield f"    {name} = {starlark(value)},"
    yield ")\n"


def starlark(value: Any) -> str:
    """*value* as Starlark writes it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(starlark, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{starlark(key)}: {starlark(one)}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    return str(value)


def _graph(nodes: Nodes, web: Web) -> Iterator[str]:
    yield "digraph mygraph {"
    yield "  node [shape=box];"
    for one in nodes:
        yield f"  {json.dumps(one)}"
        for needed in web.needs[one]:
            if needed in nodes:
                yield f"  {json.dumps(one)} -> {json.dumps(needed)}"
    yield "}"


def _document(label: str, web: Web) -> dict[str, Any]:
    declared = web.declared.get(label)
    found: dict[str, Any] = {"label": label, "kind": web.kind(label)}
    if declared is not None:
        found["location"] = str(declared.place)
        found["attributes"] = json.loads(json.dumps(dict(declared.attributes), default=str))
    found["needs"] = list(web.needs[label])
    return found
