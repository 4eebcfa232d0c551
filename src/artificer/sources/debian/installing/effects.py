"""What maintainer scripts would have done, had without them: the table of what has each effect."""

from collections.abc import Callable, Sequence

from artificer.sources.debian.equivalents import accounts, alternatives, changes, runlevels, units
from artificer.sources.debian.equivalents.certificates import ca_certificates
from artificer.sources.debian.equivalents.files import Files
from artificer.sources.debian.equivalents.java import java_certificates, java_program
from artificer.sources.debian.equivalents.ldconfig import ldconfig
from artificer.sources.debian.equivalents.locales import locale_list
from artificer.sources.debian.equivalents.pam import pam_auth_update
from artificer.sources.debian.equivalents.php import php_modules
from artificer.sources.debian.equivalents.postgresql import postgresql_manuals
from artificer.sources.debian.equivalents.shells import add_shells, update_shells
from artificer.sources.debian.equivalents.sysusers import sysusers
from artificer.sources.debian.equivalents.ucf import ucf, ucfr
from artificer.sources.debian.installing.commands import Effect

EQUIVALENTS: dict[str, Callable[[Files, Sequence[str]], None]] = {
    "add-shell": add_shells,
    "alternative": alternatives.alternative,
    "architecture": changes.native_architecture,
    "ca-certificates": ca_certificates,
    "compiled": changes.compiled,
    "copy": changes.copy,
    "directory": changes.directory,
    "divert": changes.diverted,
    "file": changes.text,
    "group": accounts.group,
    "java-certificates": java_certificates,
    "java-program": java_program,
    "ldconfig": ldconfig,
    "link": changes.link,
    "link-instead": changes.link_instead,
    "locales": locale_list,
    "member": accounts.member,
    "merged-usr": changes.merged_usr,
    "mode": changes.mode,
    "net-raw": changes.network_capability,
    "override": changes.overridden,
    "owner": changes.owner,
    "pam": pam_auth_update,
    "php-modules": php_modules,
    "postgresql-manuals": postgresql_manuals,
    "remove": changes.remove,
    "runlevels": runlevels.runlevels,
    "shadow": accounts.shadowed,
    "shells": update_shells,
    "sysusers": sysusers,
    "text": changes.text,
    "ucf": ucf,
    "ucfr": ucfr,
    "unit": units.unit_enabled,
    "unit-noted": units.unit_noted,
    "user": accounts.user,
}
"""By the kinds of effects: what has one."""

_IN_THE_END = ("ldconfig", "ca-certificates", "java-certificates")
"""What triggers do, once for all packages."""


def replaced(effects: Sequence[Effect], files: Files) -> None:
    """Let *files* be as they are once *effects* have been had, in their order."""
    late = [kind for kind in _IN_THE_END if any(effect[0] == kind for effect in effects)]
    for effect in effects:
        if effect[0] not in _IN_THE_END:
            EQUIVALENTS[effect[0]](files, effect[1:])
    for kind in late:
        EQUIVALENTS[kind](files, ())
