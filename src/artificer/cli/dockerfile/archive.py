"""Contexts that come as archives: fetched, told from Dockerfiles, and unpacked."""

from collections.abc import Iterable, Iterator

from artificer import limits
from artificer.builder.staged.contexts import NoContext
from artificer.events import Note
from artificer.http.request import Request, redacted
from artificer.images.directory import Directory
from artificer.layers.archive import TAR_FORMATS
from artificer.layers.header import BadArchive
from artificer.layers.inflate import Bomb, Corrupt, plain
from artificer.layers.read import members
from artificer.layers.tape import StreamTape
from artificer.layers.whiteout import is_whiteout
from artificer.sources.url import Web

_MAGIC = slice(257, 262)
_OK = 200


def is_archive(head: bytes) -> bool:
    """Whether what begins with *head* is a tar, compressed or not."""
    return head[_MAGIC] == b"ustar" or any(form.begins(head) for form in TAR_FORMATS)


def download(url: str, web: Web) -> Iterator[bytes]:
    """Yield what is at *url* now."""
    web.report(Note(f"fetching {redacted(url)}"))
    size = 0
    with web.send(Request("GET", url)) as response:
        if response.status != _OK:
            raise NoContext(f"{redacted(url)}: answered {response.status}")
        for chunk in response.chunks():
            web.stop.check()
            size += len(chunk)
            if size > limits.DOWNLOAD_BYTES:
                raise NoContext(f"{redacted(url)}: longer than {limits.DOWNLOAD_BYTES} bytes")
            yield chunk


def unpack(chunks: Iterable[bytes], path: str, shown: str) -> None:
    """Write the files of an archive into the directory *path*, and nowhere else.

    Owners are not kept: files of a context belong to nobody.
    """
    directory = Directory(path, owners=False)
    try:
        for member in members(StreamTape(plain(chunks, TAR_FORMATS))):
            _check_name(member.entry.path)
            directory.add(member.entry, member.chunks())
    except (BadArchive, Bomb, Corrupt) as error:
        raise type(error)(f"{shown}: {error.message}", hint=error.hint) from error
    directory.finish()


def _check_name(path: str) -> None:
    if is_whiteout(path):
        raise BadArchive(f"a name that images cannot have: {path}")
