"""OpenPGP as archives use it (RFC 9580): armour, cleartext, packets, keys and signatures."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from artificer import limits
from artificer.errors import ArtificerError

PUBLIC_KEY, SIGNATURE, USER_ID, SUBKEY = 6, 2, 13, 14

_CLEARTEXT = b"-----BEGIN PGP SIGNED MESSAGE-----"
_BEGIN_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_END_SIGNATURE = b"-----END PGP SIGNATURE-----"
_BEGIN = re.compile(rb"-----BEGIN PGP ([A-Z ]+)-----")
_KEYBOX = b"KBXf"
_VERSION = 4
_USER_ATTRIBUTE = 17
_OF_KEYS = frozenset((PUBLIC_KEY, SIGNATURE, USER_ID, SUBKEY, _USER_ATTRIBUTE))


class NotOpenPgp(ArtificerError):
    """Data is no keyring, no signature, or no signed text."""


class Cleartext(NamedTuple):
    """*text* as it was signed, but for the ends of its lines, and its *signature*."""

    text: bytes
    signature: bytes


class PublicKey(NamedTuple):
    """A key's packet; what an algorithm needs is in *material*. *created* is in seconds."""

    body: bytes
    created: int
    algorithm: int
    material: bytes

    @property
    def fingerprint(self) -> str:
        """RFC 9580 §5.5.4.2: of the key as it is hashed, 40 hexadecimal digits."""
        return hashlib.sha1(self.framed, usedforsecurity=False).hexdigest().upper()

    @property
    def framed(self) -> bytes:
        """The key as signatures hash it."""
        return b"\x99" + len(self.body).to_bytes(2) + self.body


class Signature(NamedTuple):
    """A version 4 signature; *head* is what it adds to what is hashed, *left* starts the hash.

    *hashed* has the subpackets that are signed, *unhashed* the others; *critical* are the types of
    those which nobody may ignore.
    """

    kind: int
    algorithm: int
    hash: int
    head: bytes
    hashed: Mapping[int, bytes]
    unhashed: Mapping[int, bytes]
    critical: frozenset[int]
    left: bytes
    numbers: bytes

    @property
    def created(self) -> int:
        """When it was made; 0 if it does not say, which no valid one does."""
        return int.from_bytes(self.hashed.get(2, b""))

    @property
    def issuer(self) -> str:
        """The fingerprint of the key that made it, or the last 16 digits of it, or nothing."""
        for subpackets in (self.hashed, self.unhashed):
            if subpackets.get(33, b"")[:1] == b"\4":
                return subpackets[33][1:].hex().upper()
        return (self.hashed.get(16) or self.unhashed.get(16, b"")).hex().upper()

    @property
    def trailer(self) -> bytes:
        """What is hashed after the subject."""
        return self.head + b"\4\xff" + len(self.head).to_bytes(4)

    def life_of(self, key: "PublicKey") -> int | None:
        """When *key* ends if this is what is said of it; None for never."""
        life = int.from_bytes(self.hashed.get(9, b""))
        return key.created + life if life else None


class Bound(NamedTuple):
    """A subkey with the signatures that bind or revoke it."""

    key: PublicKey
    signatures: tuple[Signature, ...]


class Certificate(NamedTuple):
    """A primary key and all that is said of it; *names* are hashed with their signatures."""

    key: PublicKey
    direct: tuple[Signature, ...]
    names: tuple[tuple[bytes, tuple[Signature, ...]], ...]
    subkeys: tuple[Bound, ...]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Of the primary key, then of its subkeys."""
        return (self.key.fingerprint, *(bound.key.fingerprint for bound in self.subkeys))

    @property
    def ends(self) -> int | None:
        """When the primary key says that it ends; nobody has verified that it does."""
        said = [*self.direct, *(made for _, signatures in self.names for made in signatures)]
        own = [made for made in said if self.key.fingerprint.endswith(made.issuer or "-")]
        newest = max(own, key=lambda made: made.created, default=None)
        return None if newest is None else newest.life_of(self.key)


def cleartext(data: bytes, what: str) -> Cleartext:
    """Take the cleartext framework (RFC 9580 §7) apart: nothing may stand before or after it.

    The text is what was signed, so nobody can read something else than was verified.
    """
    lines = data.replace(b"\r\n", b"\n").rstrip(b"\n \t").split(b"\n")
    if lines[0].rstrip() != _CLEARTEXT:
        raise NotOpenPgp(f"{what} is not a signed text: it begins with {lines[0][:40]!r}")
    try:
        start = lines.index(b"") + 1
        end = lines.index(_BEGIN_SIGNATURE, start)
    except ValueError as error:
        raise NotOpenPgp(f"{what} is cut short: its signature is missing") from error
    if any(not line.startswith(b"Hash: ") for line in lines[1 : start - 1]):
        raise NotOpenPgp(f"{what} has a header that is none of a signed text")
    if lines[-1].rstrip() != _END_SIGNATURE or _END_SIGNATURE in lines[end:-1]:
        raise NotOpenPgp(f"{what}: something follows its signature, or that is cut short")
    text = b"\n".join(_unescaped(line, what) for line in lines[start:end])
    return Cleartext(text, dearmoured(b"\n".join(lines[end:]), what))


def dearmoured(data: bytes, what: str) -> bytes:
    """The packets of *data*, which is binary, or blocks of text one after the other.

    The sums that end a block are not asked: RFC 9580 §6.1 has it so, signatures protect the rest.
    """
    if not data or data[0] & 0x80:
        return data
    blocks = list(_blocks(data))
    if data[8:12] == _KEYBOX:
        raise NotOpenPgp(
            f"{what} is a keybox of GnuPG, which archives are not verified with",
            hint="make a keyring of it: `gpg --no-default-keyring --keyring FILE --export`",
        )
    if not blocks:
        raise NotOpenPgp(
            f"{what} is neither OpenPGP packets nor their text",
            hint="`gpg --export` writes a keyring, archives have theirs as .gpg or .asc",
        )
    return b"".join(_block(lines, what) for lines in blocks)


def armoured(data: bytes) -> str:
    """The packets of a keyring as text, as Signed-By of a stanza takes them."""
    text = base64.b64encode(data).decode("ascii")
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{lines}\n-----END PGP PUBLIC KEY BLOCK-----\n"


def certificates(data: bytes, what: str) -> list[Certificate]:
    """The version 4 keys of a keyring, with what is said of them; others are left out."""
    found: list[Certificate] = []
    known = False
    for tag, body in packets(dearmoured(data, what), what):
        if tag == PUBLIC_KEY:
            key = _public_key(body)
            known = key is not None
            if key is not None:
                found.append(Certificate(key, (), (), ()))
        elif known:
            found[-1] = _having(found[-1], tag, body)
    return found


def only(data: bytes, fingerprints: Sequence[str], what: str) -> bytes:
    """Of the keyring *data* what has one of *fingerprints*: a key's own or a subkey's.

    A fingerprint with a ``!`` leaves no other subkey of its key, as in sources.list(5).
    """
    wanted = {word.removesuffix("!").upper().removeprefix("0X") for word in fingerprints}
    exact = {word[:-1].upper() for word in fingerprints if word.endswith("!")}
    kept: list[bytes] = []
    for group in _grouped(dearmoured(data, what), what):
        keys = [_fingerprint(body) for tag, body in group if tag in {PUBLIC_KEY, SUBKEY}]
        if not wanted.intersection(keys):
            continue
        taken = True
        for tag, body in group:
            if tag == SUBKEY:
                taken = not exact.intersection(keys) or _fingerprint(body) in exact
            if taken:
                kept.append(_packet(tag, body))
    return b"".join(kept)


def understood(data: bytes, what: str) -> bytes:
    """The version 4 keys of the keyring *data* with what is said of them, and nothing else.

    Of other versions, and of what is no key, programs that verify think differently.
    """
    return b"".join(
        _packet(tag, body)
        for group in _grouped(dearmoured(data, what), what)
        if _fingerprint(group[0][1])
        for tag, body in group
        if tag in _OF_KEYS
    )


def signatures(data: bytes, what: str) -> list[tuple[Signature, bytes]]:
    """The version 4 signatures of a detached signature, each with the packet that it is."""
    found = [
        (signature_of(body), _packet(tag, body))
        for tag, body in packets(dearmoured(data, what), what)
        if tag == SIGNATURE
    ]
    if len(found) > limits.SIGNATURES:
        raise NotOpenPgp(f"{what} has {len(found)} signatures; {limits.SIGNATURES} is the limit")
    return [(one, packet) for one, packet in found if one is not None]


def _packet(tag: int, body: bytes) -> bytes:
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4) + body


def signature_of(body: bytes) -> Signature | None:
    """A signature packet; None for other versions, and for what contradicts itself."""
    if len(body) < 10 or body[0] != _VERSION:
        return None
    size = int.from_bytes(body[4:6])
    hashed, critical = _subpackets(body[6 : 6 + size])
    at = 6 + size
    more = int.from_bytes(body[at : at + 2])
    unhashed, _ = _subpackets(body[at + 2 : at + 2 + more])
    rest = body[at + 2 + more :]
    if hashed is None or unhashed is None or len(rest) < 4:
        return None
    return Signature(
        body[1], body[2], body[3], body[:at], hashed, unhashed, critical, rest[:2], rest[2:]
    )


def packets(data: bytes, what: str) -> Iterator[tuple[int, bytes]]:
    """Yield tag and body of each packet (RFC 9580 §4.2)."""
    at, count = 0, 0
    while at < len(data):
        count += 1
        tag, at, size = _header(data, at, what)
        if count > limits.KEYRING_PACKETS or at + size > len(data):
            raise NotOpenPgp(f"{what} is damaged or cut short: packet {count}")
        yield tag, data[at : at + size]
        at += size


def _grouped(data: bytes, what: str) -> Iterator[list[tuple[int, bytes]]]:
    """Yield the packets of each certificate."""
    group: list[tuple[int, bytes]] = []
    for tag, body in packets(data, what):
        if tag == PUBLIC_KEY and group:
            yield group
            group = []
        if group or tag == PUBLIC_KEY:
            group.append((tag, body))
    if group:
        yield group


def _fingerprint(body: bytes) -> str:
    key = _public_key(body)
    return "" if key is None else key.fingerprint


def _header(data: bytes, at: int, what: str) -> tuple[int, int, int]:
    """Tag, start and size of the body of the packet at *at*."""
    first = data[at]
    head = data[at + 1 : at + 6].ljust(5, b"\0")
    if not first & 0x80:
        raise NotOpenPgp(f"{what} is damaged: no packet at byte {at}")
    if not first & 0x40:
        kind = first & 3
        if kind == 3:
            return (first >> 2) & 15, at + 1, len(data) - at - 1
        width = 1 << kind
        return (first >> 2) & 15, at + 1 + width, int.from_bytes(head[:width])
    width, size = _length(head, what)
    return first & 63, at + 1 + width, size


def _length(head: bytes, what: str) -> tuple[int, int]:
    """How many bytes a length of the new format takes, and what it is."""
    if head[0] < 192:
        return 1, head[0]
    if head[0] < 224:
        return 2, ((head[0] - 192) << 8) + head[1] + 192
    if head[0] == 255:
        return 5, int.from_bytes(head[1:5])
    raise NotOpenPgp(f"{what} has a packet in parts, which keys and signatures never are")


def _subpackets(data: bytes) -> tuple[dict[int, bytes] | None, frozenset[int]]:
    found: dict[int, bytes] = {}
    critical: set[int] = set()
    at = 0
    while at < len(data):
        head = data[at : at + 5].ljust(5, b"\0")
        if head[0] < 192:
            width, size = 1, head[0]
        elif head[0] < 255:
            width, size = 2, ((head[0] - 192) << 8) + head[1] + 192
        else:
            width, size = 5, int.from_bytes(head[1:5])
        at += width
        if not size or at + size > len(data):
            return None, frozenset()
        kind = data[at] & 0x7F
        if data[at] & 0x80:
            critical.add(kind)
        found[kind] = data[at + 1 : at + size]
        at += size
    return found, frozenset(critical)


def _public_key(body: bytes) -> PublicKey | None:
    if len(body) < 7 or body[0] != _VERSION or len(body) > 0xFFFF:
        return None
    return PublicKey(body, int.from_bytes(body[1:5]), body[5], body[6:])


def _having(certificate: Certificate, tag: int, body: bytes) -> Certificate:
    """*certificate* with the packet that follows it."""
    if tag == USER_ID:
        name = b"\xb4" + len(body).to_bytes(4) + body
        return certificate._replace(names=(*certificate.names, (name, ())))
    if tag == SUBKEY:
        key = _public_key(body)
        bound = () if key is None else (Bound(key, ()),)
        return certificate._replace(subkeys=(*certificate.subkeys, *bound))
    signature = signature_of(body) if tag == SIGNATURE else None
    if signature is None:
        return certificate
    if certificate.subkeys:
        *others, last = certificate.subkeys
        last = last._replace(signatures=(*last.signatures, signature))
        return certificate._replace(subkeys=(*others, last))
    if certificate.names:
        *before, (name, made) = certificate.names
        return certificate._replace(names=(*before, (name, (*made, signature))))
    return certificate._replace(direct=(*certificate.direct, signature))


def _blocks(data: bytes) -> Iterator[list[bytes]]:
    """Yield the lines of each block; a line is looked at once, for anybody may have written it."""
    end = b""
    lines: list[bytes] = []
    for line in map(bytes.strip, data.split(b"\n")):
        begin = _BEGIN.fullmatch(line)
        if begin is not None:
            end, lines = b"-----END PGP " + begin[1] + b"-----", []
        elif end and line == end:
            yield lines
            end = b""
        elif end:
            lines.append(line)


def _block(lines: Sequence[bytes], what: str) -> bytes:
    start = next((at + 1 for at, line in enumerate(lines) if not line), 0)
    text = b"".join(line for line in lines[start:] if not line.startswith(b"="))
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error) as error:
        raise NotOpenPgp(f"{what} is damaged: it is not base64") from error


def _unescaped(line: bytes, what: str) -> bytes:
    if line.startswith(b"-"):
        if not line.startswith(b"- "):
            raise NotOpenPgp(f"{what} has a line that is not escaped: {line[:40]!r}")
        line = line[2:]
    return line.rstrip(b" \t\r")
