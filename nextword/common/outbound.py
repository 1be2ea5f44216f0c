"""The gate every outgoing connection passes: an address someone gave us must not reach inside.

A crawler, and later a tool a model calls, opens addresses that strangers wrote. Left alone that is a way into
whatever only this machine can reach: its own services, the router, a cloud's metadata endpoint with its keys
(server-side request forgery, OWASP 2021 A10). So private addresses are refused unless the user allows them.

The check is made on the resolved address, never on the name, and the connection goes to that very address:
a name that answers differently the second time (DNS rebinding) gains nothing. TLS still asks for the name.
Odd spellings of a host (decimal, octal, short) need no rule of their own, because they too are judged by what
they resolve to; an IPv4 address carried in IPv6 (mapped, compatible, 6to4, Teredo, NAT64) is judged as
itself. Each redirect is a new connection, hence checked again. Not covered: an HTTP proxy, which would
resolve names behind our back, so none is used.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nextword.common.errors import BadInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
NEVER = tuple(
    ipaddress.ip_network(net)
    for net in (
        "168.63.129.16/32",  # Azure's host agent: a public number that only the machine's own host answers
        "192.0.0.0/24",  # protocol assignments (RFC 6890), one cloud's metadata address among them
        "192.88.99.0/24",  # 6to4 relays, retired by RFC 7526
        "64:ff9b:1::/48",  # a network's own NAT64 (RFC 8215): what is behind it is unknown
        "fec0::/10",  # site-local, the old private range
    )
)


class Refused(BadInput):
    """An address that leads inside; raised before any connection is made."""


class Unreachable(BadInput):
    """A name that does not resolve, or an address that nothing answers at."""


@dataclass(frozen=True)
class Gate:
    """Resolves and connects. `allow_private` lets everything through; `resolve` is socket's, or a test's."""

    allow_private: bool = False
    resolve: Callable[..., list[Any]] = socket.getaddrinfo

    def addresses(self, host: str, port: int) -> list[tuple[int, str]]:
        """The (family, address) pairs of a host, all of them permitted.

        Raises Refused when any is private (a name with one foot inside is a trick, not a site), Unreachable
        when the name does not resolve.
        """
        try:
            found = self.resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"the name does not resolve ({error})", where=host) from error
        pairs = list(dict.fromkeys((family, name[0]) for family, _, _, _, name in found))
        if not pairs:
            raise Unreachable("the name does not resolve", where=host)
        for _, address in pairs:
            if not self.allow_private and not is_public(address):
                raise Refused(
                    f"{address} is a private address", where=host, do="pass --allow-private if you mean it"
                )
        return pairs

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A TCP connection to one of the addresses that were checked. Refused or Unreachable otherwise."""
        why = "no address"
        for family, address in self.addresses(host, port):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(timeout)
                connection.connect((address, port))
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            except OSError as error:
                connection.close()
                why = str(error.strerror or error)
        raise Unreachable(f"cannot be reached ({why})", where=f"{host}:{port}")


def is_public(address: str) -> bool:
    """Whether an address is one that anybody on the internet could reach; False for what is not an address.

    >>> is_public("8.8.8.8"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    try:
        ip = ipaddress.ip_address(address.split("%")[0])  # fe80::1%eth0
    except ValueError:
        return False
    return all(_is_public(one) for one in (ip, *_carried(ip)))


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback


def _is_public(ip: Address) -> bool:
    if any(ip.version == net.version and ip in net for net in NEVER):
        return False
    # Python before 3.13 calls mapped addresses private or global by turns; the carried one decides.
    if isinstance(ip, ipaddress.IPv6Address) and (ip.ipv4_mapped or ip in NAT64):
        return True
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _carried(ip: Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses inside an IPv6 one."""
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    last = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    has_last = ip in NAT64 or int(ip) >> 32 == 0  # NAT64; the retired "IPv4-compatible" ::a.b.c.d
    found = [ip.ipv4_mapped, ip.sixtofour, *(ip.teredo or ()), last if has_last else None]
    return [one for one in found if one is not None]
