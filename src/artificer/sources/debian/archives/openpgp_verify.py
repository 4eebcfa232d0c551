"""Signatures of archives verified in Python, where neither gpgv nor sqv is (RFC 9580 §5.2)."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from artificer.sources.debian.archives.openpgp import (
    Bound,
    Certificate,
    PublicKey,
    Signature,
    signature_of,
)

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
except ImportError:
    AVAILABLE = False
    """Whether the extra ``openpgp`` is installed."""
else:
    AVAILABLE = True

_RSA, _RSA_SIGN, _ECDSA, _EDDSA, _ED25519 = 1, 3, 19, 22, 27
_RSA_BITS = 2048
_HASHES = {8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
# gpgv too takes SHA-1 where a key speaks of itself: nobody else chose what is hashed there.
_OWN_HASHES = {2: "sha1", **_HASHES}
_CURVES = {
    "2a8648ce3d030107": "SECP256R1",
    "2b81040022": "SECP384R1",
    "2b81040023": "SECP521R1",
    "2b2403030208010107": "BrainpoolP256R1",
    "2b240303020801010b": "BrainpoolP384R1",
    "2b240303020801010d": "BrainpoolP512R1",
}
_ED25519_OID = "2b06010401da470f01"
_KNOWN = frozenset((2, 3, 4, 5, 7, 9, 11, 12, 16, 21, 22, 23, 25, 26, 27, 30, 31, 32, 33, 34))
_LEEWAY = 86400
_REVOKED, _BINDING, _BACK, _SUBKEY_REVOKED = 0x20, 0x18, 0x19, 0x28
_SELF = (0x10, 0x11, 0x12, 0x13)
_DIRECT = 0x1F
_SIGNS = 2


class Verdict(NamedTuple):
    """What came of one signature: *status* is as gpgv's, of the key *fingerprint* or its id."""

    status: str
    key: str


class Signer(NamedTuple):
    """A key that may sign, and from when to when; *trouble* is why its signatures do not count."""

    key: PublicKey
    expires: int | None
    trouble: str = ""


def verdicts(
    data: bytes, made: Sequence[Signature], keys: Sequence[Certificate], now: float
) -> list[Verdict]:
    """What is to be thought of each signature of *data*.

    ``GOODSIG``, ``BADSIG``, ``NO_PUBKEY``, ``EXPSIG``, ``EXPKEYSIG``, ``REVKEYSIG``, ``WEAK``.
    """
    return [_verdict(data, signature, keys, now) for signature in made]


def _verdict(
    data: bytes, signature: Signature, keys: Sequence[Certificate], now: float
) -> Verdict:
    issuer = signature.issuer
    for certificate in keys:
        wanted = [name for name in certificate.fingerprints if issuer and name.endswith(issuer)]
        for signer in _signers(certificate, now) if wanted else ():
            if signer.key.fingerprint in wanted:
                return Verdict(_status(data, signature, signer, now), signer.key.fingerprint)
    return Verdict("NO_PUBKEY", issuer or "unknown")


def _status(data: bytes, signature: Signature, signer: Signer, now: float) -> str:
    if signature.hash not in _HASHES:
        return "WEAK"
    if not _holds(signature, _subject(signature, data), signer.key, _HASHES):
        return "BADSIG"
    if signer.trouble:
        return signer.trouble
    life = int.from_bytes(signature.hashed.get(3, b""))
    checks = (
        (signature.created + life <= now if life else False, "EXPSIG"),
        (not signer.key.created <= signature.created <= now + _LEEWAY, "BADSIG"),
        (signer.expires is not None and signer.expires <= now, "EXPKEYSIG"),
    )
    return next((status for wrong, status in checks if wrong), "GOODSIG")


def _subject(signature: Signature, data: bytes) -> bytes | None:
    """What a signature of a document hashes: it, or with the ends of lines that mail has."""
    if signature.kind == 0x00:
        return data
    if signature.kind == 0x01:
        return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return None


def _signers(certificate: Certificate, now: float) -> Iterator[Signer]:
    """Yield the keys of *certificate*, each with what is wrong with it."""
    primary = certificate.key
    revoked = any(
        made.kind == _REVOKED and _own(made, primary.framed, primary)
        for made in certificate.direct
    )
    newest = _newest(_self_signatures(certificate), primary)
    trouble = "REVKEYSIG" if revoked else ""
    if newest is None:
        yield Signer(primary, None, trouble or "UNBOUND")
        return
    expires = newest.life_of(primary)
    flags = newest.hashed.get(27, bytes([_SIGNS]))
    signs = bool(flags[:1] and flags[0] & _SIGNS)
    yield Signer(primary, expires, trouble or ("" if signs else "UNBOUND"))
    if expires is not None and expires <= now:
        trouble = trouble or "EXPKEYSIG"
    for bound in certificate.subkeys:
        yield _subkey(bound, primary, trouble)


def _self_signatures(certificate: Certificate) -> Iterator[Signature]:
    primary = certificate.key
    for made in certificate.direct:
        if made.kind == _DIRECT and _own(made, primary.framed, primary):
            yield made
    for name, signatures in certificate.names:
        for made in signatures:
            if made.kind in _SELF and _own(made, primary.framed + name, primary):
                yield made


def _subkey(bound: Bound, primary: PublicKey, trouble: str) -> Signer:
    subject = primary.framed + bound.key.framed
    valid = [made for made in bound.signatures if _own(made, subject, primary)]
    if any(made.kind == _SUBKEY_REVOKED for made in valid):
        return Signer(bound.key, None, trouble or "REVKEYSIG")
    newest = _newest((made for made in valid if made.kind == _BINDING), bound.key)
    if newest is None or not _may_sign(newest, bound.key, subject):
        return Signer(bound.key, None, trouble or "UNBOUND")
    return Signer(bound.key, newest.life_of(bound.key), trouble)


def _may_sign(binding: Signature, key: PublicKey, subject: bytes) -> bool:
    """RFC 9580 §5.2.1.8: a subkey that signs has itself signed that it belongs to its primary."""
    flags = binding.hashed.get(27, b"")
    if not flags or not flags[0] & _SIGNS:
        return False
    inner = signature_of(binding.hashed.get(32) or binding.unhashed.get(32, b""))
    return inner is not None and inner.kind == _BACK and _own(inner, subject, key)


def _newest(made: Iterator[Signature], key: PublicKey) -> Signature | None:
    return max(
        (one for one in made if one.created >= key.created),
        key=lambda one: one.created,
        default=None,
    )


def _own(signature: Signature, subject: bytes, key: PublicKey) -> bool:
    """Whether *key* signed what is said of it, or of a subkey."""
    return _holds(signature, subject, key, _OWN_HASHES)


def _holds(
    signature: Signature, subject: bytes | None, key: PublicKey, allowed: dict[int, str]
) -> bool:
    name = allowed.get(signature.hash)
    # RFC 9580 §5.2.3.7: what is critical and not understood makes a signature count for nothing.
    if subject is None or name is None or signature.critical - _KNOWN or not signature.created:
        return False
    digest = hashlib.new(name, subject + signature.trailer, usedforsecurity=False).digest()
    verify = _ALGORITHMS.get(key.algorithm)
    if verify is None or key.algorithm != signature.algorithm or digest[:2] != signature.left:
        return False
    try:
        verify(key.material, signature.numbers, digest, name)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, OverflowError, IndexError):
        return False
    return True


def _rsa(material: bytes, numbers: bytes, digest: bytes, name: str) -> None:
    modulus, exponent = _numbers(material, 2)
    (value,) = _numbers(numbers, 1)
    if modulus.bit_length() < _RSA_BITS:
        raise ValueError(modulus.bit_length())
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    size = (modulus.bit_length() + 7) // 8
    kept = Prehashed(_algorithm(name))
    key.verify(value.to_bytes(size), digest, padding.PKCS1v15(), kept)


def _ecdsa(material: bytes, numbers: bytes, digest: bytes, name: str) -> None:
    size = material[0]
    curve = _CURVES.get(material[1 : 1 + size].hex())
    if curve is None:
        raise ValueError(material[:1])
    (point,) = _numbers(material[1 + size :], 1)
    packed = point.to_bytes((point.bit_length() + 7) // 8)
    key = ec.EllipticCurvePublicKey.from_encoded_point(getattr(ec, curve)(), packed)
    first, second = _numbers(numbers, 2)
    key.verify(encode_dss_signature(first, second), digest, ec.ECDSA(Prehashed(_algorithm(name))))


def _eddsa(material: bytes, numbers: bytes, digest: bytes, _name: str) -> None:
    size = material[0]
    (point,) = _numbers(material[1 + size :], 1)
    packed = point.to_bytes((point.bit_length() + 7) // 8)
    if material[1 : 1 + size].hex() != _ED25519_OID or packed[:1] != b"\x40":
        raise ValueError(size)
    first, second = _numbers(numbers, 2)
    _ed25519(packed[1:], first.to_bytes(32) + second.to_bytes(32), digest, "")


def _ed25519(material: bytes, numbers: bytes, digest: bytes, _name: str) -> None:
    ed25519.Ed25519PublicKey.from_public_bytes(material).verify(numbers, digest)


_ALGORITHMS: dict[int, Callable[[bytes, bytes, bytes, str], None]] = {
    _RSA: _rsa,
    _RSA_SIGN: _rsa,
    _ECDSA: _ecdsa,
    _EDDSA: _eddsa,
    _ED25519: _ed25519,
}


def _algorithm(name: str) -> "hashes.HashAlgorithm":
    found: hashes.HashAlgorithm = getattr(hashes, name.upper())()
    return found


def _numbers(data: bytes, count: int) -> list[int]:
    """So many multiprecision integers, and nothing after them (RFC 9580 §3.2)."""
    found: list[int] = []
    at = 0
    for _ in range(count):
        size = (int.from_bytes(data[at : at + 2]) + 7) // 8
        at += 2 + size
        found.append(int.from_bytes(data[at - size : at]))
    if at != len(data):
        raise ValueError(at)
    return found
