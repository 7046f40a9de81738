"""As much of a web framework as the probe needs. A real one takes several times as long to import, for each launch."""

import asyncio
import inspect
import json
import re
from collections.abc import AsyncIterator, Callable
from urllib.parse import parse_qsl

ROUTES: list[tuple[re.Pattern, tuple[str, ...], Callable]] = []
MOUNTS: dict[str, Callable] = {}


class Request:
    """What was asked, with the named parts of its path."""

    def __init__(self, scope, receive):
        self.scope, self.receive = scope, receive
        self.parts: dict[str, str] = {}
        self.query = dict(parse_qsl(scope["query_string"].decode()))
        self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]

    def header(self, name: str) -> str:
        return dict(self.headers).get(name, "")

    async def stream(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self.receive()
            more = message.get("more_body", False)
            yield message.get("body", b"")

    async def body(self) -> bytes:
        return b"".join([part async for part in self.stream()])


class Answer:
    """A body, whole or in parts, with what goes before it."""

    def __init__(self, body: bytes | AsyncIterator[bytes] = b"", kind: str = "", status: int = 200, headers=()):
        self.body, self.status = body, status
        self.headers = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        if kind:
            self.headers.append((b"content-type", kind.encode()))
        if isinstance(body, bytes) and status not in (204, 304):
            self.headers.append((b"content-length", str(len(body)).encode()))

    async def to(self, receive, send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        if isinstance(self.body, bytes):
            return await send({"type": "http.response.body", "body": self.body})
        # Nobody goes on for a client that has gone.
        either = [asyncio.create_task(self.parts(send)), asyncio.create_task(disconnected(receive))]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        for task in either:
            task.cancel()

    async def parts(self, send) -> None:
        async for part in self.body:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})


async def disconnected(receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def as_json(value, status: int = 200, headers=()) -> Answer:
    return Answer(json.dumps(value, ensure_ascii=False).encode(), "application/json", status, headers)


def as_text(text: str, status: int = 200, headers=()) -> Answer:
    body = b"" if status == 304 else text.encode()
    return Answer(body, "text/plain; charset=utf-8", status, headers)


def route(path: str, *methods: str):
    """What answers at a path. It is handed the request, in a thread if it is no coroutine, and what it gives is JSON or an answer."""

    def add(handler: Callable) -> Callable:
        pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path.replace("{rest}", ".*"))
        ROUTES.append((re.compile(pattern), methods or ("GET",), handler))
        return handler

    return add


def mount(path: str, application: Callable) -> None:
    """An application for all that is below a path."""
    MOUNTS[path] = application


async def answer(request: Request) -> Answer:
    allowed: tuple[str, ...] = ()
    for pattern, methods, handler in ROUTES:
        match = pattern.fullmatch(request.scope["path"])
        if match and request.scope["method"] in methods:
            request.parts = match.groupdict()
            return await called(handler, request)
        allowed = allowed or (methods if match else ())
    if allowed:
        return as_json({"detail": "Method Not Allowed"}, 405, [("allow", ", ".join(allowed))])
    return as_json({"detail": "Not Found"}, 404)


async def called(handler: Callable, request: Request) -> Answer:
    if inspect.iscoroutinefunction(handler):
        given = await handler(request)
    else:
        given = await asyncio.to_thread(handler, request)
    return given if isinstance(given, Answer) else as_json(given)


async def app(scope, receive, send) -> None:
    for path, application in MOUNTS.items():
        if scope["type"] != "lifespan" and scope["path"].startswith(path):
            return await application(scope, receive, send)
    assert scope["type"] == "http"
    await (await answer(Request(scope, receive))).to(receive, send)
