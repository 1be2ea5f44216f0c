"""Fetching one page: limits hold, retries help only where they can, nothing inside is reached."""

import gzip
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from nextword.common.outbound import Gate
from nextword.data.fetch import AGENT, Fetcher, Unfetched

OPEN = Gate(allow_private=True)


def fetcher(**options) -> tuple[Fetcher, list[float]]:
    slept: list[float] = []
    return Fetcher(OPEN, **{"seconds": 5.0, "sleep": slept.append, **options}), slept


def test_a_page_comes_with_status_headers_and_body(web):
    web.pages["/"] = "<p>hi"
    answer = fetcher()[0](web.url + "/")
    assert (answer.status, answer.body, answer.content_type, answer.charset) == (
        200,
        b"<p>hi",
        "text/html",
        "utf-8",
    )
    assert answer.headers["x-crawl-content-length"] == "5"


def test_we_say_who_we_are(web):
    said = []

    def answer(handler):
        said.append((handler.headers["User-Agent"], handler.headers["Host"]))
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")

    web.pages["/"] = answer
    fetcher()[0](web.url + "/")
    assert said == [(AGENT, f"127.0.0.1:{web.port}")]


def test_a_compressed_body_is_unpacked_and_its_encoding_noted(web):
    web.pages["/"] = (200, {"Content-Encoding": "gzip"}, gzip.compress("안녕".encode()))
    answer = fetcher()[0](web.url + "/")
    assert answer.body.decode() == "안녕"
    assert "content-encoding" not in answer.headers
    assert answer.headers["x-crawl-content-encoding"] == "gzip"


def test_an_error_status_is_an_answer(web):
    assert fetcher()[0](web.url + "/missing").status == 404


def test_a_redirect_is_an_answer_and_is_not_followed(web):
    web.pages["/"] = (302, {"Location": "/b"}, b"")
    assert fetcher()[0](web.url + "/").headers["location"] == "/b"
    assert web.asked == ["/"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_error_is_tried_again_with_growing_pauses(web, status):
    web.pages["/"] = (status, {}, b"later")
    fetch, slept = fetcher(tries=4)
    assert fetch(web.url + "/").status == status
    assert len(web.asked) == 4
    assert slept == [1, 2, 4]


def test_a_page_that_comes_at_the_second_try_is_had(web):
    answers = iter([(503, b"busy"), (200, b"here")])

    def answer(handler):
        status, body = next(answers)
        handler.send_response(status)
        handler.end_headers()
        handler.wfile.write(body)

    web.pages["/"] = answer
    assert fetcher()[0](web.url + "/").body == b"here"


@pytest.mark.parametrize(("asked", "waited"), [("7", 7), ("3600", 60), ("soon", 1), ("0", 1)])
def test_the_pause_a_server_asks_for_is_kept_up_to_a_minute(web, asked, waited):
    web.pages["/"] = (503, {"Retry-After": asked}, b"")
    fetch, slept = fetcher(tries=2)
    fetch(web.url + "/")
    assert slept == [waited]


def test_a_missing_page_is_not_tried_again(web):
    fetcher()[0](web.url + "/missing")
    assert web.asked == ["/missing"]


def test_a_page_over_the_limit_is_refused_and_not_tried_again(web):
    web.pages["/"] = b"x" * 5000
    with pytest.raises(Unfetched, match="larger than"):
        fetcher(max_bytes=4000)[0](web.url + "/")
    assert len(web.asked) == 1


def test_a_small_answer_that_unpacks_to_a_large_one_is_refused(web):
    web.pages["/"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(50 << 20)))
    with pytest.raises(Unfetched, match="larger than"):
        fetcher(max_bytes=1 << 20)[0](web.url + "/")


def test_an_endless_page_is_refused_at_the_limit(web):
    def endless(handler):
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while True:
            handler.wfile.write(b"x" * 10_000)

    web.pages["/"] = endless
    with pytest.raises(Unfetched, match="larger than"):
        fetcher(max_bytes=1 << 20)[0](web.url + "/")


def dripping(head: bytes):
    def drip(handler):
        handler.wfile.write(head)
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    return drip


@pytest.mark.parametrize("head", [b"", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
def test_a_server_that_drips_is_given_up_at_the_deadline(web, head):
    web.pages["/"] = dripping(head)
    with pytest.raises(Unfetched, match="within"):
        fetcher(seconds=0.3, tries=1)[0](web.url + "/")


def test_a_silent_server_is_given_up(web):
    web.pages["/"] = lambda handler: time.sleep(2)
    with pytest.raises(Unfetched):
        fetcher(seconds=0.2, tries=1)[0](web.url + "/")


@pytest.mark.parametrize(
    "junk", [b"", b"junk\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"]
)
def test_what_is_no_whole_http_answer_is_unfetched(web, junk):
    web.pages["/"] = lambda handler: handler.wfile.write(junk)
    with pytest.raises(Unfetched, match=r"127\.0\.0\.1"):
        fetcher(tries=1)[0](web.url + "/")


def test_the_connection_is_used_again_after_any_answer(web):
    web.pages |= {"/a": "a", "/b": (500, {}, b"b"), "/c": "c"}
    fetch, _ = fetcher(tries=1)
    assert [fetch(web.url + path).body for path in ("/a", "/b", "/c")] == [b"a", b"b", b"c"]


def test_a_closed_port_is_unfetched_in_words(web):
    with pytest.raises(Unfetched, match="cannot be reached"):
        fetcher(tries=1)[0]("http://127.0.0.1:1/")


def test_an_unknown_name_is_unfetched_in_words():
    with pytest.raises(Unfetched, match="does not resolve"):
        fetcher(tries=1)[0]("http://no-such-host.invalid/")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_a_private_address_is_refused_at_once_and_never_asked(web, host):
    web.pages["/"] = "secret"
    fetch = Fetcher(Gate(), tries=3, sleep=lambda seconds: pytest.fail("no second try"))
    with pytest.raises(Unfetched, match="--allow-private"):
        fetch(f"http://{host}:{web.port}/")
    assert web.asked == []


# TLS: the connection goes to a checked number, the certificate is asked for by name

CERTIFICATE = (
    Path(__file__).parent / "tls" / "public.example.pem"
)  # made for these tests, good for nothing else


@pytest.fixture
def secure():
    """The port of a TLS server that is certified as public.example and answers one request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            plain, _ = listener.accept()
            with context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nsecure")
        except OSError:
            pass  # a client that does not trust us hangs up; the test ends

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.close()
    thread.join(10)


def everywhere(host, port, type):
    return [(socket.AF_INET, type, 6, "", ("127.0.0.1", port))]


HOME = Gate(allow_private=True, resolve=everywhere)


def test_a_certificate_is_checked_against_the_name_not_the_number(secure, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    assert Fetcher(HOME, seconds=5, tries=1)(f"https://public.example:{secure}/").body == b"secure"


def test_a_certificate_for_another_name_is_refused(secure, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with pytest.raises(Unfetched, match=r"[Cc]ertificate|CERTIFICATE"):
        Fetcher(HOME, seconds=5, tries=1)(f"https://other.example:{secure}/")


def test_a_certificate_nobody_vouches_for_is_refused(secure, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(Unfetched, match=r"[Cc]ertificate|CERTIFICATE"):
        Fetcher(HOME, seconds=5, tries=1)(f"https://public.example:{secure}/")
