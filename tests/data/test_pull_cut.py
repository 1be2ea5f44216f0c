"""Pulling over a line that is cut, slow or busy, and going on where it stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from nextword.common.errors import BadInput
from tests.data.hub_site import COMMIT, LARGE, STORED, cut, once, status


@pytest.mark.parametrize("after", [1, 70_000, len(LARGE) - 1])
def test_a_cut_line_goes_on_where_it_was_cut(fetch, hub, tmp_path, after):
    hub.faults[STORED] = once(cut(after))
    made = fetch()
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == LARGE
    assert [range for _, path, range, _ in hub.asked if path.startswith(STORED)] == [None, f"bytes={after}-"]
    assert made.bytes == made.fetched


PROGRAM = """
import sys
from pathlib import Path
from nextword.data.pull import PullSettings, pull
pull(PullSettings(endpoint=sys.argv[1], allow_private=True), "owner/tiny", Path(sys.argv[2]), environment={})
"""


def test_a_killed_pull_continues(fetch, hub, tmp_path):
    halfway = threading.Event()

    def stall(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(LARGE)))
        handler.end_headers()
        handler.wfile.write(LARGE[:500_000])
        handler.wfile.flush()
        halfway.set()
        time.sleep(30)
        return True

    hub.faults[STORED] = once(stall)
    command = [sys.executable, "-c", PROGRAM, hub.url, str(tmp_path / "model")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    assert halfway.wait(60)
    part = tmp_path / ".model.pull"
    for _ in range(500):
        if any(path.stat().st_size == 500_000 for path in part.glob(".model.safetensors.*.part")):
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -9
    assert not (tmp_path / "model").exists()
    before = len(hub.asked)
    made = fetch()
    assert made.fetched == len(LARGE) - 500_000
    assert [range for _, path, range, _ in hub.asked[before:] if path.startswith(STORED)] == ["bytes=500000-"]
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == LARGE


def test_a_server_that_knows_no_ranges_is_asked_for_all_again(fetch, hub, tmp_path):
    calls = []

    def fault(handler):
        calls.append(1)
        if len(calls) == 1:
            return cut(300_000)(handler)
        handler.send(200, LARGE)
        return True

    hub.faults[STORED] = fault
    fetch()
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == LARGE


def test_a_part_that_went_bad_is_thrown_away_and_the_file_comes_anew(fetch, hub, tmp_path):
    hub.faults[STORED] = cut(300_000)
    with pytest.raises(BadInput, match="continues where it was cut"):
        fetch(tries=1)
    (part,) = (tmp_path / ".model.pull").glob(".model.safetensors.*.part")
    data = bytearray(part.read_bytes())
    data[1000] ^= 1
    part.write_bytes(data)
    hub.faults.clear()
    fetch()
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == LARGE


def test_a_file_that_changed_on_the_hub_is_not_put_to_an_older_part(fetch, hub, tmp_path):
    hub.faults[STORED] = cut(300_000)
    with pytest.raises(BadInput):
        fetch(tries=1)
    hub.faults.clear()
    hub.files["model.safetensors"] = LARGE[::-1]
    fetch()
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == LARGE[::-1]
    assert [range for _, path, range, _ in hub.asked if path.startswith(STORED)] == [None, None]


def test_a_file_that_went_bad_on_the_disk_is_found_when_the_pull_goes_on(fetch, hub, tmp_path):
    hub.faults[STORED] = cut(10)
    with pytest.raises(BadInput):
        fetch(tries=1)
    (tmp_path / ".model.pull" / "tokenizer.json").write_text("[]")
    hub.faults.clear()
    fetch()
    assert (tmp_path / "model" / "tokenizer.json").read_bytes() == b"{}"


def test_a_silent_server_is_given_up_and_what_came_is_kept(fetch, hub, tmp_path):
    def silent(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(LARGE)))
        handler.end_headers()
        handler.wfile.write(LARGE[:100_000])
        handler.wfile.flush()
        time.sleep(3)
        return True

    hub.faults[STORED] = silent
    with pytest.raises(BadInput, match=r"no (whole )?answer .*run the same command: it continues"):
        fetch(timeout=0.3, tries=2)
    (part,) = (tmp_path / ".model.pull").glob(".model.safetensors.*.part")
    assert part.read_bytes() == LARGE[:100_000]


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(fetch, hub):
    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(LARGE)))
        handler.end_headers()
        for _ in range(60):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)
        return True

    hub.faults[STORED] = drip
    with pytest.raises(BadInput, match=r"no whole answer within 0.4 s"):
        fetch(timeout=0.4, tries=1)


def test_a_slow_server_is_waited_for_as_long_as_it_keeps_its_pace(fetch, hub, tmp_path):
    def slow(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(LARGE)))
        handler.end_headers()
        for start in range(0, len(LARGE), 1 << 17):
            handler.wfile.write(LARGE[start : start + (1 << 17)])
            handler.wfile.flush()
            time.sleep(0.15)
        return True

    hub.faults[STORED] = slow  # 1.2 s in all, each piece within 0.6 s
    fetch(timeout=0.6, tries=1)
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == LARGE


@pytest.mark.parametrize("number", [429, 500, 503])
def test_a_busy_server_is_asked_again(fetch, hub, number):
    hub.faults[STORED] = once(status(number, **{"Retry-After": "1"}))
    hub.faults[f"/api/models/owner/tiny/tree/{COMMIT}"] = once(status(number))
    fetch()
    hub.faults[STORED] = status(number)


def test_a_server_that_stays_busy_is_given_up(fetch, hub):
    hub.faults[STORED] = status(503)
    with pytest.raises(BadInput, match=r"model.safetensors: the server answers 503; run the same command"):
        fetch()
    assert len([path for path in hub.paths() if path.startswith(STORED)]) == 3


def test_two_pulls_do_not_fill_one_folder(fetch, hub, tmp_path):
    errors = []

    def second(handler):
        try:
            fetch()
        except BadInput as error:
            errors.append(error.what)
        return False

    hub.faults[STORED] = second
    fetch()
    assert errors == ["another pull is filling this folder"]
