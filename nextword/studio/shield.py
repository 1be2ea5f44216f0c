"""What stands before every route: who asks, how much they send, and what a browser may do with the answer.

- The `Host` must be ours: localhost, the public name, or a bare IP address. A page elsewhere whose name is
  made to point here (DNS rebinding) comes with its own name and gets nothing.
- Whatever changes something and says where it comes from (`Origin`) must come from this very host.
- A body has a limit, counted while it arrives; a length that is merely claimed is not trusted.
- Every answer forbids framing, sniffing, and scripts, styles or connections from anywhere but here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nextword.studio.refusal import refusal

SAFE = ("GET", "HEAD", "OPTIONS")
MOST_JSON = 2 << 20
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # an invitation's link is a secret
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Shield:
    """ASGI middleware, the outermost of ours."""

    def __init__(self, app: ASGIApp, public_host: str, is_secure: bool, import_bytes: int) -> None:
        self.app, self.public_host, self.is_secure = app, public_host, is_secure
        self.import_bytes = import_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or let through with a counted body and the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        outward = self._armoured(scope, send)
        host = headers.get("host", "")
        if not self._is_ours(host):
            await refusal(403, "host", "not this server's address")(scope, receive, outward)
        elif scope["method"] not in SAFE and not self._is_from_here(headers, host):
            await refusal(403, "origin", "a request from another site")(scope, receive, outward)
        else:
            await self._limited(scope, receive, outward)

    def _is_ours(self, host: str) -> bool:
        name = _name(host)
        return _is_ip(name) or name == "localhost" or (name != "" and name == self.public_host)

    def _is_from_here(self, headers: Headers, host: str) -> bool:
        """Browsers say where a request comes from; programs, which carry nobody's cookie, need not."""
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin", f"http://{host}").partition("://")[2].lower()
        return origin == host.lower() or (_name(origin) != "" and _name(origin) == self.public_host)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_import = scope["path"].startswith("/api/projects/") and scope["path"].endswith("/import")
        most, come = self.import_bytes if is_import else MOST_JSON, 0
        claimed = Headers(scope=scope).get("content-length", "0")
        if claimed.isdecimal() and int(claimed[:20]) > most:
            answer = refusal(413, "too_large", f"at most {most:,} bytes", {"most": most})
            await answer(scope, receive, send)
            return

        async def counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > most:
                raise HTTPException(413, f"at most {most:,} bytes")
            return message

        await self.app(scope, counted, send)

    def _armoured(self, scope: MutableMapping[str, Any], send: Send) -> Send:
        async def outward(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ALWAYS.items():
                    headers[name] = value
                if scope["path"].startswith("/api/"):
                    headers["Cache-Control"] = "no-store"
                if self.is_secure:
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        return outward


def _name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
