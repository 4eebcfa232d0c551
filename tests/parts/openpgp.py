"""Throw-away OpenPGP keys, and what they sign: also what no honest program would write."""

import base64
import hashlib
import time
from collections.abc import Sequence
from typing import NamedTuple, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

RSA, ECDSA, EDDSA = 1, 19, 22
P256 = bytes.fromhex("2a8648ce3d030107")
ED25519 = bytes.fromhex("2b06010401da470f01")
HASHES: dict[str, tuple[int, type[hashes.HashAlgorithm]]] = {
    "sha1": (2, hashes.SHA1),
    "sha256": (8, hashes.SHA256),
    "sha512": (10, hashes.SHA512),
}
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Key(NamedTuple):
    """A key that signs; *created* and *seconds* (of life, 0 for ever) are in its packets."""

    private: Private
    created: int
    seconds: int = 0
    uid: str = "Test Archive <archive@example.org>"

    @classmethod
    def make(cls, algorithm: str = "ed25519", *, created: int = 0, seconds: int = 0) -> Self:
        """A new key of rsa, ecdsa or ed25519."""
        private: Private
        if algorithm == "rsa":
            private = rsa.generate_private_key(65537, 2048)
        elif algorithm == "ecdsa":
            private = ec.generate_private_key(ec.SECP256R1())
        else:
            private = ed25519.Ed25519PrivateKey.generate()
        return cls(private, created or int(time.time()) - 86400, seconds)

    @property
    def algorithm(self) -> int:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return RSA
        return EDDSA if isinstance(self.private, ed25519.Ed25519PrivateKey) else ECDSA

    @property
    def body(self) -> bytes:
        """The public key packet, without its header."""
        return b"\4" + self.created.to_bytes(4) + bytes([self.algorithm]) + self._material()

    @property
    def fingerprint(self) -> str:
        return hashlib.sha1(_framed(self.body), usedforsecurity=False).hexdigest().upper()

    @property
    def id(self) -> str:
        return self.fingerprint[-16:]

    def public(
        self, *, subkeys: Sequence["Key"] = (), revoked: bool = False, signs: bool = True
    ) -> bytes:
        """The certificate as a binary keyring has it."""
        name = self.uid.encode()
        flags = 3 if signs else 1
        own = _subpackets({27: bytes([flags]), **self._life(self)})
        subject = _framed(self.body) + b"\xb4" + len(name).to_bytes(4) + name
        parts = [packet(6, self.body)]
        if revoked:
            parts.append(self._signature(0x20, _framed(self.body), b""))
        parts += [packet(13, name), self._signature(0x13, subject, own)]
        for subkey in subkeys:
            parts += [packet(14, subkey.body), self.bind(subkey)]
        return b"".join(parts)

    def bind(self, subkey: "Key", *, back: bool = True) -> bytes:
        """The signature that makes *subkey* this key's, with the subkey's own in it."""
        subject = _framed(self.body) + _framed(subkey.body)
        extra = {27: b"\2", **self._life(subkey)}
        hashed = _subpackets(extra)
        if back:
            inner = _unframed(subkey._signature(0x19, subject, b""))
            hashed += _subpacket(32, inner)
        return self._signature(0x18, subject, hashed)

    def revoke(self, subkey: "Key") -> bytes:
        """The signature that takes *subkey* back."""
        return self._signature(0x28, _framed(self.body) + _framed(subkey.body), b"")

    def detached(
        self, data: bytes, *, algorithm: str = "sha256", at: int = 0, seconds: int = 0
    ) -> bytes:
        """A detached signature of *data*, binary; it ends after *seconds*."""
        extra = _subpackets({3: seconds.to_bytes(4)}) if seconds else b""
        return self._signature(0x00, data, extra, algorithm=algorithm, at=at)

    def cleartext(self, text: str, *, algorithm: str = "sha256", at: int = 0) -> str:
        """*text* in the cleartext framework, as InRelease is."""
        lines = [line.rstrip(" \t\r") for line in text.rstrip("\n").split("\n")]
        signed = "\r\n".join(lines).encode()
        signature = self._signature(0x01, signed, b"", algorithm=algorithm, at=at)
        escaped = "\n".join("- " + x if x.startswith("-") else x for x in text.split("\n"))
        head = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: {algorithm.upper()}\n\n"
        return f"{head}{escaped.rstrip(chr(10))}\n{armoured(signature, 'SIGNATURE')}"

    def _life(self, key: "Key") -> dict[int, bytes]:
        return {9: key.seconds.to_bytes(4)} if key.seconds else {}

    def _material(self) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.public_key().public_numbers()
            return _mpi(numbers.n) + _mpi(numbers.e)
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            point = b"\x40" + self.private.public_key().public_bytes(*raw)
            return bytes([len(ED25519)]) + ED25519 + _mpi(int.from_bytes(point))
        packed = self.private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return bytes([len(P256)]) + P256 + _mpi(int.from_bytes(packed))

    def _signature(
        self, kind: int, subject: bytes, extra: bytes, *, algorithm: str = "sha256", at: int = 0
    ) -> bytes:
        number, kept = HASHES[algorithm]
        made = (at or max(self.created, 1) + 60).to_bytes(4)
        known = {2: made, 33: b"\4" + bytes.fromhex(self.fingerprint)}
        hashed = _subpackets(known) + extra
        head = bytes([4, kind, self.algorithm, number]) + len(hashed).to_bytes(2) + hashed
        content = subject + head + b"\4\xff" + len(head).to_bytes(4)
        digest = hashlib.new(algorithm, content).digest()
        unhashed = _subpackets({16: bytes.fromhex(self.id)})
        body = head + len(unhashed).to_bytes(2) + unhashed + digest[:2]
        return packet(2, body + self._signed(content, digest, kept()))

    def _signed(self, content: bytes, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            raw = self.private.sign(content, padding.PKCS1v15(), algorithm)
            return _mpi(int.from_bytes(raw))
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            raw = self.private.sign(digest)
            return _mpi(int.from_bytes(raw[:32])) + _mpi(int.from_bytes(raw[32:]))
        first, second = decode_dss_signature(self.private.sign(content, ec.ECDSA(algorithm)))
        return _mpi(first) + _mpi(second)


def packet(tag: int, body: bytes) -> bytes:
    """A packet in the new format, its length in five bytes."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4) + body


def armoured(data: bytes, kind: str = "PUBLIC KEY BLOCK") -> str:
    """*data* as text, with the sum that ends it."""
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    total = base64.b64encode(_crc24(data).to_bytes(3)).decode()
    return f"-----BEGIN PGP {kind}-----\n\n{lines}\n={total}\n-----END PGP {kind}-----\n"


def _crc24(data: bytes) -> int:
    total = 0xB704CE
    for byte in data:
        total ^= byte << 16
        for _ in range(8):
            total <<= 1
            if total & 0x1000000:
                total ^= 0x1864CFB
    return total & 0xFFFFFF


def _framed(body: bytes) -> bytes:
    return b"\x99" + len(body).to_bytes(2) + body


def _unframed(whole: bytes) -> bytes:
    return whole[6:]


def _mpi(number: int) -> bytes:
    bits = number.bit_length()
    return bits.to_bytes(2) + number.to_bytes((bits + 7) // 8)


def _subpacket(kind: int, data: bytes) -> bytes:
    return b"\xff" + (len(data) + 1).to_bytes(4) + bytes([kind]) + data


def _subpackets(values: dict[int, bytes]) -> bytes:
    return b"".join(_subpacket(kind, data) for kind, data in values.items())
