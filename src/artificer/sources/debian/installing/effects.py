"""What maintainer scripts would have done, had without them: entries from effects. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer.layers.entry import DIRECTORY, FILE, HARDLINK, SYMLINK, Entry
from artificer.sources.debian.installing.accounts import Accounts
from artificer.sources.debian.installing.alternatives import Alternative, alternatives
from artificer.sources.debian.installing.database import file_entry
from artificer.sources.debian.installing.scripts import Effect

BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_CERTIFICATES = "usr/share/ca-certificates/"
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


class Files(NamedTuple):
    """The files that effects meet: *entries* that are put there, and what the base has.

    *read* gives the bytes of a path of either, *real* says where a path is, *there* whether
    anything is at a real path.
    """

    entries: Mapping[str, Entry]
    read: Callable[[str], bytes]
    real: Callable[[str], str]
    there: Callable[[str], bool]


def replaced(effects: Sequence[Effect], files: Files, mtime: int) -> list[Entry]:
    """The entries that are new or other once *effects* have been had, in no order.

    ``ldconfig`` is none: links to libraries ship in packages, and without its cache the loader
    looks into the usual directories itself.
    """
    return _Having(files, mtime).all(effects)


class _Having:
    def __init__(self, files: Files, mtime: int) -> None:
        self._files = files
        self._mtime = mtime
        self._new: dict[str, Entry] = {}
        self._accounts = Accounts(self._text)
        self._alternatives: list[Alternative] = []

    def all(self, effects: Sequence[Effect]) -> list[Entry]:
        # Accounts first: owners are named by them.
        for effect in sorted(effects, key=lambda one: one[0] not in _ACCOUNTS):
            self._have(effect)
        made = alternatives(self._alternatives, self._exists, self._files.real, self._mtime)
        self._new.update({entry.path: entry for entry in made})
        for path, text, mode, group in self._accounts.files():
            data = text.encode("utf-8", "surrogateescape")
            entry = file_entry(path, data, self._mtime, mode)._replace(gid=group)
            self._new[path] = entry
        return list(self._new.values())

    def _have(self, effect: Effect) -> None:
        kind, words = effect[0], effect[1:]
        match kind:
            case "user":
                self._accounts.add_user(*words)
            case "group":
                self._accounts.add_group(*words)
            case "member":
                self._accounts.add_member(*words)
            case "shadow":
                self._accounts.shadowed = True
            case "alternative":
                self._alternatives.append(Alternative.of(words))
            case "ca-certificates":
                self._certificates()
            case "ldconfig":
                pass
            case _:
                self._have_file(kind, words)

    def _have_file(self, kind: str, words: Sequence[str]) -> None:
        path = self._files.real(words[0].strip("/"))
        if kind == "owner":
            self._change(path, *self._accounts.numbers(words[1], words[2]))
        elif kind == "mode":
            self._change(path, mode=int(words[1], 8))
        elif not self._exists(path):
            self._make(kind, path, words)

    def _make(self, kind: str, path: str, words: Sequence[str]) -> None:
        if kind == "directory":
            self._directory(path, words)
        elif kind == "link":
            link = Entry(path, SYMLINK, 0o777, 0, 0, 0, self._mtime, words[1], None)
            self._new[path] = link
        elif kind in {"file", "text"}:
            self._new[path] = file_entry(path, "".join(words[1:]).encode(), self._mtime)
        elif kind == "copy":
            self._copy(path, self._files.real(words[1].strip("/")))

    def _directory(self, path: str, words: Sequence[str]) -> None:
        mode = int(words[1], 8) if len(words) > 1 else 0o755
        names = (words[2], words[3]) if len(words) > 3 else ("root", "root")
        uid, gid = self._accounts.numbers(*names)
        made = Entry(path, DIRECTORY, mode, uid or 0, gid or 0, 0, self._mtime, "", None)
        self._new[path] = made

    def _copy(self, path: str, source: str) -> None:
        first = self._new.get(source) or self._files.entries.get(source)
        if first is not None and first.kind in {FILE, HARDLINK}:
            data = self._files.read(source)
            self._new[path] = file_entry(path, data, self._mtime, first.mode)

    def _change(
        self, path: str, uid: int | None = None, gid: int | None = None, *, mode: int | None = None
    ) -> None:
        old = self._new.get(path) or self._files.entries.get(path)
        if old is None or old.kind not in {FILE, DIRECTORY}:
            return
        self._new[path] = old._replace(
            uid=old.uid if uid is None else uid,
            gid=old.gid if gid is None else gid,
            mode=old.mode if mode is None else mode,
        )

    def _certificates(self) -> None:
        """The bundle of all authorities that packages ship, and a link for each of them."""
        paths = sorted(
            path
            for path, entry in self._files.entries.items()
            if path.startswith(_CERTIFICATES) and path.endswith(".crt") and entry.kind == FILE
        )
        bundle = b""
        for path in paths:
            bundle += b"".join(_certificates_of(self._files.read(path)))
            name = path.rpartition("/")[2].removesuffix(".crt").replace(" ", "_")
            link = f"etc/ssl/certs/{name}.pem"
            entry = Entry(link, SYMLINK, 0o777, 0, 0, 0, self._mtime, f"/{path}", None)
            self._new[link] = entry
        self._new[BUNDLE] = file_entry(BUNDLE, bundle, self._mtime)

    def _exists(self, path: str) -> bool:
        return path in self._new or path in self._files.entries or self._files.there(path)

    def _text(self, path: str) -> str | None:
        if path not in self._files.entries and not self._files.there(path):
            return None
        return self._files.read(path).decode("utf-8", "surrogateescape")


def _certificates_of(data: bytes) -> Iterator[bytes]:
    for part in data.split(_BEGIN)[1:]:
        body, end, _ = part.partition(_END)
        if end:
            yield _BEGIN + body + end + b"\n"


_ACCOUNTS = frozenset(("user", "group", "member", "shadow"))
