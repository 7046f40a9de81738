"""HTTP/1.1 by the byte, in the place of uvicorn's own: trailers and interim answers are beyond ASGI."""

import asyncio

import uvicorn.config

# What is sent as soon as the head of a request has come, by its path.
EARLY = {
    b"/asks": b"HTTP/1.1 100 Continue\r\n\r\n",
    b"/hints": b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n",
    b"/late": b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n",
}
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: wire\r\n\r\n"
REFUSAL = b"HTTP/1.1 417 Expectation Failed\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno"
HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n"


class Wire(asyncio.Protocol):
    """Answers each request with the bytes that it consisted of, and with a trailer."""

    def __init__(self, **_):
        self.begin()

    def begin(self):
        self.received = b""
        self.begun = False

    def connection_made(self, transport):
        self.transport = transport
        self.switched = False

    def data_received(self, data):
        if self.switched:
            return self.transport.write(data)
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return
        path = head.split(b" ")[1]
        if path == b"/switch":
            self.switched = True
            return self.transport.write(SWITCH + b"hello" + body)
        if not self.begun:
            self.begun = True
            self.transport.write(EARLY.get(path, b""))
            if path == b"/refuses":
                self.transport.write(REFUSAL)
                return self.transport.close()
        if is_whole(head.lower(), body):
            if path == b"/late":
                self.begin()
                return self.transport.write(b"late")
            chunk = b"%x\r\n%s\r\n" % (len(self.received), self.received)
            self.transport.write(HEAD + chunk + b"0\r\nx-sum: 7\r\n\r\n")
            self.begin()

    def eof_received(self):
        if self.switched:
            self.transport.write(b"goodbye")


def is_whole(head, body):
    if b"\r\ntransfer-encoding: chunked" in head:
        return (body.startswith(b"0\r\n") or b"\r\n0\r\n" in body) and body.endswith(b"\r\n\r\n")
    _, _, length = head.partition(b"\r\ncontent-length: ")
    return len(body) >= int(length.split(b"\r\n")[0] or 0)


async def app(scope, receive, send):
    raise RuntimeError("nobody calls this")


uvicorn.config.HTTP_PROTOCOLS["auto"] = "app.main:Wire"
