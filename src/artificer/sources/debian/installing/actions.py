"""The commands of an installation: maintainer scripts as dpkg calls them, and dpkg itself."""

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.sources.debian.deb import Package
from artificer.sources.debian.installing.database import FOLDER, INFO
from artificer.sources.debian.installing.installation import Action
from artificer.sources.debian.installing.unpack import Owner, owner_of

DPKG = "/usr/bin/dpkg"
_SCRATCH = f"/{FOLDER}/tmp.ci"  # noqa: S108 - dpkg has it there, in the root
# A script that is not in the root comes through standard input, with all of its control archive,
# for debconf looks beside it. The words are name, size and mode of each file, then the call.
_PRELUDE = f"""set -e
d={_SCRATCH}
rm -rf "$d"
mkdir -p "$d"
while [ "$1" != -- ]; do
  head -c "$2" > "$d/$1"
  chmod "$3" "$d/$1"
  shift 3
done
shift
script=$1
shift
code=0
"$d/$script" "$@" < /dev/null || code=$?
rm -rf "$d"
exit "$code"
"""
_FAILED = re.compile(rb"dpkg: error processing (?:package|archive) (\S+) \(--([a-z-]+)\):\n ?(.*)")
_SHOWN = 20
AFTER = "after"
"""What the commands of whoever installs packages are called among scripts."""


class ScriptFailed(ArtificerError):
    """A maintainer script, or dpkg, ended with an error."""


class Calls(NamedTuple):
    """How commands are called: the time that is told to them, and dpkg's version."""

    epoch: int
    dpkg: str

    def environment(
        self, package: Owner | None = None, script: str = ""
    ) -> tuple[tuple[str, str], ...]:
        """What a command finds in its environment; a script also what dpkg tells it."""
        names = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C",
            "DEBIAN_FRONTEND": "noninteractive",
            "DEBCONF_NONINTERACTIVE_SEEN": "true",
            "DPKG_COLORS": "never",
            "UCF_FORCE_CONFFOLD": "1",
            "SOURCE_DATE_EPOCH": str(self.epoch),
        }
        if package is not None:
            names |= {
                "DPKG_ADMINDIR": f"/{FOLDER}",
                "DPKG_ROOT": "",
                "DPKG_RUNNING_VERSION": self.dpkg,
                "DPKG_MAINTSCRIPT_PACKAGE": package.name,
                "DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT": "1",
                "DPKG_MAINTSCRIPT_ARCH": package.architecture,
                "DPKG_MAINTSCRIPT_NAME": script,
                "DPKG_MAINTSCRIPT_DEBUG": "0",
                "DEBCONF_PACKAGE": package.name,
            }
        return tuple(sorted(names.items()))

    def script(self, package: Owner, script: str, words: tuple[str, ...]) -> Action:
        """A script that dpkg's database in the root has."""
        path = f"/{INFO}/{package.key}.{script}"
        return self._action((path, *words), package, script)

    def new_script(self, package: Package, script: str, words: tuple[str, ...]) -> Action:
        """A script of a package that is not in the root yet."""
        owner = owner_of(package)
        files = [(file.name, file.mode & 0o777, file.data) for file in package.files]
        return self._brought(owner, files, (script, *words))

    def old_script(self, package: Owner, data: bytes, words: tuple[str, ...]) -> Action:
        """A script that is not in the root any more; the first of *words* is its name."""
        return self._brought(package, [(words[0], 0o755, data)], words)

    def dpkg_call(self, words: Iterable[str], purpose: str) -> Action:
        """A call of dpkg itself, which keeps configuration files that were changed."""
        argv = (DPKG, "--force-confold", "--force-confdef", "--force-unsafe-io", *words)
        name = next(word for word in argv if word in {"--configure", "--remove"})
        return Action(argv, self.environment(), "", name.removeprefix("--"), purpose)

    def _brought(
        self, package: Owner, files: list[tuple[str, int, bytes]], words: tuple[str, ...]
    ) -> Action:
        told = [text for name, mode, data in files for text in (name, str(len(data)), f"{mode:o}")]
        argv = ("/bin/sh", "-c", _PRELUDE, "sh", *told, "--", *words)
        action = self._action(words[1:], package, words[0])
        return action._replace(argv=argv, stdin=b"".join(data for _, _, data in files))

    def _action(self, argv: tuple[str, ...], package: Owner, script: str) -> Action:
        words = argv[1:] if argv and argv[0].startswith("/") else argv
        purpose = f"{script} of {package} ({' '.join(words)})"
        return Action(argv, self.environment(package, script), package.key, script, purpose)


def cleanup(script: str, epoch: int) -> Action:
    """The commands *script* for bash, run in /tmp until one fails, as install_pkgs does."""
    argv = ("/bin/bash", "-exc", f"cd /tmp\n{script}")
    environment = Calls(epoch, "").environment()
    return Action(argv, environment, "", AFTER, "a command after the installation")


def failure(
    action: Action, code: int, output: bytes, asking: Collection[str] = ()
) -> ScriptFailed:
    """Why *action* failed, by what it wrote: the package, its script, the end of its output.

    *asking* are packages that have questions for debconf.
    """
    found = _FAILED.findall(output)
    failed = {name.decode("utf-8", "replace"): None for name, _, _ in found}
    if found and not action.package:
        names = ", ".join(failed)
        said = found[0][2].decode("utf-8", "replace").strip()
        what = f"{names}: not configured: {said}"
    else:
        what = f"{action.purpose} ended with exit code {code}"
    lines = output.decode("utf-8", "replace").rstrip().splitlines()[-_SHOWN:]
    text = "".join(f"\n  {line}" for line in lines)
    if action.script == AFTER:
        return ScriptFailed(what + text, hint="no image was made; mend the commands")
    hint = "no image was made; do without the package, or take its files only (level `unpack`)"
    if any(name.partition(":")[0] in asking for name in (action.package, *failed)):
        hint += (
            ". It asks questions, which got their usual answers: others are in a base on which "
            "`debconf-set-selections` was run"
        )
    return ScriptFailed(what + text, hint=hint)
