"""One endpoint, and how to speak to it: the ground on which the operations stand."""

import re
from typing import NamedTuple
from urllib.parse import urlencode

from artificer.errors import ArtificerError
from artificer.events import Report, Warned
from artificer.http.redirect import check_hop
from artificer.http.request import Request, Response, authority, joined
from artificer.registry.auth import Access, Authorized, same_place
from artificer.registry.problems import answer_of, problem
from artificer.registry.routes import Endpoint

_WARNING = re.compile(r'299 - "((?:[^"\\]|\\.)*)"')
_SHOWN = 300


class Link(NamedTuple):
    """A registry's endpoint, spoken to as somebody; what it warns of is reported."""

    auth: Authorized
    endpoint: Endpoint
    report: Report

    def url(self, path: str, **query: str) -> str:
        """The URL of *path* below the repository."""
        words = "?" + urlencode(query) if query else ""
        return f"{self.endpoint.base}/v2/{self.endpoint.repository.path}/{path}{words}"

    def send(self, request: Request, access: Access) -> Response:
        """Send *request*; every status is an answer."""
        response = self.auth(request, access)
        for warning in response.headers.all("warning"):
            if match := _WARNING.match(warning):
                text = "".join(c for c in match[1][:_SHOWN] if c.isprintable())
                self.report(Warned(f"{self.endpoint.repository.registry}: {text}"))
        return response

    def problem(self, doing: str, response: Response, *, pushing: bool = False) -> ArtificerError:
        """The error that *response* is, got while *doing* something; closes it."""
        found = self.auth.found(self.endpoint.repository)
        answer = answer_of(response)
        return problem(doing, self.endpoint.repository, answer, found, pushing=pushing)

    def location(self, response: Response, asked: str) -> str:
        """Where *response* to the URL *asked* says to go on; the same URL when it does not say.

        A registry behind a proxy that ends TLS often calls itself http: when only the scheme
        differs, ours is the right one (and credentials may follow).
        """
        found = response.headers.get("location")
        if not found:
            return asked
        url = joined(asked, found)
        there, here = authority(url), authority(asked)
        if here.scheme == "https" and there.scheme == "http" and same_place(there, here):
            path = url.partition("://")[2].partition("/")[2]
            return f"{here.scheme}://{here.netloc}/{path}"
        check_hop(here, there)
        return url
