"""An application for the clients of others: its requirements have them as well."""

import hashlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import StreamingResponse

app = FastAPI()
ends: list[list] = []
CHUNK = 65536
PATTERN = bytes(range(251)) * (CHUNK // 251 + 2)


@app.websocket("/told")
async def told(socket: WebSocket) -> None:
    """Echoes, closes as it is told, and keeps how the other side closed."""
    offered = socket.scope["subprotocols"]
    await socket.accept(subprotocol=offered[-1] if offered else None, headers=[(b"x-of-the-app", b"yes")])
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        text = message.get("text")
        if text is None:
            await socket.send_bytes(message["bytes"])
        elif text.startswith("close "):
            _, code, reason = text.split(" ", 2)
            return await socket.close(int(code), reason)
        else:
            await socket.send_text(text)
    ends.append([message["code"], message.get("reason")])


@app.websocket("/refused")
async def refused(socket: WebSocket) -> None:
    await socket.close()


@app.get("/ends")
async def how_they_ended() -> list[list]:
    return ends


@app.api_route("/echo/{rest:path}", methods=["GET", "HEAD", "POST", "PUT", "DELETE"])
async def echo(request: Request) -> dict:
    body = await request.body()
    return {
        "method": request.method,
        "path": request.scope["raw_path"].decode("latin-1"),
        "query": request.scope["query_string"].decode("latin-1"),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.scope["headers"]],
        "sha256": hashlib.sha256(body).hexdigest(),
        "size": len(body),
    }


@app.get("/bytes/{size}")
async def many(size: int) -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, size, CHUNK):
            yield PATTERN[start % 251 :][: min(CHUNK, size - start)]

    return StreamingResponse(chunks(), media_type="application/octet-stream")


@app.get("/login")
async def login() -> Response:
    response = Response(status_code=303, headers={"location": "/echo/home"})
    response.set_cookie("session", "s 1", httponly=True)
    return response
