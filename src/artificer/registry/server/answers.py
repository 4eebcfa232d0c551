"""What the registry answers: a status, headers, and bytes or a piece of a file."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from artificer.oci.document import dump


class Span(NamedTuple):
    """*size* bytes of the file *path* from *offset* on."""

    path: str
    offset: int
    size: int


Headers = tuple[tuple[str, str], ...]


class Answer(NamedTuple):
    """A whole response; to a HEAD, everything but the body is sent."""

    status: int
    headers: Headers = ()
    body: bytes | Span = b""

    @property
    def size(self) -> int:
        """How many bytes the body has."""
        return self.body.size if isinstance(self.body, Span) else len(self.body)

    def also(self, *headers: tuple[str, str]) -> "Answer":
        """The same answer with more headers."""
        return self._replace(headers=self.headers + headers)


class Problem(Exception):
    """A request that is refused, with the code that the specification has for the reason."""

    def __init__(
        self, status: int, code: str, message: str, *, details: Sequence[Mapping[str, str]] = ({},)
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details
        self.headers: Headers = ()

    def with_headers(self, *headers: tuple[str, str]) -> "Problem":
        """The same problem, told with *headers*."""
        self.headers += headers
        return self

    @property
    def answer(self) -> Answer:
        """The problem as the specification wants it told: one error for each detail."""
        errors = [
            {"code": self.code, "message": str(self), "detail": dict(detail)}
            for detail in self.details
        ]
        return json_answer(self.status, {"errors": errors}).also(*self.headers)


def json_answer(status: int, document: Any, content_type: str = "application/json") -> Answer:
    """An answer that is one JSON document."""
    return Answer(status, (("Content-Type", content_type),), dump(document))
