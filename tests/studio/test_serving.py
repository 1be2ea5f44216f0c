"""Starting and stopping the studio."""

import re
import signal
import subprocess
import sys

import httpx
import pytest

from nextword.common.errors import BadInput
from nextword.studio.serving import address_of, is_loopback, listen
from nextword.studio.settings import StudioSettings


def test_the_command_line_serves_tells_the_first_link_and_ends_gracefully(tmp_path):
    serve = ["-m", "nextword", "label", "serve", "--port", "0", "--database", str(tmp_path / "labels.db")]
    with subprocess.Popen([sys.executable, *serve], stdout=subprocess.PIPE, text=True) as process:
        address = re.search(r"labelling at (http://127\.0\.0\.1:\d+)", process.stdout.readline())[1]
        token = re.search(rf"{address}/join/(\S+)", process.stdout.readline())[1]
        joining = httpx.get(f"{address}/api/join/{token}", trust_env=False, timeout=60)
        assert joining.json() == {"role": "owner", "is_first": True}
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stdout.read() == "stopped\n"


def test_a_port_that_is_taken_is_one_clear_line():
    with listen("127.0.0.1", 0) as taken, pytest.raises(BadInput, match=r"is taken; choose another"):
        listen("127.0.0.1", taken.getsockname()[1])


def test_a_host_that_is_none_is_one_clear_line():
    with pytest.raises(BadInput, match="no address to listen on"):
        listen("no such host", 0)


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", True), ("localhost", True), ("0.0.0.0", False)])
def test_only_loopback_is_not_open_to_the_network(host, expected):
    assert is_loopback(host) is expected


def test_people_type_the_public_address_where_there_is_one():
    settings = StudioSettings(public="https://labels.example.org/")
    with listen("127.0.0.1", 0) as listening:
        assert address_of(listening, settings) == "https://labels.example.org"
    assert settings.is_secure


def test_a_public_address_that_is_none_is_refused():
    with pytest.raises(BadInput, match="is no address"):
        StudioSettings(public="labels.example.org")
