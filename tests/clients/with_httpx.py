"""`httpx` against a preview's address, over HTTP/1.1 and HTTP/2: ADDRESS TOKEN."""

import hashlib
import sys

import httpx

ADDRESS, TOKEN = sys.argv[1:]
UPLOAD = (bytes(range(249)) * 12_049)[:3_000_000]


def header(answer, name):
    return [value for key, value in answer["headers"] if key == name]


def check(client, version):
    answer = client.get("/echo/a%20b//c;d?x=1&x=2&y=%20", headers=[("x-own", "1"), ("x-own", "2")])
    assert answer.http_version == version, answer.http_version
    seen = answer.json()
    assert (seen["path"], seen["query"]) == ("/echo/a%20b//c;d", "x=1&x=2&y=%20"), seen
    assert header(seen, "x-own") == ["1", "2"] and not header(seen, "x-preview-token"), seen
    for content in (UPLOAD, (UPLOAD[start : start + 100_000] for start in range(0, len(UPLOAD), 100_000))):
        seen = client.post("/echo/up", content=content).json()
        assert (seen["size"], seen["sha256"]) == (len(UPLOAD), hashlib.sha256(UPLOAD).hexdigest()), seen
    with client.stream("GET", "/bytes/3000000") as answer:
        came = b"".join(answer.iter_bytes())
    assert came == (bytes(range(251)) * 11_953)[:3_000_000]
    head = client.head("/echo/x")
    assert head.content == b"" and int(head.headers["content-length"]) > 0
    # Its own cookies come and go; a redirect leads on within the preview.
    answer = client.get("/login", follow_redirects=True)
    assert answer.url.path == "/echo/home" and header(answer.json(), "cookie") == ['session="s 1"'], answer.json()
    assert client.delete("/nowhere").json() == {"detail": "Not Found"}
    if version == "HTTP/1.1":
        # One that was broken off is forgotten. Over HTTP/2 httpx does not tell that it broke off.
        with client.stream("GET", "/bytes/50000000") as answer:
            next(answer.iter_raw())
        assert client.get("/echo/again").json()["path"] == "/echo/again"


options = {"base_url": ADDRESS, "headers": {"X-Preview-Token": TOKEN}, "timeout": 60, "trust_env": False}
with httpx.Client(**options) as client:
    check(client, "HTTP/1.1")
with httpx.Client(http1=False, http2=True, **options) as client:
    check(client, "HTTP/2")
print("well")
