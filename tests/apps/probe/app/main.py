"""Routes through which the tests look at a preview from inside."""

import asyncio
import base64
import gzip
import hashlib
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator

from .web import Answer, Request, app, as_text, mount, route

__all__ = ["app"]

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

logger = logging.getLogger("probe")


@route("/health")
async def health(_: Request) -> dict[str, str]:
    """Whether it serves."""
    return {"status": "ok", "by": "the application"}


@route("/echo", *METHODS)
@route("/echo/{rest}", *METHODS)
async def echo(request: Request) -> dict:
    """The request as it arrived."""
    client = request.scope["client"]
    return {
        "method": request.scope["method"],
        "path": request.scope["raw_path"].decode("latin-1"),
        "query": request.scope["query_string"].decode("latin-1"),
        "headers": request.headers,
        "client": client[0] if client else None,
        "scheme": request.scope["scheme"],
        "body": base64.b64encode(await request.body()).decode(),
    }


@route("/env/{name}")
def variable(request: Request) -> dict[str, str | None]:
    return {"value": os.environ.get(request.parts["name"])}


@route("/env")
def variables(_: Request) -> dict[str, str]:
    return dict(os.environ)


@route("/count")
def count(_: Request) -> dict[str, int]:
    """How often this was asked since the database was made."""
    path = os.environ["DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO visits DEFAULT VALUES")
        return {"count": database.execute("SELECT COUNT(*) FROM visits").fetchone()[0]}


@route("/print")
def write(request: Request) -> dict[str, int]:
    target = sys.stderr if request.query.get("stream") == "stderr" else sys.stdout
    times = int(request.query.get("times", 1))
    for number in range(times):
        print(request.query["text"].replace("{n}", str(number)), file=target)
    return {"lines": times}


@route("/raw", "POST")
async def write_raw(request: Request) -> dict[str, int]:
    """The body, to standard output, byte for byte."""
    body = await request.body() * int(request.query.get("repeat", 1))
    await asyncio.to_thread(write_all, body)
    return {"bytes": len(body)}


def write_all(body: bytes) -> None:
    sys.stdout.flush()
    while body:
        body = body[os.write(1, body) :]


@route("/log")
def log(request: Request) -> dict[str, str]:
    level = request.query["level"]
    logger.log(logging.getLevelName(level), request.query["text"])
    return {"level": level}


@route("/threads")
def interleave(request: Request) -> dict[str, int]:
    """Many threads that print at once."""
    threads, lines = int(request.query["threads"]), int(request.query["lines"])

    def speak(name: int) -> None:
        for line in range(lines):
            sys.stdout.write(f"thread {name} line {line}\n")

    speakers = [threading.Thread(target=speak, args=(name,)) for name in range(threads)]
    for speaker in speakers:
        speaker.start()
    for speaker in speakers:
        speaker.join()
    return {"lines": threads * lines}


@route("/errors")
def errors(_: Request) -> dict[str, list]:
    """A route whose name is not its level."""
    return {"errors": []}


@route("/crash")
def crash(_: Request) -> None:
    try:
        {}["shelf"]
    except KeyError as cause:
        raise RuntimeError("the shelf fell over") from cause


@route("/exit")
def leave(_: Request) -> None:
    print("leaving", flush=True)
    os._exit(7)


@route("/kill")
def kill(_: Request) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@route("/spawn")
def spawn(_: Request) -> dict[str, int]:
    """A grandchild in a session of its own, whose parent is gone."""
    script = (
        "import os, subprocess, sys; "
        "p = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'],"
        " start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
        "print(p.pid)"
    )
    out = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, check=True, start_new_session=True)
    return {"pid": int(out.stdout)}


@route("/slow")
async def slow(request: Request) -> dict[str, float]:
    seconds = float(request.query["seconds"])
    await asyncio.sleep(seconds)
    return {"slept": seconds}


@route("/redirect")
async def redirect(request: Request) -> Answer:
    return Answer(status=302, headers=[("location", request.query.get("to", "/elsewhere"))])


@route("/binary")
async def binary(_: Request) -> Answer:
    return Answer(bytes(range(256)), "application/octet-stream")


@route("/text")
async def text(_: Request) -> Answer:
    return as_text("grüß Gott")


@route("/latin1")
async def latin1(_: Request) -> Answer:
    return Answer("grüß Gott".encode("latin-1"), "text/plain; charset=iso-8859-1")


@route("/broken.json")
async def broken(_: Request) -> Answer:
    return Answer(b'{"half": ', "application/json")


@route("/empty")
async def empty(_: Request) -> Answer:
    return Answer(status=204)


@route("/status/{code}")
async def status(request: Request) -> Answer:
    code = int(request.parts["code"])
    return as_text(f"status {code}", code)


@route("/cookies")
async def cookies(_: Request) -> Answer:
    set_cookie = [("set-cookie", f"{name}; Path=/; SameSite=lax") for name in ("one=1", "two=2")]
    return as_text("two", headers=set_cookie)


@route("/matrix/file", "GET", "HEAD")
def file(request: Request) -> Answer:
    content = (bytes(range(251)) * 4_000)[:1_000_000]
    headers = [("accept-ranges", "bytes"), ("etag", '"1"')]
    span = request.header("range").removeprefix("bytes=").split("-")
    if len(span) == 2:
        first, last = int(span[0]), int(span[1] or len(content) - 1)
        headers.append(("content-range", f"bytes {first}-{last}/{len(content)}"))
        return Answer(content[first : last + 1], status=206, headers=headers)
    return Answer(content, headers=headers)


@route("/matrix/gzip")
def compressed(request: Request) -> Answer:
    content = b"pressed " * 10_000
    if "gzip" not in request.header("accept-encoding"):
        return Answer(content)
    headers = [("content-encoding", "gzip"), ("vary", "accept-encoding")]
    return Answer(gzip.compress(content, mtime=0), headers=headers)


async def own_headers(scope, receive, send) -> None:
    headers = [(b"x-many", b"1"), (b"x-many", b"2"), (b"x-latin", b"caf\xe9"), (b"x-empty", b""), (b"warning", b"a,  b")]
    await send({"type": "http.response.start", "status": 299, "headers": headers})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


mount("/matrix/headers", own_headers)


@route("/matrix/nothing")
async def nothing(_: Request) -> Answer:
    return Answer()


@route("/ticks")
async def ticks(_: Request) -> Answer:
    async def lines() -> AsyncIterator[bytes]:
        for number in range(1000):
            yield b"tick %d\n" % number
            await asyncio.sleep(0.1)

    return Answer(lines(), "text/plain; charset=utf-8")


@route("/bytes/{size}")
async def many(request: Request) -> Answer:
    async def chunks() -> AsyncIterator[bytes]:
        left = int(request.parts["size"])
        while left:
            chunk = b"x" * min(left, 65536)
            left -= len(chunk)
            yield chunk

    return Answer(chunks(), "application/octet-stream")


@route("/digest", "POST")
async def digest(request: Request) -> dict:
    """Size and SHA-256 of an upload that is never held whole."""
    size, seen = 0, hashlib.sha256()
    async for chunk in request.stream():
        size += len(chunk)
        seen.update(chunk)
    return {"size": size, "sha256": seen.hexdigest()}


async def mirror(_scope, receive, send) -> None:
    """Each part of the body goes back as soon as it has come."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})


mount("/mirror", mirror)


async def talk(scope, receive, send) -> None:
    """A WebSocket that says what it was asked with, and then what it hears."""
    await receive()
    await send({"type": "websocket.accept"})
    asked = {"query": scope["query_string"].decode(), "headers": [name.decode() for name, _ in scope["headers"]]}
    await send({"type": "websocket.send", "text": json.dumps(asked)})
    while (message := await receive())["type"] != "websocket.disconnect":
        if message.get("text") is not None:
            await send({"type": "websocket.send", "text": "heard " + message["text"]})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"][::-1]})


mount("/ws", talk)
