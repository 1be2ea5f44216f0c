"""The gate: what leads inside is refused, by address, at the very connection."""

import ipaddress
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextword.common.outbound import Gate, Refused, Unreachable, is_loopback, is_public

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "192.88.99.1",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:0",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
    "2001:0:7f00:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "not an address",
    "",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_leads_inside_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address):
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_a_mapped_or_translated_address_is_judged_as_the_one_it_carries(ip):
    for carrier in ("::ffff:0:0", "64:ff9b::"):
        carried = ipaddress.IPv6Address(int(ipaddress.IPv6Address(carrier)) | int(ip))
        assert is_public(str(carried)) == is_public(str(ip))


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "0", "[::1]"]
)
def test_every_spelling_of_this_machine_is_refused(host):
    with pytest.raises((Refused, Unreachable)):
        Gate().addresses(host.strip("[]"), 80)


def answers(*addresses):
    def resolve(host, port, type):
        return [(socket.AF_INET, type, 6, "", (address, port)) for address in addresses]

    return resolve


def test_a_name_with_one_private_address_among_public_ones_is_refused():
    with pytest.raises(Refused, match=r"10\.0\.0\.7"):
        Gate(resolve=answers("8.8.8.8", "10.0.0.7")).addresses("two-faced.example", 80)


def test_a_private_address_is_let_through_when_allowed():
    assert Gate(allow_private=True).addresses("127.0.0.1", 80) == [(socket.AF_INET, "127.0.0.1")]


def test_a_name_that_does_not_resolve_is_unreachable():
    with pytest.raises(Unreachable, match="resolve"):
        Gate().addresses("no-such-host.invalid", 80)


def test_a_name_no_resolver_can_spell_is_unreachable():
    with pytest.raises(Unreachable):
        Gate().addresses("a" * 80 + ".example", 80)


@pytest.fixture
def listener():
    server = socket.create_server(("127.0.0.1", 0))
    yield server
    server.close()


def test_the_connection_goes_to_the_address_that_was_checked_even_if_the_name_changes(listener):
    asked = []

    def rebinding(host, port, type):
        asked.append(host)
        return answers("127.0.0.1" if len(asked) == 1 else "127.0.0.2")(host, port, type)

    port = listener.getsockname()[1]
    with Gate(allow_private=True, resolve=rebinding).connect("rebind.example", port, 2) as connection:
        assert connection.getpeername() == ("127.0.0.1", port)
    assert asked == ["rebind.example"]


def test_the_next_address_is_tried_when_the_first_does_not_answer(listener):
    port = listener.getsockname()[1]
    gate = Gate(allow_private=True, resolve=answers("127.0.0.2", "127.0.0.1"))
    accepted = threading.Thread(target=lambda: listener.accept()[0].close())
    accepted.start()
    with gate.connect("twice.example", port, 2) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"
    accepted.join()


def test_a_closed_port_is_unreachable_and_the_error_names_it():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match=str(port)):
        Gate(allow_private=True).connect("127.0.0.1", port, 2)


def test_this_machine_is_recognised_in_both_families():
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_loopback("8.8.8.8")
    assert not is_loopback("localhost")
