"""How to behave towards each host, learned before its first page: robots.txt, the pause between requests, and
how it answers for a page that it does not have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from nextword.data.address import normal, origin, target
from nextword.data.archive import Page
from nextword.data.fetch import Fetch, Response, Unfetched
from nextword.data.links import ErrorSample, Look
from nextword.data.robots import ALLOW_ALL, DISALLOW_ALL, Robots, parse_robots

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PROBE = "nextword-no-such-page-7f3a.html"


class Manners:
    """What is known of each origin (scheme, host and port). Crawls of one site may share it.

    `delay` gives the least pause in seconds between two requests for an address's host.
    """

    def __init__(
        self,
        delay: Callable[[str], float],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        self.delay, self.clock, self.sleep = delay, clock, sleep
        self._robots: dict[str, Robots] = {}
        self._samples: dict[str, ErrorSample] = {}
        self._fronts: set[str] = set()
        self._last: dict[str, float] = {}  # when an origin was last asked

    def ask(self, url: str, fetch: Fetch) -> Response:
        """Fetch, after the pause that the host is owed. Raises Unfetched."""
        place = origin(url)
        pause = max(self.delay(url), self._robots.get(place, ALLOW_ALL).delay)
        if pause and place in self._last and (wait := self._last[place] + pause - self.clock()) > 0:
            self.sleep(wait)
        try:
            return fetch(url)
        finally:
            self._last[place] = self.clock()

    def meet(self, url: str, fetch: Fetch) -> Iterator[Response | Unfetched]:
        """Learn about the address's origin, unless it is known; gives the answers to keep.

        An unreachable robots.txt, or a server's error in its place, means keep out (RFC 9309, 2.3.1.4).
        """
        place = origin(url)
        if place not in self._robots:
            try:
                answer = self._robots_answer(place + "/robots.txt", fetch)
                self._learn_robots(answer)
                yield answer
            except Unfetched as error:
                self._robots[place] = DISALLOW_ALL
                yield error
        if place not in self._samples:
            self._samples[place] = ErrorSample()
            probe = f"{place}/{PROBE}"
            if self.allows(probe):
                try:
                    answer = self.ask(probe, fetch)
                    self._learn_sample(answer)
                    yield answer
                except Unfetched as error:
                    yield error

    def recall(self, page: Page) -> bool:
        """Learn from an archived answer; whether it was one of those that `meet` gives."""
        answer = Response(page.url, page.status, page.headers, page.body)
        if target(page.url) == "/robots.txt":
            self._learn_robots(answer)
        elif target(page.url) == "/" + PROBE:
            self._learn_sample(answer)
        else:
            return False
        return True

    def allows(self, url: str) -> bool:
        """Whether robots.txt lets us fetch the address."""
        return self._robots.get(origin(url), ALLOW_ALL).allows(target(url))

    def is_error_page(self, url: str, look: Look) -> bool:
        """Whether a page answered with 200 is like the answer for a page that does not exist."""
        place = origin(url)
        if place not in self._fronts:  # the first page of an origin is its front, and whole by definition
            self._fronts.add(place)
            self._samples[place] = self._samples.get(place, ErrorSample()).unlike(url, look)
            return False
        return self._samples[place].fits(url, look)

    def _robots_answer(self, url: str, fetch: Fetch) -> Response:
        answer = self.ask(url, fetch)
        for _ in range(5):  # redirects (RFC 9309, 2.3.1.2)
            there = normal(answer.headers.get("location", ""), answer.url)
            if answer.status not in REDIRECTS or not there:
                break
            answer = self.ask(there, fetch)
        return Response(url, answer.status, answer.headers, answer.body)

    def _learn_robots(self, answer: Response) -> None:
        if 200 <= answer.status < 300:
            robots = parse_robots(answer.body, answer.content_type)
        else:
            robots = DISALLOW_ALL if answer.status >= 500 or answer.status == 429 else ALLOW_ALL
        self._robots[origin(answer.url)] = robots

    def _learn_sample(self, answer: Response) -> None:
        sample = ErrorSample()
        if answer.status == 200:
            sample = ErrorSample.of(answer.url, Look.at(answer.url, answer.body, answer.charset))
        self._samples[origin(answer.url)] = sample
