"""robots.txt as RFC 9309 reads it, with the old Crawl-delay beside it.

Python's urllib.robotparser takes the first rule that fits and knows no `*` or `$`; the RFC (and every site
that tests its rules with a search engine's tool) means the longest. A file that is in truth an HTML page, as
pydoc and many a single-page site answer, is no robots.txt: all is allowed. Sitemaps are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

AGENT = "nextword"
LARGEST = 500 * 1024  # the RFC's own limit


@dataclass(frozen=True)
class Rule:
    """One Allow or Disallow line."""

    is_allowed: bool
    pattern: str

    def fits(self, target: str) -> bool:
        """Whether the pattern (`*` any run, `$` the end) matches the beginning of a path with its query."""
        pattern, is_whole = (self.pattern[:-1], True) if self.pattern.endswith("$") else (self.pattern, False)
        first, *rest = pattern.split("*")
        if not target.startswith(first):
            return False
        at = len(first)
        for piece in rest[:-1] if is_whole else rest:  # leftmost fits best: no backtracking, linear time
            at = target.find(piece, at)
            if at < 0:
                return False
            at += len(piece)
        if not is_whole:
            return True
        return len(target) - len(rest[-1]) >= at and target.endswith(rest[-1]) if rest else at == len(target)


@dataclass(frozen=True)
class Robots:
    """What a site asks of us."""

    rules: tuple[Rule, ...] = ()
    delay: float = 0.0

    def allows(self, target: str) -> bool:
        """Whether a path with its query may be fetched: the longest rule that fits decides."""
        fitting = [rule for rule in self.rules if rule.fits(target)]
        best = max(fitting, key=lambda rule: (len(rule.pattern), rule.is_allowed), default=None)
        return best is None or best.is_allowed or target == "/robots.txt"


ALLOW_ALL = Robots()
DISALLOW_ALL = Robots((Rule(False, "/"),))


def parse_robots(body: bytes, content_type: str = "text/plain", agent: str = AGENT) -> Robots:
    """The rules for us: those of the groups that name our agent, else those for `*`."""
    text = body[:LARGEST].decode("utf-8-sig", "replace")
    if "html" in content_type or text.lstrip()[:1] == "<":
        return ALLOW_ALL
    named: list[Rule] = []
    general: list[Rule] = []
    delays = {"named": 0.0, "general": 0.0}
    is_named, agents, is_open = False, set[str](), False
    for line in re.split(r"\r\n|\r|\n", text):
        key, _, value = line.split("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent":
            agents = agents | {value.lower()} if is_open else {value.lower()}
            is_open = True
            is_named = is_named or agent in agents
        elif key in ("allow", "disallow", "crawl-delay"):
            is_open = False
            for group, rules, belongs in (
                ("named", named, agent in agents),
                ("general", general, "*" in agents),
            ):
                if belongs and key == "crawl-delay":
                    delays[group] = _seconds(value)
                elif belongs and value:
                    rules.append(Rule(key == "allow", _spelling(value)))
    return Robots(tuple(named), delays["named"]) if is_named else Robots(tuple(general), delays["general"])


def _spelling(pattern: str) -> str:
    """The pattern in the spelling our addresses have: escapes in capitals, other letters escaped."""
    escaped = "".join(
        char if char.isascii() else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
        for char in pattern
    )
    escaped = re.sub(r"%[0-9a-f]{2}", lambda found: found[0].upper(), escaped, flags=re.IGNORECASE)
    return escaped if escaped[:1] in ("/", "*") else "/" + escaped


def _seconds(value: str) -> float:
    try:
        return min(max(0.0, float(value)), 3600.0)  # in this order, nan is 0
    except ValueError:
        return 0.0
