"""Note in the table of maintainer scripts those of packages whose effect a person has judged.

    python -m tools.debian_scripts DEB...

Scripts whose effect can be told by reading them are not in it, unless something is to be added.
"""

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from artificer.sources.debian.deb import read_package
from artificer.sources.debian.installing.scripts import known
from tools.debian_judged import ALONE, JUDGED, PHP, PHP_SERVERS, UPGRADES, WITHOUT, Effects

TABLE = Path(__file__).parents[1] / "src/artificer/sources/debian/installing/scripts.json"


def told_of(package: str, script: str, data: bytes) -> Effects | None:
    """What a script comes to that is written by a template for several packages."""
    return (
        java_of(package, data)
        if script == "postinst" and b"java" in data
        else (php_of(package, script, data))
    )


def java_of(package: str, data: bytes) -> Effects | None:
    """What a package of OpenJDK makes: alternatives, some with manuals."""
    tools = re.search(rb"(?m)^j(?:re|dk_hl)_tools='([a-z ]+)'$", data)
    place = re.search(rb"(?m)^basedir=(\S+)$", data)
    priority = re.search(rb"(?m)^priority=([0-9]+)$", data)
    if not (tools and place and priority and re.fullmatch("openjdk-[0-9]+-j.*-headless", package)):
        return None
    folder, number = place[1].decode(), priority[1].decode()
    programs: list[Sequence[str]] = [
        [
            *("java-program", f"/usr/bin/{name}", name, f"{folder}/bin/{name}", number),
            *(
                f"/usr/share/man/man1/{name}.1.gz",
                f"{name}.1.gz",
                f"{folder}/man/man1/{name}.1.gz",
            ),
        ]
        for name in tools[1].decode().split()
    ]
    jars = [
        *("alternative", "/usr/bin/jexec", "jexec", f"{folder}/lib/jexec", number),
        *("/usr/share/binfmts/jar", "jexec-binfmt", f"{folder}/lib/jar.binfmt"),
    ]
    return [*programs, *([jars] if b"jexec" in data else [])]


def php_of(package: str, script: str, data: bytes) -> Effects | None:
    """What a script of a package of PHP's comes to, where it is one of a few templates."""
    match = re.fullmatch(r"php([0-9.]+)-(.+)", package)
    if match is None:
        return None
    version, name = match.groups()
    text = data.decode()
    if script == "preinst":
        outer = set(re.findall(r"(?m)^[^\s#].*|^#!.*", text))
        return [] if outer <= UPGRADES else None
    modules = re.search(r"for dsoname in ([a-z0-9_ ]+); do", text)
    source = re.search(r"ucf (\S+)/\$\{inifile\} \$\{inidir\}/\$\{inifile\}", text)
    if modules and source:
        folder = f"/etc/php/{version}/mods-available"
        files = [f"{one}.ini" for one in modules[1].split()]
        copies = [(f"{source[1]}/{one}", f"{folder}/{one}") for one in files]
        return php_settings(package, version, copies)
    if f'phpini="/etc/php/{version}/{name}/php.ini"' not in text:
        return None
    kind = ".cli" if name == "cli" else ""
    settings = f"/usr/lib/php/{version}/php.ini-production{kind}"
    copies = [(settings, f"/etc/php/{version}/{name}/php.ini")]
    found = php_settings(package, version, copies)
    return [*found, *(PHP_SERVERS.get(name, ()) if version == PHP else ())]


def php_settings(
    package: str, version: str, copies: Sequence[tuple[str, str]]
) -> list[Sequence[str]]:
    """Settings that are copied, and then all modules enabled."""
    steps = [step for a, b in copies for step in (["ucf", a, b], ["ucfr", package, b])]
    return [*steps, ["php-modules", version]]


def main(paths: Sequence[str]) -> None:
    """Note what is judged of the packages at *paths*; what the table has of others stays."""
    table: dict[str, dict[str, Any]] = json.loads(TABLE.read_text())
    for path in paths:
        package = read_package(path)
        for script, data in package.scripts:
            name = f"{package.name}/{script}"
            effects = JUDGED.get(name, told_of(package.name, script, data))
            noted = effects or name in ALONE or known(data).unknown
            if effects is not None and noted:
                digest = hashlib.sha256(data).hexdigest()
                called = f"{package.name} {package.version} {script}"
                row = table.setdefault(digest, {"script": called})
                row["effects"] = [list(effect) for effect in effects]
                if name in ALONE:
                    row["alone"] = True
                if name in WITHOUT:
                    row["without"] = WITHOUT[name]
    rows = sorted(table.items(), key=lambda row: str(row[1]))
    TABLE.write_text(json.dumps(dict(rows), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
