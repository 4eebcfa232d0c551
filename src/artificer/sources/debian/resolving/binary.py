"""One version of a Debian package that can be had, and where from."""

from collections.abc import Mapping
from typing import Literal

from artificer.sources.debian.resolving.relations import (
    BadRelation,
    Clause,
    Relation,
    parse_relations,
)

RelationField = Literal[
    "Pre-Depends",
    "Depends",
    "Recommends",
    "Suggests",
    "Enhances",
    "Conflicts",
    "Breaks",
    "Replaces",
    "Provides",
]

_DIGITS = 18
"""Digits of a size: no file is larger, and Python would refuse to read thousands of them."""


class Binary:
    """A version of a package in an archive, in a file, or on the image already.

    *fields* is its stanza, with the names as Packages files write them; it is read when asked for.
    *pin* is the priority that policy gives this version. *archive* numbers where it is from, in
    the order of archives; *suites* are the words by which ``name/suite`` may ask for it. *base* is
    what ``Filename`` is relative to; a local file has its path as *base* and no ``Filename``.
    Two are equal if name, version, architecture and sha256 are.
    """

    __slots__ = (
        "_relations",
        "architecture",
        "archive",
        "base",
        "fields",
        "name",
        "pin",
        "suites",
        "version",
    )

    def __init__(
        self,
        fields: Mapping[str, str],
        *,
        pin: int = 500,
        archive: int = 0,
        suites: tuple[str, ...] = (),
        base: str = "",
    ) -> None:
        self.fields = fields
        self.name = fields["Package"]
        self.version = fields["Version"]
        self.architecture = fields.get("Architecture", "all")
        self.pin = pin
        self.archive = archive
        self.suites = suites
        self.base = base
        self._relations: dict[str, tuple[Clause, ...]] = {}

    def __repr__(self) -> str:
        """As apt has it."""
        return f"{self.name}:{self.architecture}={self.version}"

    def __eq__(self, other: object) -> bool:
        """Whether both are the same package file."""
        return isinstance(other, Binary) and self._identity == other._identity

    def __hash__(self) -> int:
        """Of what makes them equal."""
        return hash((self.name, self.version, self.architecture))

    def relations(self, field: RelationField) -> tuple[Clause, ...]:
        """What *field* says, parsed once."""
        found = self._relations.get(field)
        if found is None:
            text = self.fields.get(field, "")
            try:
                found = parse_relations(text, self.architecture)
            except BadRelation as error:
                raise BadRelation(f"{self!r}: {field}: {error.message}") from error
            self._relations[field] = found
        return found

    def provides(self, name: str) -> tuple[Relation, ...]:
        """The entries of ``Provides`` for *name*."""
        if name not in self.fields.get("Provides", ""):
            return ()
        return tuple(
            provided
            for clause in self.relations("Provides")
            for provided in clause
            if provided.name == name
        )

    @property
    def provided(self) -> tuple[str, ...]:
        """The names that it provides, beside its own."""
        return tuple(provided.name for clause in self.relations("Provides") for provided in clause)

    @property
    def essential(self) -> bool:
        """Whether nothing declares that it needs this package, as everything may."""
        return self.fields.get("Essential", "").lower() == "yes"

    @property
    def protected(self) -> bool:
        """Whether it stays unless its removal is asked for (``Protected``, ``Important``)."""
        return "yes" in (self.fields.get("Protected"), self.fields.get("Important"))

    @property
    def priority(self) -> str:
        """``required``, ``important``, ``standard``, ``optional`` or ``extra``."""
        return self.fields.get("Priority", "")

    @property
    def multi_arch(self) -> str:
        """``no``, ``same``, ``foreign`` or ``allowed``."""
        return self.fields.get("Multi-Arch", "no").lower()

    @property
    def source(self) -> str:
        """The source package: ``NAME``, or ``NAME VERSION`` where that version differs."""
        name, _, version = self.fields.get("Source", self.name).partition(" ")
        version = version.strip("() ")
        return f"{name} {version}" if version and version != self.version else name

    @property
    def filename(self) -> str:
        """Where the archive has it, relative to *base*."""
        return self.fields.get("Filename", "").removeprefix("./")

    @property
    def urls(self) -> tuple[str, ...]:
        """Where its file can be had; none for what is only installed."""
        if not self.base:
            return ()
        return (f"{self.base.rstrip('/')}/{self.filename}" if self.filename else self.base,)

    @property
    def size(self) -> int:
        """Bytes of its file, 0 where the archive does not say."""
        text = self.fields.get("Size", "")
        return int(text) if text.isdecimal() and len(text) <= _DIGITS else 0

    @property
    def sha256(self) -> str:
        """What its file hashes to, in hexadecimal digits; empty where the archive does not say."""
        return self.fields.get("SHA256", "").lower()

    @property
    def _identity(self) -> tuple[str, str, str, str]:
        return (self.name, self.version, self.architecture, self.sha256)
