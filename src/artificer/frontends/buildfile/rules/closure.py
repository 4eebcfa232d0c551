"""A call and all the libraries that it needs, of whatever package they are."""

from collections.abc import Iterator, Sequence

from artificer.builder.targets import Source
from artificer.frontends.buildfile.schema import Call, Context

_DEPTH = 64

Member = tuple[Call, Context]


def closure(call: Call, context: Context, names: Sequence[str]) -> list[Member]:
    """*call*, and all libraries that it names in the attributes *names*, each with its context."""
    found: dict[str, Member] = {}
    _follow((call, context), names, found, 0)
    return list(found.values())


def _follow(member: Member, names: Sequence[str], found: dict[str, Member], depth: int) -> None:
    call, context = member
    if depth > _DEPTH:
        context.fail(call, names[0], "libraries need one another without end")
    if call.label in found:
        return
    found[call.label] = member
    for each in _named(call, names):
        named = context.call(each)
        if named is not None:
            _follow((named, context.of(named)), names, found, depth + 1)


def _named(call: Call, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if name in call.rule.attributes:
            yield from call.strings(name)


def sources_of(members: Sequence[Member], kinds: Sequence[str]) -> tuple[Source, ...]:
    """What the attributes *kinds* of all *members* name, each once."""
    found: dict[Source, None] = {}
    for call, context in members:
        for kind in kinds:
            if kind in call.rule.attributes:
                found.update(dict.fromkeys(context.sources(call.strings(kind))))
    return tuple(found)
