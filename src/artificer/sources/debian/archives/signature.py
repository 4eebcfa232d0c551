"""Who signed an archive's Release file: verified by gpgv or sqv where they are, else in Python."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from artificer import limits
from artificer.errors import ArtificerError, reason
from artificer.sources.debian.archives import openpgp_verify
from artificer.sources.debian.archives.openpgp import (
    Certificate,
    NotOpenPgp,
    Signature,
    certificates,
    dearmoured,
    only,
    signatures,
    understood,
)

Verifier = Literal["gpgv", "sqv", "python"]
"""What verifies: programs of the machine, or this one with the extra ``openpgp``."""

_SHOWN = 3
_SECONDS = 60
_LEEWAY = 86400
_FINGERPRINT = frozenset("0123456789abcdefABCDEF!")
# RFC 9580 §9.5: MD5, SHA-1, RIPEMD-160.
_WEAK = frozenset(("1", "2", "3"))
# What sqv calls a signature that is of something else.
_WRONG = re.compile("manipulated|bad signature|invalid signature", re.IGNORECASE)
_PROBLEMS = ("BADSIG", "REVKEYSIG", "EXPKEYSIG", "EXPSIG", "WEAK", "UNBOUND")


class NotVerified(ArtificerError):
    """A signature is missing or wrong, or its key may not be trusted (any more)."""


class UnknownKey(NotVerified):
    """Only keys signed that no keyring has."""


class Keyring(NamedTuple):
    """Keys as binary packets, and from where they are, for messages."""

    data: bytes
    place: str


class Signed(NamedTuple):
    """What was signed: *text* with *signature*, which is binary or armoured. *what* names it."""

    text: bytes
    signature: bytes
    what: str


class _Told(NamedTuple):
    """What a verifier said: gpgv's words, each with a key."""

    verdicts: tuple[tuple[str, str], ...]
    text: str = ""


def keyring_of(signed_by: Sequence[str], usual: Sequence[str]) -> Keyring:
    """The keys that *signed_by* names: paths, armoured keys, fingerprints in the *usual* keyrings.

    All of the usual ones where it names nothing.
    """
    if not signed_by:
        return _joined(_usual(usual))
    rings: list[Keyring] = []
    fingerprints = [word for word in signed_by if _is_fingerprint(word)]
    for word in signed_by:
        if "-----BEGIN" in word:
            rings.append(Keyring(dearmoured(word.encode(), "the key in Signed-By"), "Signed-By"))
        elif word not in fingerprints:
            rings.append(_read(word))
    if fingerprints:
        data = b"".join(only(ring.data, fingerprints, ring.place) for ring in _usual(usual))
        rings.append(Keyring(data, f"Signed-By {', '.join(fingerprints)}"))
    return _joined(rings)


def verifiers(path: str | None = None) -> tuple[Verifier, ...]:
    """What can verify here, the best first; programs are looked for in *path*, as PATH has it."""
    found: list[Verifier] = []
    if shutil.which("gpgv", path=path):
        found.append("gpgv")
    if shutil.which("sqv", path=path):
        found.append("sqv")
    if openpgp_verify.AVAILABLE:
        found.append("python")
    return tuple(found)


def verify(
    signed: Signed, keyring: Keyring, now: float, by: Sequence[Verifier] | None = None
) -> str:
    """Return the fingerprint of a key in *keyring* that signed it; raise `NotVerified` otherwise.

    Further signatures by unknown keys do no harm; one that is wrong does.
    """
    tools = verifiers() if by is None else by
    if not tools:
        raise NotVerified(
            f"{signed.what}: nothing here can verify signatures",
            hint="install gpgv, or artificer with the extra `openpgp`",
        )
    made = _made(signed, now)
    known = certificates(keyring.data, keyring.place)
    if not known:
        raise _unknown(signed, keyring, [one.issuer for one, _ in made], tools[0])
    # All are given the same: what one would choke on, and another pass over, none sees.
    keys = keyring._replace(data=understood(keyring.data, keyring.place))
    match tools[0]:
        case "gpgv":
            whole = b"".join(packet for _, packet in made)
            told = _by_gpgv(signed._replace(signature=whole), keys)
        case "sqv":
            ones = [(one, signed._replace(signature=packet)) for one, packet in made]
            told = _joined_told(_by_sqv(each, keys, one.issuer, known, now) for one, each in ones)
        case "python":
            found = openpgp_verify.verdicts(signed.text, [one for one, _ in made], known, now)
            told = _Told(tuple(found))
    return _judged(signed, keyring, told, tools[0])


def _made(signed: Signed, now: float) -> list[tuple[Signature, bytes]]:
    """The signatures that count: not those of a time that is to come."""
    made = signatures(signed.signature, f"the signature of {signed.what}")
    if not made:
        raise NotVerified(f"{signed.what} has no signature that can be read")
    past = [(one, packet) for one, packet in made if one.created <= now + _LEEWAY]
    if not past:
        raise NotVerified(
            f"{signed.what} is signed at a time that is to come",
            hint="is the clock of this machine right?",
        )
    return past


def _judged(signed: Signed, keyring: Keyring, told: _Told, by: Verifier) -> str:
    """apt's rule: one good signature, and none that is wrong."""
    good = [key for status, key in told.verdicts if status == "GOODSIG"]
    wrong = next((pair for pair in told.verdicts if pair[0] == "BADSIG"), None)
    if good and wrong is None:
        return good[0]
    for status in _PROBLEMS:
        for found, key in told.verdicts:
            if found == status:
                raise _problem(signed, status, key, by)
    unknown = [key for status, key in told.verdicts if status == "NO_PUBKEY"]
    if unknown:
        raise _unknown(signed, keyring, unknown, by)
    said = f": {told.text.strip()[-300:]}" if told.text.strip() else ""
    raise NotVerified(f"{signed.what} is not verified ({by} says{said or ' nothing'})")


def _problem(signed: Signed, status: str, key: str, by: Verifier) -> NotVerified:
    what, hint = {
        "BADSIG": (
            f"the signature by {key} is wrong",
            "it was changed on the way, or the mirror is being updated: try again, or another one",
        ),
        "REVKEYSIG": (
            f"the key {key} that signed it is revoked",
            "get the archive's present keyring, and name it with Signed-By",
        ),
        "EXPKEYSIG": (
            f"the key {key} that signed it has expired",
            "get the archive's present keyring, and name it with Signed-By",
        ),
        "EXPSIG": (
            f"the signature by {key} has expired",
            "the archive must be signed anew; `trusted=yes` takes it without a signature",
        ),
        "WEAK": (
            f"the signature by {key} uses a hash that is broken (SHA-1, MD5 or RIPEMD-160)",
            "the archive must be signed anew; `trusted=yes` takes it without a signature",
        ),
        "UNBOUND": (
            f"the key {key} that signed it may not sign",
            "the keyring is damaged or old: get the archive's present one",
        ),
    }[status]
    return NotVerified(f"{signed.what}: {what} (says {by})", hint=hint)


def _unknown(signed: Signed, keyring: Keyring, keys: Sequence[str], by: Verifier) -> NotVerified:
    ids = list(dict.fromkeys(key[-16:] for key in keys))
    which = "none of which is" if len(ids) > 1 else "which is not"
    place = _shortened(keyring.place)
    where = f"{which} in {place}" if place else "and no keyring is known here"
    return UnknownKey(
        f"{signed.what} is signed by {', '.join(ids)}, {where} (says {by})",
        hint="get the archive's keyring (Debian's is the package debian-archive-keyring) and name "
        "it with `[signed-by=FILE]` or `Signed-By:`",
    )


def _shortened(place: str) -> str:
    """The first of many keyrings, and how many more there are."""
    names = place.split(", ")
    if len(names) <= _SHOWN:
        return place
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"


def _by_gpgv(signed: Signed, keyring: Keyring) -> _Told:
    def words(folder: str) -> list[str]:
        options = ("--homedir", folder, "--keyring", f"{folder}/keyring.gpg", "--status-fd", "1")
        return ["gpgv", *options, f"{folder}/signature", f"{folder}/text"]

    done = _run(words, signed, keyring)
    found: list[tuple[str, str]] = []
    for line in done.stdout.splitlines():
        _, _, rest = line.partition("[GNUPG:] ")
        status, *values = rest.split()
        if status == "VALIDSIG":
            weak = len(values) > 7 and values[7] in _WEAK
            found = [(old, values[0] if key == "?" else key) for old, key in found]
            if weak:
                found = [("WEAK" if key == values[0] else old, key) for old, key in found]
        elif status == "GOODSIG":
            found.append(("GOODSIG", "?"))
        elif status in {*_PROBLEMS, "NO_PUBKEY"} and values:
            found.append((status, values[0]))
    return _Told(tuple(found), done.stderr)


def _joined_told(all_of_it: Iterable[_Told]) -> _Told:
    parts = list(all_of_it)
    verdicts = tuple(verdict for part in parts for verdict in part.verdicts)
    return _Told(verdicts, "\n".join(part.text for part in parts))


def _by_sqv(
    signed: Signed, keyring: Keyring, issuer: str, known: Sequence[Certificate], now: float
) -> _Told:
    """What sqv says of one signature: of several it would tell of those that are good."""

    def words(folder: str) -> list[str]:
        # Before 1.2, --keyring takes every word that follows it; detached files are two words
        # of their own in all versions.
        files = (f"{folder}/signature", f"{folder}/text")
        return ["sqv", *files, f"--keyring={folder}/keyring.gpg"]

    done = _run(words, signed, keyring)
    if done.returncode == 0:
        # sqv asks whether a key had expired when it signed, gpgv whether it has by now.
        ended = {one.key.fingerprint for one in known if one.ends and one.ends <= now}
        return _Told(
            tuple(
                ("EXPKEYSIG" if key in ended else "GOODSIG", key) for key in done.stdout.split()
            ),
            done.stderr,
        )
    names = [name for one in known for name in one.fingerprints]
    if not any(name.endswith(issuer) for name in names):
        return _Told((("NO_PUBKEY", issuer),), done.stderr)
    wrong = _WRONG.search(done.stderr) is not None
    return _Told((("BADSIG", issuer),) if wrong else (), done.stderr)


def _run(
    words: Callable[[str], list[str]], signed: Signed, keyring: Keyring
) -> "subprocess.CompletedProcess[str]":
    """Run a program on files of its own: no shell, no settings of the user."""
    with TemporaryDirectory(prefix="artificer-") as folder:
        files = (
            ("keyring.gpg", keyring.data),
            ("signature", dearmoured(signed.signature, f"the signature of {signed.what}")),
            ("text", signed.text),
        )
        for name, data in files:
            with open(f"{folder}/{name}", "wb") as file:
                file.write(data)
        line = words(folder)
        program = shutil.which(line[0]) or line[0]
        try:
            return subprocess.run(  # noqa: S603 -- words of ours, no shell
                [program, *line[1:]],
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                env={"LC_ALL": "C", "PATH": os.defpath, "GNUPGHOME": folder},
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = reason(error) if isinstance(error, OSError) else f"no answer in {_SECONDS} s"
            raise NotVerified(f"{signed.what}: {line[0]} fails: {said}") from error


def _usual(paths: Sequence[str]) -> list[Keyring]:
    """The keyrings that nobody named, without what is none: it may be meant for others."""
    found: list[Keyring] = []
    for path in paths:
        try:
            ring = _read(path)
            certificates(ring.data, path)
        except (UnknownKey, NotOpenPgp):
            continue
        found.append(ring)
    return found


def _joined(rings: Sequence[Keyring]) -> Keyring:
    data = b"".join(ring.data for ring in rings)
    return Keyring(data, ", ".join(ring.place for ring in rings))


def _read(path: str) -> Keyring:
    try:
        with open(path, "rb") as file:
            data = file.read(limits.KEYRING_BYTES + 1)
    except OSError as error:
        raise UnknownKey(
            f"the keyring {path} cannot be read: {reason(error)}",
            hint="Debian's is the package debian-archive-keyring, Ubuntu's ubuntu-keyring",
        ) from error
    if len(data) > limits.KEYRING_BYTES:
        raise NotOpenPgp(f"the keyring {path} is larger than any: {limits.KEYRING_BYTES} bytes")
    return Keyring(dearmoured(data, f"the keyring {path}"), path)


def _is_fingerprint(word: str) -> bool:
    bare = word.removesuffix("!").removeprefix("0x")
    return "/" not in word and len(bare) in {16, 32, 40, 64} and set(bare) <= _FINGERPRINT
