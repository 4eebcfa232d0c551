"""container-structure-test's checks of an image: files, their content, and its metadata."""

import re
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from artificer import limits
from artificer.builder.actions.command_tests import CommandTests
from artificer.builder.actions.gathered import RefusedRule
from artificer.builder.products import File as Input
from artificer.builder.products import Passed
from artificer.builder.targets import StructureTest
from artificer.builder.task import Task, WrongInput
from artificer.errors import ArtificerError
from artificer.images.files import read_file, tree_of
from artificer.layers.entry import DIRECTORY, SYMLINK
from artificer.layers.index import File
from artificer.layers.tree import Tree
from artificer.oci.image import Image

_CONTENT = 64 * limits.MIB
_SECTIONS = {
    *("schemaVersion", "fileExistenceTests", "fileContentTests", "metadataTest"),
    *("commandTests", "licenseTests", "globalEnvVars", "containerRunOptions"),
}
_LETTERS = {DIRECTORY: "d", SYMLINK: "l"}
_EXECUTABLE = {"owner": 0o100, "group": 0o010, "other": 0o001, "any": 0o111}


class WrongConfig(ArtificerError):
    """A configuration of tests that cannot be read."""


def structure_test(target: StructureTest, task: Task) -> Passed:
    """Whether the image is as all configurations say; every difference is a line."""
    image = task.image(target.image)
    failed: list[str] = []
    count = 0
    for source in target.configs:
        for file in task.files(source):
            config = _config(file)
            for name, problems in _checks(config, image, file, task):
                count += 1
                failed.extend(f"{name}: {problem}" for problem in problems)
    if not count:
        raise WrongInput("the configurations hold no test")
    lines = failed or [f"{count} checks passed"]
    return Passed(not failed, "\n".join(lines))


def _config(file: Input) -> dict[str, Any]:
    with open(file.path, "rb") as opened:
        data = opened.read(limits.MIB + 1)
    if len(data) > limits.MIB:
        raise WrongConfig(f"{file.short} is larger than a configuration of tests may be")
    try:
        config = yaml.safe_load(data)  # JSON is YAML, nearly
    except yaml.YAMLError as error:
        raise WrongConfig(f"{file.short} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise WrongConfig(f"{file.short} is not a configuration of tests")
    unknown = sorted(set(config) - _SECTIONS)
    if unknown:
        raise WrongConfig(
            f"{file.short}: unknown section {unknown[0]}",
            hint=f"known are {', '.join(sorted(_SECTIONS))}",
        )
    if config.get("licenseTests"):
        raise RefusedRule(
            f"{file.short}: licenseTests: licences of packages are not judged",
            hint="an SBOM lists them",
        )
    return config


def _checks(
    config: Mapping[str, Any], image: Image, file: Input, task: Task
) -> Iterator[tuple[str, list[str]]]:
    existence = _tests(config, "fileExistenceTests", file)
    content = _tests(config, "fileContentTests", file)
    tree = tree_of(image, task.reach) if existence else None
    for test in existence:
        assert tree is not None  # noqa: S101 - there are such tests
        yield _name(test), list(_existence(test, tree))
    for test in content:
        yield _name(test), list(_content(test, image, task))
    metadata = config.get("metadataTest")
    if metadata:
        if not isinstance(metadata, dict):
            raise WrongConfig(f"{file.short}: metadataTest is not an object")
        yield "metadata", list(_metadata(metadata, image.settings, file))
    yield from CommandTests(config, image, file.short, task).results()


def _tests(config: Mapping[str, Any], section: str, file: Input) -> list[dict[str, Any]]:
    found = config.get(section) or []
    if not isinstance(found, list) or not all(
        isinstance(one, dict) and isinstance(one.get("path"), str) for one in found
    ):
        raise WrongConfig(f"{file.short}: {section} is not a list of tests with a path")
    return found


def _name(test: Mapping[str, Any]) -> str:
    return str(test.get("name") or test["path"])


def _existence(test: Mapping[str, Any], tree: Tree) -> Iterator[str]:
    path = test["path"]
    file = tree.lookup(path.strip("/"), follow=False)
    wanted = test.get("shouldExist", True)
    if file is None or not wanted:
        if bool(wanted) is not (file is not None):
            yield f"{path} {'does not exist' if wanted else 'exists'}"
        return
    for field, found in (
        ("permissions", _permissions(file)),
        ("uid", file.uid),
        ("gid", file.gid),
    ):
        if field in test and str(test[field]) != str(found):
            yield f"{path} has {field} {found}, not {test[field]}"
    bits = _EXECUTABLE.get(str(test.get("isExecutableBy") or ""))
    if bits is not None and not file.mode & bits:
        yield f"{path} is not executable by {test['isExecutableBy']}"


def _permissions(file: File) -> str:
    # As Go writes a mode, which is what these files are written by.
    letters = stat.filemode(file.mode & 0o777)[1:]
    kind = _LETTERS.get(file.kind, "-")
    special = "".join(
        letter for bit, letter in ((0o4000, "u"), (0o2000, "g"), (0o1000, "t")) if file.mode & bit
    )
    head = (kind.replace("l", "L").replace("-", "") + special) or "-"
    return head + letters


def _content(test: Mapping[str, Any], image: Image, task: Task) -> Iterator[str]:
    path = test["path"]
    try:
        text = read_file(image, path, _CONTENT, task.reach).decode("utf-8", "replace")
    except ArtificerError as error:
        yield error.message
        return
    for field, wanted in (("expectedContents", True), ("excludedContents", False)):
        for pattern in test.get(field) or ():
            if _found(str(pattern), text) is not wanted:
                yield f"{path} {'lacks' if wanted else 'has'} {pattern!r}"


def _metadata(
    wanted: Mapping[str, Any], settings: Mapping[str, Any], file: Input
) -> Iterator[str]:
    known: dict[str, Callable[[Any], Iterator[str]]] = {
        "env": lambda rows: _pairs("env", rows, _env(settings)),
        "envVars": lambda rows: _pairs("env", rows, _env(settings)),
        "labels": lambda rows: _pairs("label", rows, settings.get("Labels") or {}),
        "exposedPorts": lambda ports: _ports(ports, settings, wanted=True),
        "unexposedPorts": lambda ports: _ports(ports, settings, wanted=False),
        "volumes": lambda paths: _volumes(paths, settings, wanted=True),
        "unmountedVolumes": lambda paths: _volumes(paths, settings, wanted=False),
        "entrypoint": lambda words: _same("entrypoint", words, settings.get("Entrypoint") or []),
        "cmd": lambda words: _same("cmd", words, settings.get("Cmd") or []),
        "workdir": lambda text: _same("workdir", text, settings.get("WorkingDir") or ""),
        "user": lambda text: _same("user", str(text), settings.get("User") or ""),
    }
    for field, value in wanted.items():
        check = known.get(field)
        if check is None:
            raise WrongConfig(
                f"{file.short}: unknown metadata {field}", hint=f"known are {', '.join(known)}"
            )
        yield from check(value)


def _env(settings: Mapping[str, Any]) -> dict[str, str]:
    return dict(str(line).partition("=")[::2] for line in settings.get("Env") or ())


def _pairs(what: str, rows: Any, found: Mapping[str, str]) -> Iterator[str]:
    for row in rows:
        key, value = str(row["key"]), str(row.get("value", ""))
        if key not in found:
            yield f"the {what} {key} is not set"
        elif row.get("isRegex"):
            if not _found(value, found[key]):
                yield f"the {what} {key} is {found[key]!r}, which {value!r} does not match"
        elif found[key] != value:
            yield f"the {what} {key} is {found[key]!r}, not {value!r}"


def _ports(ports: Any, settings: Mapping[str, Any], *, wanted: bool) -> Iterator[str]:
    exposed = settings.get("ExposedPorts") or {}
    for port in map(str, ports):
        there = port in exposed or ("/" not in port and f"{port}/tcp" in exposed)
        if there is not wanted:
            yield f"the port {port} is {'not ' if wanted else ''}exposed"


def _volumes(paths: Any, settings: Mapping[str, Any], *, wanted: bool) -> Iterator[str]:
    volumes = settings.get("Volumes") or {}
    for path in map(str, paths):
        if (path in volumes) is not wanted:
            yield f"{path} is {'no' if wanted else 'a'} volume"


def _same(what: str, wanted: Any, found: Any) -> Iterator[str]:
    if wanted != found:
        yield f"the {what} is {found!r}, not {wanted!r}"


def _found(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text, re.MULTILINE) is not None
    except re.error as error:
        raise WrongConfig(f"not a pattern: {pattern!r}: {error}") from error
