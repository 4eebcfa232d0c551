"""What a rule is to the loader: its attributes, and how a call becomes a target. Values only.

The rules themselves are in `rules`; the loader knows none of them by name.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, NoReturn, Protocol

from artificer.builder.place import Place
from artificer.builder.targets import Source, SourceFile, Target, TargetId
from artificer.oci.platform import Platform

Kind = Literal[
    "string",
    "strings",
    "string_dict",  # string → string
    "string_lists",  # string → list of strings
    "label",
    "labels",
    "label_dict",  # string → label (container_bundle.images)
    "label_keys",  # label → string
    "bool",
    "int",
    "float",
    "output",  # a file that the target makes, below its package
    "outputs",
    "any",
]


class Attribute(NamedTuple):
    """What may be given: one of *kinds*. *default* is what a getter of `Call` answers otherwise.

    The loader checks the type, makes 0 and 1 of a bool, and resolves nothing: labels are still
    text, as written. *values* are all that a string may be. An attribute with *refused* is an
    error when it is given a value other than its default: the text says why and what to do.
    """

    kinds: tuple[Kind, ...]
    default: Any = None
    mandatory: bool = False
    values: tuple[str, ...] = ()
    refused: str = ""


class Call(NamedTuple):
    """A rule as a BUILD or WORKSPACE file called it. *attributes* are those given, even as None.

    *place* is in the BUILD file, also when a macro made the call; *stack* are then the places in
    the macros, outermost first. *package* is ``nginx`` or ``@repo//nginx``.
    """

    rule: "Rule"
    name: str
    attributes: Mapping[str, Any]
    place: Place
    package: str = ""
    stack: tuple[Place, ...] = ()

    @property
    def label(self) -> str:
        """``//nginx:nginx``, or ``@repo//nginx:nginx``."""
        package = self.package if "//" in self.package else f"//{self.package}"
        return f"{package}:{self.name}"

    def given(self, name: str) -> bool:
        """Whether *name* was written at all, also as None (which then resets, RD-50)."""
        return name in self.attributes

    def value(self, name: str) -> Any:
        """What was given, or the default if that was nothing or None."""
        found = self.attributes.get(name)
        return self.rule.attribute(name).default if found is None else found

    def string(self, name: str) -> str:
        """The text given, "" if there is neither one nor a default."""
        found = self.value(name)
        return "" if found is None else str(found)

    def strings(self, name: str) -> tuple[str, ...]:
        """The texts given; a single one is a tuple of one."""
        found = self.value(name)
        if found is None:
            return ()
        return (found,) if isinstance(found, str) else tuple(found)

    def pairs(self, name: str) -> tuple[tuple[str, Any], ...]:
        """The items of a dictionary, in the order given."""
        found = self.value(name)
        return tuple(found.items()) if found else ()

    def flag(self, name: str) -> bool:
        """Whether it was given as true."""
        return bool(self.value(name))

    def number(self, name: str) -> int:
        """The number given, 0 if there is neither one nor a default."""
        return int(self.value(name) or 0)


class Context(Protocol):
    """What a rule may ask the loader while a call of it becomes a target.

    Labels are text as written in the call, relative to its package. Every target that is asked
    for is loaded then, too.
    """

    @property
    def root(self) -> str:
        """The workspace's directory (that of the repository which the call is in)."""

    @property
    def workspace(self) -> str:
        """The workspace's name, ``__main__`` if it has none."""

    @property
    def platform(self) -> Platform | None:
        """What the target is made for, None if nobody asked for a certain one."""

    @property
    def defines(self) -> Mapping[str, str]:
        """``--define`` of the command line."""

    @property
    def variables(self) -> Mapping[str, str]:
        """What ``$(NAME)`` stands for: *defines*, and TARGET_CPU, COMPILATION_MODE and so on."""

    @property
    def stamp(self) -> bool:
        """Whether the command line says ``--stamp``."""

    @property
    def compilation_mode(self) -> str:
        """``fastbuild``, ``opt`` or ``dbg``."""

    def source(self, label: str) -> Source:
        """The file or the target's output that *label* names; an error if there is neither."""

    def sources(self, labels: Iterable[str]) -> tuple[Source, ...]:
        """`source` of each of *labels*."""

    def target(self, label: str, *, platform: Platform | None = None) -> TargetId:
        """The target that *label* names (aliases followed), for *platform* or the call's own."""

    def call(self, label: str) -> Call | None:
        """How the target that *label* names was declared; None for a file or a repository's."""

    def repository(self, name: str) -> Call | None:
        """How the repository *name* was declared."""

    def of(self, call: Call) -> "Context":
        """The context of another *call*: labels are relative to its package, and seen from it."""

    def file(self, path: str) -> SourceFile:
        """The file or directory *path* of the package, whether or not it exists."""

    def glob(self, patterns: Iterable[str], exclude: Iterable[str] = ()) -> tuple[SourceFile, ...]:
        """The package's files that match one of *patterns* and none of *exclude*, sorted."""

    def fail(self, call: Call, attribute: str, message: str, hint: str | None = None) -> NoReturn:
        """Say that *call* is wrong, at the line of *attribute* ("" for the call's own)."""


Convert = Callable[[Call, Context], Target]
Expand = Callable[[Call], Iterable[Call]]


class Synthetic(NamedTuple):
    """A repository whose targets are known without any file: those of *targets*.

    A key is what follows ``@NAME//``, as ``image:image`` or ``file:file``; *outputs* name files
    of a target: ``image:image.tar`` → (``image:image``, ``image.tar``).
    """

    targets: Mapping[str, Target]
    outputs: Mapping[str, tuple[str, str]] = {}


class Tree(NamedTuple):
    """A repository with files: a *directory*, or what *targets* yield when they are made.

    *targets* are as in `Synthetic`; the one called *unpacked* yields the files. *build_file* (a
    label) or *build_file_content* stands in for the BUILD file at its root.
    """

    directory: str = ""
    targets: Mapping[str, Target] = {}
    unpacked: str = ""
    build_file: str = ""
    build_file_content: str = ""


class Nothing(NamedTuple):
    """A call that declares no repository: dependencies or toolchains of a rule set we have."""


class Renamed(NamedTuple):
    """A repository's target is another label: ``bind(name, actual)``, alias repositories.

    *labels* are label → label, both as text; keys as in `Synthetic`.
    """

    labels: Mapping[str, str]


Repository = Synthetic | Tree | Nothing | Renamed
ConvertRepository = Callable[[Call, Context], Mapping[str, Repository]]
"""Repositories by name: usually one, called as the call is; oci_pull makes one a platform too."""


class Rule(NamedTuple):
    """A rule: *convert* for BUILD files, *repository* for WORKSPACE and MODULE.bazel, or both.

    *attributes* are without those that every rule has (COMMON). *outputs* are implicit ones, with
    ``{name}``. *expand* gives further calls that a call implies (``NAME.digest``), or replaces it
    when *replaces* is set. *open* takes any attribute: its calls are only ever refused. A rule
    that needs no ``name`` has *nameless*. *starlark* are the .bzl files that a repository of this
    rule has, by what follows its ``//`` (``file:packages.bzl``), for files that load them.
    """

    name: str
    attributes: Mapping[str, Attribute]
    convert: Convert | None = None
    repository: ConvertRepository | None = None
    outputs: tuple[str, ...] = ()
    expand: Expand | None = None
    replaces: bool = False
    open: bool = False
    nameless: bool = False
    test: bool = False
    starlark: Callable[[Call], Mapping[str, str]] | None = None

    def attribute(self, name: str) -> Attribute:
        """The attribute *name*, one of those that every rule has included."""
        found = self.attributes.get(name) or COMMON.get(name)
        return ANY if found is None else found


class Rulebook(NamedTuple):
    """All rules that there are, and how files come by them.

    *native* are there without a load in BUILD files, *workspace* in WORKSPACE files, *module* in
    MODULE.bazel. *modules* say which rule a load gives, name → rule's key in *rules* (a struct
    with it where that is ``FIELD=KEY``): by ``@repo//pkg:file.bzl``, or by ``@repo`` for all its
    other files. A name of a known repository that is in neither is taken from *rules* if it is
    there. *extensions* do so for
    ``use_extension``: ``@rules_oci//oci:extensions.bzl%oci`` → tag → rule's key.
    """

    rules: Mapping[str, Rule]
    native: frozenset[str] = frozenset()
    workspace: frozenset[str] = frozenset()
    modules: Mapping[str, Mapping[str, str]] = {}
    extensions: Mapping[str, Mapping[str, str]] = {}


def string(default: str = "", **more: Any) -> Attribute:
    """One text."""
    return Attribute(("string",), default, **more)


def strings(default: tuple[str, ...] = (), **more: Any) -> Attribute:
    """Several texts."""
    return Attribute(("strings",), default, **more)


def string_dict(**more: Any) -> Attribute:
    """Texts by name."""
    return Attribute(("string_dict",), {}, **more)


def label(default: str | None = None, **more: Any) -> Attribute:
    """One label."""
    return Attribute(("label",), default, **more)


def labels(**more: Any) -> Attribute:
    """Several labels."""
    return Attribute(("labels",), (), **more)


def flag(default: bool = False, **more: Any) -> Attribute:  # noqa: FBT001, FBT002
    """True or false; 1 and 0 do as well."""
    return Attribute(("bool",), default, **more)


def number(default: int = 0, **more: Any) -> Attribute:
    """A whole number."""
    return Attribute(("int",), default, **more)


def either(*kinds: Kind, **more: Any) -> Attribute:
    """What one of several *kinds* may be: a list or a file, a dictionary or a file."""
    return Attribute(kinds, more.pop("default", None), **more)


ANY = Attribute(("any",))

COMMON: Mapping[str, Attribute] = {
    "name": string(mandatory=True),
    "visibility": labels(),
    "tags": strings(),
    "testonly": flag(),
    "deprecation": string(),
    "features": strings(),
    "licenses": strings(),
    "distribs": strings(),
    "restricted_to": labels(),
    "compatible_with": labels(),
    "target_compatible_with": labels(),
    "exec_compatible_with": labels(),
    "exec_properties": string_dict(),
    "exec_group_compatible_with": ANY,
    "toolchains": labels(),
    "applicable_licenses": labels(),
    "package_metadata": labels(),
    "aspect_hints": labels(),
    "generator_name": string(),
    "generator_function": string(),
    "generator_location": string(),
}
"""What every rule takes. Visibility is checked; the others are kept for `query` alone."""

TEST: Mapping[str, Attribute] = {
    "args": strings(),
    "env": string_dict(),
    "env_inherit": strings(),
    "size": string("medium", values=("small", "medium", "large", "enormous")),
    "timeout": string(values=("short", "moderate", "long", "eternal")),
    "flaky": flag(),
    "local": flag(),
    "shard_count": number(),
}
"""What every test takes besides."""
