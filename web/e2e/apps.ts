/** Applications that the tests upload. */

/** Takes a minute to import: a launch that is under way for as long as a test looks at it. */
export const SLOW_START = `
import time

from fastapi import FastAPI

print("warming up a very slow model")
time.sleep(60)
app = FastAPI()
`;

export const UNHEALTHY = `
from fastapi import FastAPI, Response

app = FastAPI()


@app.get("/health")
def health() -> Response:
    return Response("the database is gone", status_code=503)


@app.get("/hello")
def hello() -> str:
    return "hello"
`;

/** One route for each kind of answer. */
export const ANSWERS = `
import asyncio
import base64
import logging
import os

from fastapi import Cookie, FastAPI, File, Form, Header, Query, Request, Response, UploadFile
from pydantic import BaseModel, Field

app = FastAPI()
log = logging.getLogger("answers")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC"


@app.get("/health")
def health() -> dict[str, bool]:
    return {"ok": True}


@app.get("/plain", tags=["kinds"])
def plain() -> Response:
    return Response("id,title\\n1,Emma\\n2,Persuasion\\n", media_type="text/csv")


@app.get("/page", tags=["kinds"])
def page() -> Response:
    return Response("<!doctype html><h1>Hello</h1>", media_type="text/html")


@app.get("/claims", tags=["kinds"])
def claims() -> Response:
    return Response("{not json", media_type="application/json")


@app.get("/image", tags=["kinds"])
def image() -> Response:
    return Response(base64.b64decode(PIXEL), media_type="image/png")


@app.get("/binary", tags=["kinds"])
def binary() -> Response:
    return Response(bytes(range(256)) * 8, media_type="application/octet-stream")


@app.get("/large", tags=["kinds"])
def large() -> Response:
    return Response("0123456789abcdef\\n" * 700_000, media_type="text/plain")


@app.delete("/nothing", status_code=204, tags=["kinds"])
def nothing() -> None:
    return None


@app.get("/slow", tags=["trouble"])
async def slow(seconds: float = 30) -> str:
    await asyncio.sleep(seconds)
    return "at last"


@app.get("/die", tags=["trouble"])
def die() -> None:
    print("dying on purpose", flush=True)
    os._exit(3)


@app.get("/fail", tags=["trouble"])
def fail() -> None:
    log.warning("about to fail")
    raise KeyError("isbn")


class Item(BaseModel):
    name: str = Field(min_length=2)
    colour: str = Field(default="red", json_schema_extra={"enum": ["red", "blue"]})


@app.post("/items/{shelf}", tags=["forms"])
def items(shelf: int, item: Item, copies: int = Query(default=2, ge=1, description="How many to add"),
          x_note: str | None = Header(default=None)) -> dict:
    return {"shelf": shelf, "item": item.model_dump(), "copies": copies, "note": x_note}


@app.post("/signup", tags=["forms"])
def signup(email: str = Form(), plan: str = Form(default="free")) -> dict:
    return {"email": email, "plan": plan}


@app.post("/enter", tags=["forms"])
def enter(response: Response) -> str:
    response.set_cookie("visitor", "ada", httponly=True)
    return "welcome"


@app.get("/visitor", tags=["forms"])
def visitor(visitor: str | None = Cookie(default=None)) -> dict[str, str | None]:
    return {"visitor": visitor}


@app.post("/covers", tags=["forms"])
async def covers(request: Request, title: str = Form(), cover: UploadFile = File()) -> dict:
    data = await cover.read()
    return {"title": title, "name": cover.filename, "type": cover.content_type, "bytes": list(data)}
`;
