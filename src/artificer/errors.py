"""What a person can act on: an error, a hint, and the exit code that scripts read."""


class ArtificerError(Exception):
    """A failure that is told as ``error: message`` and, where there is a way out, ``hint: hint``.

    *exit_code* is what the process ends with: 1 means that trying again unchanged is pointless.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Misused(ArtificerError):
    """The command line or an argument does not make sense."""

    exit_code = 2


class Unavailable(ArtificerError):
    """A registry or the network could not be reached, or answered with a server error."""

    exit_code = 69


class Transient(ArtificerError):
    """It broke in a way that trying again may mend."""

    exit_code = 75


class Unauthorized(ArtificerError):
    """The registry did not accept who we are, or what we may do."""

    exit_code = 77


class Cancelled(ArtificerError):
    """Somebody asked to stop."""

    exit_code = 130

    def __init__(self, message: str = "cancelled", *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)


def reason(error: OSError) -> str:
    """What the system says of *error*, as messages say it: in lower case."""
    return (error.strerror or str(error)).lower()
