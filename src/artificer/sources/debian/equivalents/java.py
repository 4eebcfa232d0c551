"""What Debian's packages of Java make: its store of authorities, and alternatives with manuals."""

from collections.abc import Iterable, Iterator, Sequence

from artificer.layers.entry import SYMLINK
from artificer.sources.debian.equivalents.alternatives import alternative
from artificer.sources.debian.equivalents.files import Files, InTheWay
from artificer.sources.debian.equivalents.keystore import store_of
from artificer.sources.debian.equivalents.subjects import certificates_of

_STORE = "etc/ssl/certs/java/cacerts"
_LINKS = "etc/ssl/certs"
_TRUSTED = ("/usr/share/ca-certificates", "/usr/local/share/ca-certificates")
_JAVA = "usr/bin/java"
_FRESH = "var/lib/ca-certificates-java/fresh"


def java_certificates(files: Files, _: object = ()) -> None:
    """Put into Java's store whom the image trusts, as ca-certificates-java does where Java is."""
    if files.itself(_STORE) is not None:
        raise InTheWay(_STORE, "is there already")
    if not files.is_file(_JAVA):
        return  # Whoever brings it makes the store, as it is said to be waited for.
    found = {f"debian:{name.lower()}": der for name, der in _authorities(files)}
    milliseconds = files.mtime * 1000
    order = _as_java(found)
    files.put(_STORE, store_of((alias, milliseconds, found[alias]) for alias in order), 0o644)
    if files.itself(_FRESH) is not None:
        files.remove(_FRESH)


def _authorities(files: Files) -> Iterator[tuple[str, bytes]]:
    names = files.listdir(_LINKS)
    for name in sorted(names, key=lambda one: one.encode("utf-8", "surrogateescape")):
        entry = files.itself(f"{_LINKS}/{name}")
        if entry is None or entry.kind != SYMLINK or not name.endswith(".pem"):
            continue
        if entry.link.startswith(_TRUSTED) and files.is_file(entry.link):
            for der in certificates_of(files.read(entry.link)):
                yield name, der
                break


def _as_java(names: Iterable[str]) -> Iterator[str]:
    """*names* in the order in which a java.util.Hashtable has them once all were put there."""
    table: list[list[str]] = [[] for _ in range(11)]
    for count, name in enumerate(names):
        if count >= int(len(table) * 0.75):
            table = _rehashed(table)
        table[_hash(name) % len(table)].insert(0, name)
    for chain in reversed(table):
        yield from chain


def _rehashed(table: Sequence[Sequence[str]]) -> list[list[str]]:
    larger: list[list[str]] = [[] for _ in range(len(table) * 2 + 1)]
    for chain in reversed(table):
        for name in chain:
            larger[_hash(name) % len(larger)].insert(0, name)
    return larger


def _hash(text: str) -> int:
    """What String.hashCode says of *text*, as it is taken for a place."""
    units = memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    value = 0
    for unit in units:
        value = (value * 31 + unit) & 0xFFFFFFFF
    return value & 0x7FFFFFFF


def java_program(files: Files, words: Sequence[str]) -> None:
    """Have an alternative; its manual, the rest of *words*, goes along if there is one."""
    link, name, path, priority, *slaves = words
    manual = slaves if slaves and files.lookup(slaves[2]) is not None else []
    alternative(files, (link, name, path, priority, *manual))
