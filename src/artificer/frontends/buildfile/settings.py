"""Configurations: which branch of a `select` is taken for a platform."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from artificer.errors import ArtificerError
from artificer.oci.platform import Platform

DEFAULT = "//conditions:default"

# Bazel's names of processors (old crosstools and @platforms//cpu) → those of images.
_CPUS: Mapping[str, tuple[str, ...]] = {
    "amd64": ("k8", "x86_64", "amd64", "x64"),
    "arm64": ("aarch64", "arm64", "armv8", "arm64v8", "arm64-v8a"),
    "arm": ("arm", "armv7", "armv7a", "armv6-m", "armhf", "armeabi-v7a", "armv7-a"),
    "386": ("x86_32", "i386", "386", "piii", "x86"),
    "ppc64le": ("ppc", "ppc64le"),
    "s390x": ("s390x",),
    "riscv64": ("riscv64",),
    "mips64le": ("mips64", "mips64le"),
}
_SYSTEMS: Mapping[str, tuple[str, ...]] = {
    "linux": ("linux",),
    "windows": ("windows", "x64_windows"),
    "darwin": ("macos", "osx", "darwin"),
    "freebsd": ("freebsd",),
}
# Packages of other repositories whose targets are conditions.
_CONDITIONS = (
    "@platforms//cpu",
    "@platforms//os",
    "@bazel_tools//platforms",
    "@bazel_tools//src/conditions",
    "@io_bazel_rules_go//go/platform",
    "@rules_go//go/platform",
)


class InvalidSelect(ArtificerError):
    """A `select` in which no branch, or more than one, is to be taken."""


class Configuration(NamedTuple):
    """What targets are made for. Only `platform` differs between targets of one build.

    With *first_pass* nothing is decided: a `select` takes any branch, for all that is wanted are
    the package's settings.
    """

    platform: Platform
    defines: Mapping[str, str] = {}
    compilation_mode: str = "fastbuild"
    stamp: bool = False
    flags: Mapping[str, str] = {}
    first_pass: bool = False

    @property
    def cpu(self) -> str:
        """The first of Bazel's names of the processor: ``k8``, ``aarch64``."""
        names = _CPUS.get(self.platform.architecture)
        return names[0] if names else self.platform.architecture


class Setting(NamedTuple):
    """A condition in a BUILD file: all of *wants* must hold, and any (or all) of *groups*.

    A want is (flag, value): ``("cpu", "arm64")``, ``("define", "a=b")``, ``("constraint",
    label)``, ``("flag //x:y", value)``. A *default* is that of a flag, which is no condition.
    """

    wants: tuple[tuple[str, str], ...] = ()
    match_all: tuple[str, ...] = ()
    match_any: tuple[str, ...] = ()
    default: str | None = None


def is_condition(label: str) -> bool:
    """Whether *label* is a condition that exists without a file."""
    return label == DEFAULT or label.rpartition(":")[0] in _CONDITIONS


def holds(want: tuple[str, str], configuration: Configuration) -> bool:
    """Whether *want* is the case."""
    flag, value = want
    if flag == "constraint":
        return _constraint(value, configuration.platform)
    if flag == "define":
        name, _, wanted = value.partition("=")
        return configuration.defines.get(name) == wanted
    actual = {
        "compilation_mode": configuration.compilation_mode,
        "stamp": "1" if configuration.stamp else "0",
    }
    if flag in {"cpu", "host_cpu"}:
        return _is_cpu(value, configuration.platform)
    if flag in actual:
        wanted = {"true": "1", "false": "0"}.get(value.lower(), value)
        return actual[flag] == wanted
    # Flags of compilers and the like, which nobody can set here, have no value.
    return configuration.flags.get(flag) == value


def _constraint(label: str, platform: Platform) -> bool:
    """Whether a label such as ``@platforms//cpu:arm64`` or ``…:linux_arm64`` is true.

    One that a project declares itself is not: no platform has it.
    """
    if not is_condition(label):
        return False
    name = label.rpartition(":")[2].removeprefix("host_")
    if _is_system(name, platform) or _is_cpu(name, platform):
        return True
    system, _, cpu = name.partition("_")
    return bool(cpu) and _is_system(system, platform) and _is_cpu(cpu, platform)


def _is_cpu(name: str, platform: Platform) -> bool:
    if platform.os == "darwin" and name.startswith("darwin_"):
        name = name.removeprefix("darwin_")
    return name in _CPUS.get(platform.architecture, (platform.architecture,))


def _is_system(name: str, platform: Platform) -> bool:
    return name in _SYSTEMS.get(platform.os, (platform.os,))


class Branch(NamedTuple):
    """A branch of a `select` that may be taken: which, and what it asks for."""

    number: int
    key: str
    wants: frozenset[tuple[str, str]]


def most_special(branches: Sequence[Branch]) -> Branch:
    """The one of *branches*, all of which hold, that asks for all that the others do."""
    for branch in branches:
        if all(branch.wants > other.wants for other in branches if other is not branch):
            return branch
    names = " and ".join(branch.key for branch in branches)
    raise InvalidSelect(
        f"several branches of a select hold: {names}",
        hint="one of them must ask for all that the others ask for, and more",
    )


def setting_of(attributes: Mapping[str, Any]) -> Setting:
    """The condition that a call of config_setting or config_setting_group declares."""
    values = attributes.get("values") or {}
    defines = attributes.get("define_values") or {}
    flags = attributes.get("flag_values") or {}
    constraints = attributes.get("constraint_values") or ()
    wants = [(str(name), str(value)) for name, value in values.items()]
    wants += [("define", f"{name}={value}") for name, value in defines.items()]
    wants += [(f"flag {name}", str(value)) for name, value in flags.items()]
    wants += [("constraint", str(name)) for name in constraints]
    match_all, match_any = attributes.get("match_all") or (), attributes.get("match_any") or ()
    return Setting(tuple(wants), tuple(match_all), tuple(match_any))
