"""A package's turn in an installation: what it is, and what is there in its place."""

from typing import NamedTuple

from artificer.sources.debian.deb import Deb, Package
from artificer.sources.debian.installing.database import Database, Record
from artificer.sources.debian.installing.stanza import Conffile, control_fields, stanza
from artificer.sources.debian.installing.unpack import Owner, owner_of


class Turn(NamedTuple):
    """A package to install; *old* is what is installed in its place, or was and left something."""

    deb: Deb
    old: Record | None

    @property
    def package(self) -> Package:
        """What is installed."""
        return self.deb.package

    @property
    def owner(self) -> Owner:
        """The package as the owner of files."""
        return owner_of(self.package)

    @property
    def upgraded(self) -> Record | None:
        """What is there with its files, and not only what it left."""
        return self.old if self.old is not None and self.old.has_files else None


def turn_of(deb: Deb, known: Database) -> Turn:
    """The turn of *deb* on an image of which *known* is known."""
    new = owner_of(deb.package)
    exact = known.records.get((new.name, new.architecture))
    if exact is not None:
        return Turn(deb, exact)
    # Packages that can be there for several architectures are not one another's older versions.
    others = (record for record in known.records.values() if record.name == new.name)
    return Turn(deb, next((one for one in others if not (new.same and one.owner.same)), None))


def stanza_of(turn: Turn, conffiles: tuple[Conffile, ...], *, runs: bool) -> bytes:
    """What the status file says of *turn*: that it waits to be configured, if anything *runs*."""
    fields = control_fields(turn.package.control)
    if turn.old is not None and runs:
        fields["Config-Version"] = configured(turn.old)
    status = "install ok unpacked" if runs else "install ok installed"
    return stanza(fields, status, conffiles)


def configured(old: Record) -> str:
    """Which version of a package was configured last."""
    if old.status == "installed" or old.status.startswith("triggers-"):
        return old.fields.get("Version", "")
    return old.fields.get("Config-Version", "")


def left_of(record: Record, known: Database) -> dict[tuple[str, str], bytes]:
    """The stanza of what is removed: of a package that leaves nothing there is none."""
    if not record.conffiles and known.script(record.owner, "postrm") is None:
        return {}
    fields = control_fields(record.raw)
    fields["Config-Version"] = configured(record)
    wanted = "deinstall ok config-files"
    return {record.key: stanza(fields, wanted, record.conffiles)}
