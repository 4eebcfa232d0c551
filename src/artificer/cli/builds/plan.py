"""``artificer plan COMMAND LINE``: what the build would do, and what it would send."""

import json
from collections.abc import Sequence

from artificer.builder.plan import Plan, plans
from artificer.cli.connect import open_reach
from artificer.cli.oneline.budget import check_upload
from artificer.cli.oneline.main import cache_of, parsed, references_of, sources_of, upon
from artificer.cli.oneline.target import target_of
from artificer.cli.session import Session
from artificer.cli.terminal.console import amount
from artificer.errors import Misused
from artificer.oci.reference import Named

_LINE = 44


def run(words: Sequence[str], session: Session) -> int:
    """Print the plan of the build in *words*; nothing is written or sent."""
    if words[1:2] == ["build"]:
        from artificer.cli.builds.plan_dockerfile import run_build

        return run_build(words[1:], session)
    args = parsed(words[1:], session, "artificer plan", ("--json", "print the plan as JSON"))
    if args is None:
        return 0
    references = references_of(args)
    names = tuple(one for one in references if isinstance(one, Named))
    if not names:
        raise Misused(
            "a plan is about a registry, and no target is in one", hint="add `-t REGISTRY/NAME`"
        )
    reach = open_reach(args, session, references)
    with reach.store.in_use():
        sources = sources_of(args, references, cache_of(args), reach, session)
        target = target_of(args, session.environ)
        base = sources.base(target.base)
        found = plans(upon(base, target, sources), base, sources, names)
    session.out(_document(found) if args.json else "\n".join(map(_shown, found)))
    check_upload(sum(plan.sent for plan in found), args)
    return 0


def _shown(plan: Plan) -> str:
    lines = [f"{plan.target} ({plan.platform})"]
    for layer in plan.layers:
        line = layer.line if len(layer.line) <= _LINE else layer.line[: _LINE - 1] + "…"
        about = "about " if layer.made else ""
        action = f"{layer.action} {about}{amount(layer.size)}" if layer.sent else layer.action
        told = "" if layer.sent else amount(layer.size)
        lines.append(f"  {line:{_LINE}} {told:>8}  {action}")
    if plan.up_to_date:
        lines.append("  it is there already: nothing would be sent")
    else:
        about = "" if plan.exact else "about "
        lines.append(f"  would send {about}{amount(plan.sent)} of layers, and the config")
    return "\n".join(lines)


def _document(found: Sequence[Plan]) -> str:
    return json.dumps(
        [
            {
                "target": plan.target,
                "platform": plan.platform,
                "up_to_date": plan.up_to_date,
                "upload_bytes": plan.sent,
                "exact": plan.exact,
                "layers": [layer._asdict() for layer in plan.layers],
            }
            for plan in found
        ],
        indent=2,
    )
