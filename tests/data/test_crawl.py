"""Crawling one site: all of it, once, politely, and on from where it was."""

import socket

import pytest

from nextword.common.errors import Failure
from nextword.common.outbound import Gate
from nextword.data.archive import Page
from nextword.data.crawl import Limits, Site, crawl
from nextword.data.fetch import Fetcher
from nextword.data.manners import Manners


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds


def visit(web, start="/", archived=(), delay=0.0, gate=None, clock=None, **limits) -> list[Page]:
    clock = clock or Clock()
    fetch = Fetcher(gate or Gate(allow_private=True), seconds=5, tries=1)
    manners = Manners(lambda url: delay, clock, clock.sleep)
    return list(crawl(Site.at(web.url + start), fetch, manners, Limits(**limits), archived, clock))


def documents(pages: list[Page]) -> list[str]:
    return ["/" + page.url.split("/", 3)[3] for page in pages if page.is_document]


def skipped(pages: list[Page]) -> dict[str, str]:
    return {"/" + page.url.split("/", 3)[3]: page.meta["skip"] for page in pages if "skip" in page.meta}


def links(*targets: str) -> str:
    body = "".join(f'<a href="{target}">{target}</a>' for target in targets)
    return f"<title>a page with {len(targets)} links</title>{body}"


def test_a_site_is_read_breadth_first_and_each_page_once(web):
    web.pages |= {
        "/": links("/a", "/b", "/#top"),
        "/a": links("/c", "/", "/b#x"),
        "/b": links("/d"),
        "/c": links("/a"),
        "/d": "end",
    }
    assert documents(visit(web)) == ["/", "/a", "/b", "/c", "/d"]
    assert web.visited() == ["/", "/a", "/b", "/c", "/d"]


def test_other_sites_and_pictures_are_left_alone(web):
    web.pages["/"] = links("http://other.example/", "//127.0.0.2/", "/a.png", "mailto:a@b.c", "/b")
    web.pages["/b"] = "b"
    assert documents(visit(web)) == ["/", "/b"]


def test_limits_on_pages_and_depth_hold(web):
    web.pages |= {f"/{n}": links(f"/{n + 1}") for n in range(10)}
    assert documents(visit(web, "/0", max_pages=3)) == ["/0", "/1", "/2"]
    assert documents(visit(web, "/0", max_depth=4)) == ["/0", "/1", "/2", "/3", "/4"]


def test_the_time_limit_ends_it(web):
    web.pages |= {f"/{n}": links(f"/{n + 1}") for n in range(10)}
    got = documents(visit(web, "/0", delay=1.0, until=3.5))
    assert got == ["/0", "/1", "/2"]


def test_robots_txt_is_obeyed_and_what_it_forbids_is_counted(web):
    web.pages["/robots.txt"] = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /private")
    web.pages |= {"/": links("/private/a", "/b"), "/private/a": "secret", "/b": "b"}
    got = visit(web)
    assert documents(got) == ["/", "/b"]
    assert skipped(got)["/private/a"] == "robots.txt forbids it"
    assert "/private/a" not in web.asked


def test_a_robots_txt_that_is_a_page_forbids_nothing(web):
    web.missing = "<title>Error</title>no such page"
    web.pages |= {"/": links("/b"), "/b": "<title>B</title>b"}
    assert documents(visit(web)) == ["/", "/b"]


def test_a_broken_robots_txt_forbids_all(web):
    web.pages |= {"/robots.txt": (503, {}, b""), "/": "hi"}
    assert documents(visit(web)) == []
    assert web.visited() == []


def test_robots_txt_is_asked_once(web):
    web.pages |= {"/": links("/a", "/b"), "/a": "a", "/b": "b"}
    visit(web)
    assert web.asked.count("/robots.txt") == 1


@pytest.mark.parametrize(
    ("delay", "asked", "pause"), [(1.0, b"", 1.0), (1.0, b"Crawl-delay: 5", 5.0), (0.0, b"", 0)]
)
def test_the_pause_between_requests_is_ours_or_the_sites_if_longer(web, delay, asked, pause):
    web.pages["/robots.txt"] = (200, {"Content-Type": "text/plain"}, b"User-agent: *\n" + asked)
    web.pages |= {"/": links("/a"), "/a": "a"}
    clock = Clock()
    visit(web, delay=delay, clock=clock)
    assert clock.slept == ([pause] * 3 if pause else [])  # before the probe, the page and its link


def test_a_redirect_is_followed_as_a_link(web):
    web.pages |= {"/": (301, {"Location": "/b"}, b""), "/b": links("/"), "/c": "c"}
    got = visit(web)
    assert documents(got) == ["/b"]
    assert skipped(got)["/"] == "redirect"


def test_redirects_in_a_circle_end(web):
    web.pages |= {"/": (302, {"Location": "/b"}, b""), "/b": (302, {"Location": "/"}, b"")}
    assert documents(visit(web)) == []
    assert web.visited() == ["/", "/b"]


def test_redirects_without_end_end(web):
    web.pages |= {f"/{n}": (302, {"Location": f"/{n + 1}"}, b"") for n in range(50)}
    visit(web, "/0")
    assert len(web.visited()) == 11


def test_a_redirect_to_robots_forbidden_ground_is_not_followed(web):
    web.pages["/robots.txt"] = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /private")
    web.pages |= {"/": (302, {"Location": "/private"}, b""), "/private": "secret"}
    assert documents(visit(web)) == []
    assert "/private" not in web.asked


def only(name: str):
    """A resolver that knows one public name, which is our server, and numbers."""

    def resolve(host, port, type):
        if host == name:
            return [(socket.AF_INET, type, 6, "", ("127.0.0.1", port))]
        return socket.getaddrinfo(host, port, type=type)

    return resolve


class OpenOnlyTo(Gate):
    """A gate that takes one name for public and judges every other as always."""

    def addresses(self, host: str, port: int) -> list[tuple[int, str]]:
        gate = Gate(allow_private=host == "public.example", resolve=only("public.example"))
        return gate.addresses(host, port)


def test_a_redirect_to_a_private_address_is_refused(web):
    web.pages |= {"/": (302, {"Location": f"{web.url}/secret"}, b""), "/secret": "secret"}
    seed = f"http://public.example:{web.port}/"
    fetch = Fetcher(OpenOnlyTo(), seconds=5, tries=1)
    got = list(crawl(Site.at(seed), fetch, Manners(lambda url: 0.0), Limits()))
    assert "/secret" not in web.asked
    assert any("private address" in page.meta.get("failure", "") for page in got)


def test_a_first_page_that_moved_to_another_host_takes_the_site_along(web):
    web.pages |= {"/": (301, {"Location": f"http://public.example:{web.port}/new"}, b"")}
    web.pages |= {"/new": links("/b"), "/b": "b"}
    fetch = Fetcher(Gate(allow_private=True, resolve=only("public.example")), seconds=5, tries=1)
    got = list(crawl(Site.at(web.url + "/"), fetch, Manners(lambda url: 0.0), Limits()))
    assert documents(got) == ["/new", "/b"]


def test_error_pages_answered_with_200_are_told_apart(web):
    web.missing = "<title>Error</title>no such page"
    web.pages |= {"/": links("/gone", "/b"), "/b": "<title>B</title>b"}
    got = visit(web)
    assert documents(got) == ["/", "/b"]
    assert skipped(got)["/gone"] == "error page"


def test_what_is_no_document_is_counted_by_reason(web):
    web.pages |= {
        "/": links("/pdf", "/empty", "/404", "/noindex"),
        "/pdf": (200, {"Content-Type": "application/pdf"}, b"%PDF"),
        "/empty": "  ",
        "/noindex": '<meta name="robots" content="noindex"><a href="/behind">x</a>',
        "/behind": "<title>behind</title>text",
    }
    got = visit(web)
    assert documents(got) == ["/", "/behind"]
    reasons = skipped(got)
    assert reasons["/pdf"] == "application/pdf is not text"
    assert (reasons["/empty"], reasons["/404"], reasons["/noindex"]) == ("empty", "HTTP 404", "noindex")


def test_links_marked_nofollow_for_the_page_are_not_followed(web):
    web.pages |= {"/": '<meta name="robots" content="nofollow"><a href="/b">b</a>', "/b": "b"}
    assert documents(visit(web)) == ["/"]


def test_a_page_that_fails_is_named_and_the_rest_goes_on(web):
    web.pages |= {"/": links("/bad", "/b"), "/bad": lambda handler: None, "/b": "b"}
    got = visit(web)
    assert documents(got) == ["/", "/b"]
    (failed,) = [page for page in got if "failure" in page.meta]
    assert failed.url.endswith("/bad")


def test_a_site_that_falls_silent_is_left_and_said_so(web):
    web.pages["/"] = links(*(f"/{n}" for n in range(50)))
    web.pages |= {f"/{n}": lambda handler: None for n in range(50)}
    with pytest.raises(Failure, match="stopped answering"):
        visit(web)
    assert len(web.visited()) == 9


def test_the_declared_charset_is_kept(web):
    web.pages["/"] = (200, {"Content-Type": "text/html; charset=EUC-KR"}, "안녕".encode("cp949"))
    (page,) = [page for page in visit(web) if page.is_document]
    assert (page.charset, page.body) == ("euc-kr", "안녕".encode("cp949"))


def test_links_are_found_in_a_page_of_another_encoding(web):
    body = '<title>목차</title><a href="/다음">다음</a>'.encode("cp949")
    web.pages["/"] = (200, {"Content-Type": "text/html; charset=euc-kr"}, body)
    web.pages["/%EB%8B%A4%EC%9D%8C"] = "next"
    assert documents(visit(web)) == ["/", "/%EB%8B%A4%EC%9D%8C"]


@pytest.mark.parametrize("known", range(9))
def test_a_crawl_goes_on_where_it_was_killed_without_asking_again(web, known):
    web.pages |= {
        "/": links("/a", "/b"),
        "/a": links("/c"),
        "/b": links("/d"),
        "/c": "c",
        "/d": (302, {"Location": "/e"}, b""),
    }
    web.pages["/e"] = "e"
    whole = visit(web)
    first, rest = whole[:known], whole[known:]
    web.asked.clear()
    again = visit(web, archived=first)
    assert [(page.url, page.meta, page.body) for page in again] == [(p.url, p.meta, p.body) for p in rest]
    assert len(web.asked) == len(rest)


def test_only_failures_are_tried_again(web):
    web.pages |= {"/": links("/bad", "/b"), "/bad": lambda handler: None, "/b": "b"}
    first = visit(web)
    web.pages["/bad"] = "good now"
    web.asked.clear()
    assert documents(visit(web, archived=first)) == ["/bad"]
    assert web.asked == ["/bad"]
