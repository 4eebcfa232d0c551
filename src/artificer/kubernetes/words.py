"""What Kubernetes calls a name, a label, an amount: its own rules, which no schema holds."""

import re
from decimal import Decimal

LABEL_LENGTH = 63
NAME_LENGTH = 253

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(?:\.{_LABEL.pattern})*", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_.-][\w.-]*", re.ASCII)
_AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(m|[kMGTPE]|[KMGTPE]i|)", re.ASCII)

_FACTORS = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    "k": Decimal(10**3),
    **{letter: Decimal(1000 ** (at + 2)) for at, letter in enumerate("MGTPE")},
    **{f"{letter}i": Decimal(1024 ** (at + 1)) for at, letter in enumerate("KMGTPE")},
}


def is_label(text: str) -> bool:
    """Whether *text* is a DNS label (RFC 1123), as a namespace's name has to be."""
    return len(text) <= LABEL_LENGTH and _LABEL.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether *text* is a DNS subdomain (RFC 1123), as most names have to be."""
    return len(text) <= NAME_LENGTH and _SUBDOMAIN.fullmatch(text) is not None


def is_label_value(text: str) -> bool:
    """Whether *text* may be a label's value."""
    return not text or (len(text) <= LABEL_LENGTH and _WORD.fullmatch(text) is not None)


def is_qualified(text: str) -> bool:
    """Whether *text* may be the key of a label, an annotation or a taint: ``[DOMAIN/]NAME``."""
    domain, slash, name = text.rpartition("/")
    if slash and not is_name(domain):
        return False
    return len(name) <= LABEL_LENGTH and _WORD.fullmatch(name) is not None


def is_variable(text: str) -> bool:
    """Whether every server takes *text* for the name of an environment variable."""
    return _VARIABLE.fullmatch(text) is not None and text not in {".", ".."}


def amount_of(text: str) -> Decimal | None:
    """The number that a quantity (``500m``, ``2Gi``) stands for; None if it is none."""
    match = _AMOUNT.fullmatch(text)
    return Decimal(match[1]) * _FACTORS[match[2]] if match else None
