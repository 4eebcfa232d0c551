"""``--check`` and ``--call``: what a Dockerfile says, without building it."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any, NamedTuple

from artificer.builder.staged.bases import Bases
from artificer.builder.staged.contexts import Directory
from artificer.builder.staged.ignore import Ignore
from artificer.cli.dockerfile.build import Site
from artificer.cli.dockerfile.words import told
from artificer.cli.session import Session
from artificer.errors import ArtificerError, Cancelled, Misused
from artificer.events import Warned
from artificer.frontends.dockerfile.calls.check import check_json, check_text
from artificer.frontends.dockerfile.calls.outline import outline, outline_json, outline_text
from artificer.frontends.dockerfile.calls.targets import targets_json, targets_text
from artificer.frontends.dockerfile.evaluate import BaseOf
from artificer.frontends.dockerfile.instructions import Dockerfile
from artificer.frontends.dockerfile.lint.check import violations
from artificer.frontends.dockerfile.options import Options
from artificer.frontends.dockerfile.recipe import recipe
from artificer.oci.platform import Platform
from artificer.oci.reference import Reference

METHODS = ("build", "check", "lint", "outline", "targets")


class Call(NamedTuple):
    """What is asked of a Dockerfile: a *method*, for programs in *json*."""

    method: str
    json: bool = False


def call_of(args: Namespace) -> Call | None:
    """What ``--check`` or ``--call`` ask for; None to build."""
    if args.call is None:
        return Call("check") if args.check else None
    method, *others = args.call.split(",")
    if method not in METHODS:
        raise Misused(f"--call {args.call}: no such method", hint=f"one of {told(METHODS)}")
    method = "check" if method == "lint" else method
    json = False
    for word in others:
        key, _, value = word.partition("=")
        if key != "format" or value not in {"json", "text"}:
            raise Misused(f"--call {args.call}: {word} is refused", hint="format=text or json")
        json = value == "json"
    if args.check and method != "check":
        raise Misused(f"--check, and --call {method}", hint="leave one of them out")
    if method == "build" and json:
        raise Misused(f"--call {args.call}: what was built is told by --metadata-file")
    return None if method == "build" else Call(method, json)


def answer(
    call: Call,
    dockerfile: Dockerfile,
    options: Options,
    files: Directory,
    site: Site,
) -> int:
    """Print the answer; 1 if rules are broken, as with docker."""
    match call.method:
        case "targets":
            text, code = _either(call, targets_text, targets_json)(dockerfile), 0
        case "outline":
            found = outline(dockerfile, options)
            text = outline_json(dockerfile, found) if call.json else outline_text(found)
            code = 0
        case _:
            whole = options._replace(all_stages=True)
            made = recipe(dockerfile, whole, _lenient(site.bases, site.session))
            rules = Ignore(files.ignored)
            broken = violations(dockerfile, made, rules)
            text = _either(call, check_text, check_json)(dockerfile, broken)
            code = 1 if broken else 0
    site.session.out(text.rstrip("\n"))
    return code


def _either(call: Call, text: Any, json: Any) -> Any:
    return json if call.json else text


def _lenient(bases: Bases, session: Session) -> BaseOf:
    """Configs of bases; one that cannot be had says nothing, and stops no check."""

    def config_of(reference: Reference, platform: Platform) -> Mapping[str, Any]:
        try:
            return bases.config_of(reference, platform)
        except Cancelled:
            raise
        except ArtificerError as error:
            session.report(Warned(f"{reference} is not looked at: {error.message}"))
            return {"os": platform.os, "architecture": platform.architecture}

    return config_of
