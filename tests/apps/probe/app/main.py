"""Routes through which the tests look at a preview from inside."""

import asyncio
import base64
import gzip
import hashlib
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, RedirectResponse, StreamingResponse

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

app = FastAPI()
logger = logging.getLogger("probe")


@app.get("/health")
def health() -> dict[str, str]:
    """Whether it serves."""
    return {"status": "ok", "by": "the application"}


@app.api_route("/echo", methods=METHODS, operation_id="echo_root", include_in_schema=False)
@app.api_route("/echo/{rest:path}", methods=METHODS, operation_id="echo_path", include_in_schema=False)
async def echo(request: Request) -> dict:
    """The request as it arrived."""
    body = await request.body()
    return {
        "method": request.method,
        "path": request.scope["raw_path"].decode("latin-1"),
        "query": request.scope["query_string"].decode("latin-1"),
        "headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in request.scope["headers"]],
        "client": request.client.host if request.client else None,
        "scheme": request.url.scheme,
        "body": base64.b64encode(body).decode(),
    }


@app.get("/env/{name}")
def variable(name: str) -> dict[str, str | None]:
    return {"value": os.environ.get(name)}


@app.get("/env")
def variables() -> dict[str, str]:
    return dict(os.environ)


@app.get("/count")
def count() -> dict[str, int]:
    """How often this was asked since the database was made."""
    path = os.environ["DATABASE_URL"].removeprefix("sqlite:///")
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO visits DEFAULT VALUES")
        return {"count": database.execute("SELECT COUNT(*) FROM visits").fetchone()[0]}


@app.get("/print")
def write(text: str, times: int = 1, stream: str = "stdout") -> dict[str, int]:
    target = sys.stderr if stream == "stderr" else sys.stdout
    for number in range(times):
        print(text.replace("{n}", str(number)), file=target)
    return {"lines": times}


@app.post("/raw")
async def write_raw(request: Request, repeat: int = 1) -> dict[str, int]:
    """The body, to standard output, byte for byte."""
    body = await request.body() * repeat
    await asyncio.to_thread(write_all, body)
    return {"bytes": len(body)}


def write_all(body: bytes) -> None:
    sys.stdout.flush()
    while body:
        body = body[os.write(1, body) :]


@app.get("/log")
def log(level: str, text: str) -> dict[str, str]:
    logger.log(logging.getLevelName(level), text)
    return {"level": level}


@app.get("/threads")
def interleave(threads: int = 4, lines: int = 200) -> dict[str, int]:
    """Many threads that print at once."""

    def speak(name: int) -> None:
        for line in range(lines):
            sys.stdout.write(f"thread {name} line {line}\n")

    speakers = [threading.Thread(target=speak, args=(name,)) for name in range(threads)]
    for speaker in speakers:
        speaker.start()
    for speaker in speakers:
        speaker.join()
    return {"lines": threads * lines}


@app.get("/errors")
def errors() -> dict[str, list]:
    """A route whose name is not its level."""
    return {"errors": []}


@app.get("/crash")
def crash() -> None:
    try:
        {}["shelf"]
    except KeyError as cause:
        raise RuntimeError("the shelf fell over") from cause


@app.get("/exit")
def leave(status: int = 7) -> None:
    print("leaving", flush=True)
    os._exit(status)


@app.get("/kill")
def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@app.get("/spawn")
def spawn() -> dict[str, int]:
    """A grandchild in a session of its own, whose parent is gone."""
    script = (
        "import os, subprocess, sys; "
        "p = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)'],"
        " start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
        "print(p.pid)"
    )
    out = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, check=True, start_new_session=True)
    return {"pid": int(out.stdout)}


@app.get("/slow")
async def slow(seconds: float) -> dict[str, float]:
    await asyncio.sleep(seconds)
    return {"slept": seconds}


@app.get("/redirect")
def redirect(to: str = "/elsewhere") -> RedirectResponse:
    return RedirectResponse(to, 302)


@app.get("/binary")
def binary() -> Response:
    return Response(bytes(range(256)), media_type="application/octet-stream")


@app.get("/text")
def text() -> PlainTextResponse:
    return PlainTextResponse("grüß Gott")


@app.get("/latin1")
def latin1() -> Response:
    return Response("grüß Gott".encode("latin-1"), headers={"content-type": "text/plain; charset=iso-8859-1"})


@app.get("/broken.json")
def broken() -> Response:
    return Response(b'{"half": ', media_type="application/json")


@app.get("/empty", status_code=204)
def empty() -> None:
    return None


@app.get("/status/{code}")
def answer(code: int) -> PlainTextResponse:
    return PlainTextResponse(f"status {code}", status_code=code)


@app.get("/cookies")
def cookies() -> Response:
    response = PlainTextResponse("two")
    response.set_cookie("one", "1")
    response.set_cookie("two", "2")
    return response


@app.api_route("/matrix/file", methods=["GET", "HEAD"])
def file(request: Request) -> Response:
    content = bytes(number % 251 for number in range(1_000_000))
    headers = {"accept-ranges": "bytes", "etag": '"1"'}
    span = request.headers.get("range", "").removeprefix("bytes=").split("-")
    if len(span) == 2:
        first, last = int(span[0]), int(span[1] or len(content) - 1)
        headers["content-range"] = f"bytes {first}-{last}/{len(content)}"
        return Response(content[first : last + 1], 206, headers)
    return Response(content, 200, headers)


@app.get("/matrix/gzip")
def compressed(request: Request) -> Response:
    content = b"pressed " * 10_000
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(content)
    return Response(gzip.compress(content, mtime=0), headers={"content-encoding": "gzip", "vary": "accept-encoding"})


async def own_headers(scope, receive, send) -> None:
    headers = [(b"x-many", b"1"), (b"x-many", b"2"), (b"x-latin", b"caf\xe9"), (b"x-empty", b""), (b"warning", b"a,  b")]
    await send({"type": "http.response.start", "status": 299, "headers": headers})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


app.mount("/matrix/headers", own_headers)


@app.get("/matrix/nothing")
def nothing() -> Response:
    return Response(b"", 200)


@app.get("/ticks")
async def ticks() -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        for number in range(1000):
            yield f"tick {number}\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(lines(), media_type="text/plain")


@app.get("/bytes/{size}")
async def many(size: int) -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        left = size
        while left:
            chunk = b"x" * min(left, 65536)
            left -= len(chunk)
            yield chunk

    return StreamingResponse(chunks(), media_type="application/octet-stream")


@app.post("/digest")
async def digest(request: Request) -> dict:
    """Size and SHA-256 of an upload that is never held whole."""
    size, seen = 0, hashlib.sha256()
    async for chunk in request.stream():
        size += len(chunk)
        seen.update(chunk)
    return {"size": size, "sha256": seen.hexdigest()}


async def mirror(scope, receive, send) -> None:
    """Each part of the body goes back as soon as it has come. Starlette's responses would take parts for themselves."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": more})


app.mount("/mirror", mirror)


@app.websocket("/ws")
async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json(
        {"query": websocket.scope["query_string"].decode(), "headers": [k.decode() for k, _ in websocket.scope["headers"]]}
    )
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") is not None:
                await websocket.send_text("heard " + message["text"])
            else:
                await websocket.send_bytes(message["bytes"][::-1])
    except WebSocketDisconnect:
        pass
