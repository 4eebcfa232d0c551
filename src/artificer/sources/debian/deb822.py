"""Stanzas of fields, as Debian's control files have them (deb822(5))."""

from collections.abc import Iterator

from artificer import limits
from artificer.errors import ArtificerError


class BadStanza(ArtificerError):
    """A control file is not one, or is larger than any honest one."""


def stanzas(data: bytes, what: str = "control data") -> Iterator[dict[str, str]]:
    """Yield each stanza of *data*, its fields in their order and by the names they are written by.

    A folded value keeps its line ends and the blank that starts each line, so ``name: value``
    is what was read. Comments are left out. *what* names the data in errors.
    """
    text = data.decode("utf-8", "surrogateescape")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    number = 1
    for chunk in _chunks(text):
        if len(chunk) > limits.STANZA_BYTES:
            raise BadStanza(
                f"{what}:{number}: a stanza of {len(chunk)} characters",
                hint=f"{limits.STANZA_BYTES} is the limit",
            )
        found = stanza(chunk, what, number)
        number += chunk.count("\n") + 2
        if found:
            yield found


def stanza(chunk: str, what: str, number: int = 1) -> dict[str, str]:
    """One stanza, which begins in line *number* of *what*; nothing if it is only comments."""
    fields: dict[str, str] = {}
    folded: dict[str, list[str]] = {}
    name = ""
    for offset, line in enumerate(chunk.split("\n")):
        if not line or line[0] == "#":
            continue
        if line[0] in " \t":
            if not name:
                if not line.strip():
                    continue
                raise BadStanza(f"{what}:{number + offset}: a folded line without a field")
            folded.setdefault(name, [fields[name]]).append(line.rstrip())
            continue
        name, colon, value = line.partition(":")
        if not colon or not name or not name.isprintable() or name[0] == "-":
            raise BadStanza(
                f"{what}:{number + offset}: not a field: {line[:80]!r}",
                hint="write `Name: value`; a blank begins a line that goes on",
            )
        name = name.rstrip()
        fields[name] = value.strip()
    for key, lines in folded.items():
        fields[key] = "\n".join(lines)
    return fields


def _chunks(text: str) -> Iterator[str]:
    """Yield what empty lines part, without holding it twice."""
    start = 0
    while (end := text.find("\n\n", start)) >= 0:
        yield text[start:end]
        start = end + 2
    yield text[start:]
