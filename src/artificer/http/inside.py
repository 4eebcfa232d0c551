"""Hosts that answer us and nobody outside: this machine, and what a cloud tells its machines."""

import ipaddress
import re

from artificer.http.request import Authority

NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
"""What the C library reads as an address ("127.1", "0x7f000001"), though no standard does."""
# Where clouds keep credentials for their machines, as far as that is no link-local address.
_METADATA = frozenset(
    (
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle
        "fd00:ec2::254",  # Amazon
        "instance-data",
        "metadata",
        "metadata.google.internal",
    )
)


def may_send(here: Authority, there: Authority) -> bool:
    """Whether *here*, which may be hostile, may send us to *there*.

    Not to what only we can reach and it cannot: a request of ours might have effects there, or
    an answer be told. Private networks are allowed, for many a registry keeps its blobs in one.
    """
    if there.host == here.host or not _is_hidden(there.host):
        return True
    return _is_loopback(here.host) and _is_loopback(there.host)


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that *host* is, as IPv4 where it is one in the clothes of IPv6."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address
    return address


def _is_hidden(host: str) -> bool:
    name = host.rstrip(".")
    address = address_of(name)
    if address is None:
        last = name.rpartition(".")[2]
        return name in _METADATA or last == "localhost" or bool(NUMBER.fullmatch(last))
    special = address.is_loopback or address.is_link_local or address.is_unspecified
    return special or address.is_multicast or str(address) in _METADATA


def _is_loopback(host: str) -> bool:
    address = address_of(host)
    return host == "localhost" if address is None else address.is_loopback
