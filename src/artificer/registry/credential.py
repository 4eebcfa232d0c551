"""What proves who we are to a registry, and where it was found."""

from collections.abc import Callable
from typing import NamedTuple

from artificer.errors import ArtificerError
from artificer.oci.reference import Repository


class Basic(NamedTuple):
    """A user name and a password, for a registry or for its token service."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Basic({self.username!r}, …)"


class IdentityToken(NamedTuple):
    """A refresh token: only a token service takes it, and gives bearer tokens for it."""

    token: str
    username: str = ""

    def __repr__(self) -> str:
        return f"IdentityToken(…, {self.username!r})"


class Bearer(NamedTuple):
    """A token that goes to the registry as it is."""

    token: str

    def __repr__(self) -> str:
        return "Bearer(…)"


class Anonymous(NamedTuple):
    """Nobody in particular. False where a condition asks for a credential."""

    def __repr__(self) -> str:
        return "ANONYMOUS"


ANONYMOUS = Anonymous()

Credential = Basic | IdentityToken | Bearer | Anonymous


class Found(NamedTuple):
    """A credential, and for people where it is from, or why there is none."""

    credential: Credential
    source: str
    """Readable: ``~/.docker/config.json (auths["ghcr.io"])``, ``docker-credential-gcloud``."""
    problem: str = ""
    """What went wrong on the way: told only when the registry then says 401."""
    searched: tuple[str, ...] = ()
    """Where was looked, in order, each with what was there."""
    headers: tuple[tuple[str, str], ...] = ()
    """``HttpHeaders`` of the files searched: added to requests to this registry, to no other."""

    def __repr__(self) -> str:
        names = ", ".join(name for name, _ in self.headers)
        return (
            f"Found({self.credential!r}, {self.source!r}, problem={self.problem!r}, "
            f"searched={self.searched!r}, headers=[{names}])"
        )


Keychain = Callable[[Repository], Found]


class CredentialProblem(ArtificerError):
    """A helper or a cloud was asked and failed: no reason to stop before a registry says 401."""
