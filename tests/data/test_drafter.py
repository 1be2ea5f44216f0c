"""A drafter behind a real HTTP server that speaks the chat completions protocol."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from nextword.common.dialogue import read_conversations
from nextword.common.errors import BadInput
from nextword.data.propose import KEY, ProposeSettings, propose

PAGE = """# Pool

## Opening

The pool opens at seven and closes at nine in the evening.

## Guests

Children swim with a grown-up beside them at all times.
"""
QUOTES = {
    "When does the pool open?": "The pool opens at seven and closes at nine in the evening.",
    "How do children swim?": "Children swim with a grown-up beside them at all times.",
}


@dataclass
class Endpoint:
    """What it says as the model's answer (or as the whole body), and what it was asked."""

    says: str = ""
    body: bytes | None = None
    status: int = 200
    port: int = 0
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def settings(self) -> ProposeSettings:
        return ProposeSettings(drafter=f"http://127.0.0.1:{self.port}/v1/", model="tiny", allow_private=True)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    found = Endpoint()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append({"path": self.path, **asked})
            found.keys.append(self.headers.get("Authorization", ""))
            message = {"role": "assistant", "content": found.says}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"id": "1", "object": "chat.completion", "model": "tiny", "choices": [choice]}
            body = json.dumps(answer).encode() if found.body is None else found.body
            self.send_response(found.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture
def drafted(tmp_path, endpoint):
    """What comes of the page when the endpoint says something: counts, and conversations."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "pool.md").write_text(PAGE)

    def draft(says: str):
        endpoint.says = says
        made = propose(endpoint.settings, tmp_path / "docs", tmp_path / "out.jsonl")
        return made, list(read_conversations(tmp_path / "out.jsonl"))

    return draft


def listed(quotes: dict[str, str]) -> str:
    return json.dumps([{"question": question, "quote": quote} for question, quote in quotes.items()])


def test_questions_come_from_the_model_and_answers_from_the_page(drafted, endpoint):
    made, rows = drafted(f"Here you are:\n```json\n{listed(QUOTES)}\n```")
    assert made["proposals"] == 2 and made["rules"] == {"drafter:tiny": 2}
    answers = {row.messages[0].content: row.messages[2].content for row in rows}
    assert answers == {question: f'"{quote}" (Pool)' for question, quote in QUOTES.items()}


def test_it_is_asked_as_the_protocol_says_with_the_page_as_a_user_s_message(drafted, endpoint, monkeypatch):
    monkeypatch.setenv(KEY, "top-secret")
    drafted(listed(QUOTES))
    (asked,) = endpoint.asked
    assert (asked["path"], asked["model"], asked["temperature"]) == ("/v1/chat/completions", "tiny", 0)
    assert [each["role"] for each in asked["messages"]] == ["system", "user"]
    assert all(quote in asked["messages"][1]["content"] for quote in QUOTES.values())
    assert endpoint.keys == ["Bearer top-secret"]


def test_a_quote_that_is_not_in_the_page_is_refused_and_counted(drafted):
    made, rows = drafted(listed({**QUOTES, "Is it warm?": "The water is warm all the year round."}))
    assert (made["refused"], len(rows)) == (1, 2)


@pytest.mark.parametrize(
    "says", ["I would rather not.", "[1, 2]", "[" * 5000, '[{"question": 1, "quote": 2}]', "[]"]
)
def test_an_answer_without_a_question_gives_nothing_to_ask(drafted, says):
    with pytest.raises(BadInput, match="nothing to ask about"):
        drafted(says)


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, b"{}", "answers HTTP 500"),
        (302, b"", "answers HTTP 302"),
        (200, b"<html>", "no chat completion"),
    ],
)
def test_an_endpoint_that_does_not_work_is_one_clear_line(drafted, endpoint, status, body, why):
    endpoint.status, endpoint.body = status, body
    with pytest.raises(BadInput, match=why) as caught:
        drafted("")
    assert f"127.0.0.1:{endpoint.port}" in str(caught.value)
