"""The `websockets` library against a preview's address, as a suite of what a WebSocket does: ADDRESS TOKEN."""

import asyncio
import json
import os
import sys
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

ADDRESS, TOKEN = sys.argv[1:]
SOCKET = ADDRESS.replace("http", "ws", 1)
SIZES = [0, 1, 125, 126, 127, 65535, 65536, 5_000_000]


def open_socket(path="/told", **options):
    headers = {"X-Preview-Token": TOKEN}
    return connect(SOCKET + path, additional_headers=headers, max_size=None, proxy=None, **options)


def ends():
    request = urllib.request.Request(ADDRESS + "/ends", headers={"X-Preview-Token": TOKEN})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


async def messages(compression):
    async with open_socket(compression=compression) as socket:
        extensions = socket.response.headers.get("Sec-WebSocket-Extensions", "")
        assert ("permessage-deflate" in extensions) == (compression is not None), extensions
        assert socket.response.headers["x-of-the-app"] == "yes"
        for size in SIZES:
            binary, text = os.urandom(size), "✓é" * (size // 2)
            await socket.send(binary)
            assert await socket.recv() == binary, size
            await socket.send(text)
            assert await socket.recv() == text, size
        # In fragments, of which some are empty and one ends within nothing.
        for parts in (["one, ", "", "two, ", "✓"], [b"\x00", os.urandom(70_000), b"", b"\xff"]):
            await socket.send(parts)
            assert await socket.recv() == type(parts[0])().join(parts)
        for payload in (b"", b"ping", os.urandom(125)):
            await asyncio.wait_for(await socket.ping(payload), 20)
        # Pings between the fragments of a message.
        async def slowly():
            for number in range(5):
                yield f"{number} "
                await (await socket.ping())

        await socket.send(slowly())
        assert await socket.recv() == "0 1 2 3 4 "


async def subprotocols():
    async with open_socket(subprotocols=["chat.v1", "chat.v2"]) as socket:
        assert socket.subprotocol == "chat.v2", socket.subprotocol
    async with open_socket() as socket:
        assert socket.subprotocol is None


async def closes():
    for code, reason in [(1000, ""), (1001, "going"), (3000, "r" * 123), (4999, "ünïcode")]:
        socket = await open_socket()
        await socket.close(code, reason)
        assert socket.protocol.close_rcvd.code == code
    for _ in range(100):
        if len(ends()) >= 4:
            break
        await asyncio.sleep(0.1)
    mine = [end for end in ends() if end[0] in (1001, 3000, 4999)]
    assert [1001, "going"] in mine and [3000, "r" * 123] in mine and [4999, "ünïcode"] in mine, mine
    for code, reason in [(1000, "done"), (1011, "broken"), (4321, "yours")]:
        async with open_socket() as socket:
            await socket.send(f"close {code} {reason}")
            try:
                await socket.recv()
            except ConnectionClosed as closed:
                assert (closed.rcvd.code, closed.rcvd.reason) == (code, reason), closed
            else:
                raise AssertionError("it is still open")
    try:
        await open_socket("/refused")
    except InvalidStatus as refused:
        assert refused.response.status_code == 403
        assert b"preview_token" not in refused.response.body, "the application refused it"
    else:
        raise AssertionError("it was let in")


async def crowd():
    async def one(number):
        async with open_socket() as socket:
            for size in range(0, 3000, 300):
                message = bytes([number]) * size
                await socket.send(message)
                assert await socket.recv() == message

    await asyncio.gather(*(one(number) for number in range(50)))


async def main():
    await messages(None)
    await messages("deflate")
    await subprotocols()
    await closes()
    await crowd()
    print("well")


asyncio.run(main())
