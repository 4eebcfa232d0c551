"""A BUILD file as it is evaluated, and the package that comes of it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from artificer.errors import ArtificerError
from artificer.frontends.buildfile.check import (
    CANONICAL,
    InvalidCall,
    Refusal,
    checked_attributes,
    line_of,
    nearest,
    refusal,
)
from artificer.frontends.buildfile.files import Files, matcher
from artificer.frontends.buildfile.labels import PackageId, parse_label
from artificer.frontends.buildfile.schema import Call, Context, Rule
from artificer.frontends.buildfile.scope import NotHere, Scope, Spot, Workshop
from artificer.frontends.buildfile.settings import Configuration, Setting, setting_of

FLAGS = frozenset({"bool_flag", "string_flag"})
SETTINGS = frozenset({"config_setting", "config_setting_group", "alias"}) | FLAGS
_OUTPUTS = frozenset({"output", "outputs"})
_PACKAGE_WORDS = {
    "default_visibility",
    "default_testonly",
    "default_deprecation",
    "default_compatible_with",
    "default_restricted_to",
    "default_applicable_licenses",
    "default_package_metadata",
    "default_copts",
    "default_hdrs_check",
    "features",
    "licenses",
    "distribs",
}


class EmptyGlob(ArtificerError):
    """A glob that found nothing, and was not allowed to."""


class Group(NamedTuple):
    """A package_group: what it lists, and the groups that it takes in."""

    packages: tuple[str, ...]
    includes: tuple[str, ...]


class Package(NamedTuple):
    """What a BUILD file declares. *outputs* are files by the call that makes them.

    *exported* are files with the visibility that was said, *visibility* is that of all calls that
    say none. *path* is what errors call the file. With *selected*, another platform may have
    other calls.
    """

    id: PackageId
    path: str
    calls: Mapping[str, Call]
    outputs: Mapping[str, str]
    exported: Mapping[str, tuple[str, ...] | None]
    groups: Mapping[str, Group]
    settings: Mapping[str, Setting]
    visibility: tuple[str, ...] | None
    selected: bool


class PackageScope(Scope):
    """A BUILD file, while it is evaluated."""

    kind = "a BUILD file"

    def __init__(
        self, workshop: Workshop, home: PackageId, path: str, configuration: Configuration
    ) -> None:
        super().__init__(workshop, home, path, configuration)
        self.files: Files
        self.calls: dict[str, Call] = {}
        self.outputs: dict[str, str] = {}
        self.exported: dict[str, tuple[str, ...] | None] = {}
        self.groups: dict[str, Group] = {}
        self.settings: dict[str, Setting] = {}
        self.visibility: tuple[str, ...] | None = None

    def made(self) -> Package:
        """What was declared until now."""
        return Package(
            self.home,
            self.path,
            self.calls,
            self.outputs,
            self.exported,
            self.groups,
            self.settings,
            self.visibility,
            self.selected,
        )

    def declare(self, key: str, stack: str, attributes: Mapping[str, Any]) -> None:
        """A rule is called."""
        rule = self.workshop.rule(key)
        spot = self.spot(stack)
        if self.configuration.first_pass and key not in SETTINGS:
            return
        if rule.convert is None and rule.repository is not None and not rule.replaces:
            raise NotHere(f"{rule.name} belongs in WORKSPACE, not in {self.kind}")
        call = checked_call(self.workshop, rule, attributes, spot, self.home)
        for each in calls_of(call):
            self._add(each)

    def foreign(
        self, what: str, stack: str, words: Sequence[str], named: Mapping[str, Any]
    ) -> str | None:
        """A rule that we do not have is called, or a function that computes something."""
        if not isinstance(named.get("name"), str):
            return super().foreign(what, stack, words, named)
        if not self.configuration.first_pass:
            rule = Rule(what, {}, open=True)
            self._add(checked_call(self.workshop, rule, named, self.spot(stack), self.home))
        return None

    def _add(self, call: Call) -> None:
        name = call.name
        if call.rule.name in SETTINGS:
            self.settings[name] = _setting(call)
        if self.configuration.first_pass:
            return
        parse_label(f":{name}", self.home)
        before = self.calls.get(name) or self.calls.get(self.outputs.get(name, ""))
        if before is not None:
            raise self.workshop.interpreter.failure(
                call.place,
                f"{call.label} is declared twice: by {call.rule.name} here "
                f"and by {before.rule.name} at {before.place}",
                "targets and the files that they make need different names",
            )
        self.calls[name] = call
        for output in outputs_of(call):
            self._add_output(output, call)

    def _add_output(self, output: str, call: Call) -> None:
        if output == call.name:
            return
        maker = self.outputs.get(output)
        before = self.calls[maker] if maker is not None else self.calls.get(output)
        implicit = output.startswith(call.name) and output not in _given_outputs(call)
        if before is None:
            self.outputs[output] = call.name
        elif not implicit:
            raise self.workshop.interpreter.failure(
                call.place,
                f"the file {output} is made twice: by {call.label} "
                f"and by {before.label} at {before.place}",
            )

    def glob(
        self, include: Any, exclude: Any, exclude_directories: Any, allow_empty: Any
    ) -> list[str]:
        """The files of the package that match, sorted."""
        if self.configuration.first_pass:
            return []
        wanted, unwanted = _texts(include, "include"), _texts(exclude, "exclude")
        found = self.files.glob(self.home.path, wanted, directories=not exclude_directories)
        for pattern in unwanted:
            takes = matcher(pattern)
            found = {path for path in found if not takes(path)}
        if not found and not allow_empty:
            raise EmptyGlob(
                f"glob({wanted!r}) finds no file in {self.home}",
                hint="`allow_empty = True` allows that",
            )
        return sorted(found)

    def subpackages(self, include: Any, exclude: Any, allow_empty: Any) -> list[str]:
        """The packages right below this one that match, as paths."""
        skip = len(self.home.path) + 1 if self.home.path else 0
        found = {
            child[skip:]
            for pattern in _texts(include, "include")
            for child in self.files.subpackages(self.home.path, matcher(pattern))
        }
        for pattern in _texts(exclude, "exclude"):
            takes = matcher(pattern)
            found = {path for path in found if not takes(path)}
        if not found and not allow_empty:
            raise EmptyGlob(f"subpackages() finds none in {self.home}")
        return sorted(found)

    def package(self, named: Mapping[str, Any]) -> None:
        """The defaults of all that follows."""
        for word in named:
            if word not in _PACKAGE_WORDS:
                hint = nearest(word, _PACKAGE_WORDS)
                raise InvalidCall(f"package() has no attribute `{word}`", hint=hint)
        if "default_visibility" in named:
            found = [_label_text(each) for each in named["default_visibility"] or ()]
            self.visibility = tuple(_texts(found, "default_visibility"))

    def package_group(self, name: str, packages: Any, includes: Any, stack: str) -> None:
        """Packages that may see something."""
        self.groups[name] = Group(
            tuple(_texts(packages, "packages")),
            tuple(_texts([_label_text(each) for each in includes or ()], "includes")),
        )

    def exports_files(self, sources: Any, visibility: Any) -> None:
        """Files that other packages may use."""
        seen = None if visibility is None else tuple(map(_label_text, visibility))
        for name in _texts(sources, "srcs"):
            self.exported[parse_label(name, self.home).name] = seen

    def existing_rules(self) -> dict[str, dict[str, Any]]:
        """What was declared until now."""
        return {
            name: {**call.attributes, "kind": call.rule.name, "name": name}
            for name, call in self.calls.items()
        }

    def package_name(self) -> str:
        """The path of the package."""
        return self.home.path

    def repository_name(self) -> str:
        """``@``, or ``@repo``."""
        return f"@{self.home.repository}"

    def module_name(self) -> None:
        """No module has a name here that a target could depend on."""

    def module_version(self) -> None:
        """As with `module_name`."""


def calls_of(call: Call) -> Iterable[Call]:
    """What *call* declares: itself, and what its rule makes of it."""
    rule = call.rule
    refused = refusal(rule, call.attributes)
    if refused is not None:
        return (call._replace(rule=_refusing(rule, refused)),)
    further = tuple(rule.expand(call)) if rule.expand else ()
    return further if rule.replaces else (call, *further)


def _refusing(rule: Rule, refused: Refusal) -> Rule:
    """*rule* as what needs the call finds it: as in Bazel, the rest of the file is not lost."""

    def refuse(call: Call, context: Context) -> NoReturn:
        context.fail(call, *refused)

    repository = refuse if rule.repository is not None else None
    return rule._replace(convert=refuse, repository=repository)


def _setting(call: Call) -> Setting:
    if call.rule.name == "alias":
        return Setting(match_all=(call.string("actual"),))
    if call.rule.name in FLAGS:
        return Setting(default=str(call.value("build_setting_default")))
    return setting_of(call.attributes)


def checked_call(
    workshop: Workshop, rule: Rule, attributes: Mapping[str, Any], spot: Spot, home: PackageId
) -> Call:
    """A call of *rule*; an error at the line of the attribute that is wrong."""
    try:
        checked = checked_attributes(rule, attributes)
    except InvalidCall as error:
        raise call_failure(workshop, spot, error) from None
    return Call(rule, checked.get("name") or "", checked, spot.place, home.prefix, spot.stack)


def call_failure(workshop: Workshop, spot: Spot, error: InvalidCall) -> ArtificerError:
    """*error*, at the line of the innermost call in which its attribute is given."""
    interpreter = workshop.interpreter
    place = spot.stack[-1] if spot.stack else spot.place
    if error.attribute:
        line = line_of(error.attribute, interpreter.text(place.path), place.line)
        place = interpreter.place(place.path, line)
    failed = interpreter.failure(place, error.message, error.hint)
    if not spot.stack:
        return failed
    callers = [spot.place, *spot.stack[:-1]]
    lines = [f"  called at {each.path}:{each.line}" for each in reversed(callers)]
    return type(failed)("\n".join([failed.message, *lines]), hint=failed.hint)


def _given_outputs(call: Call) -> list[str]:
    found: list[str] = []
    for name in call.attributes:
        attribute = call.rule.attributes.get(name)
        if attribute and not _OUTPUTS.isdisjoint(attribute.kinds):
            found += [each.removeprefix(":") for each in call.strings(name)]
    return found


def outputs_of(call: Call) -> list[str]:
    """The files that *call* makes, besides one of its own name."""
    implicit = [each.replace("{name}", call.name) for each in call.rule.outputs]
    return _given_outputs(call) + implicit


def _label_text(value: Any) -> Any:
    return value.get(CANONICAL, value) if isinstance(value, dict) else value


def _texts(value: Any, what: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidCall(f"`{what}` is a list of strings")
    return value
