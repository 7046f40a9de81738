"""What happens right now: sales as server-sent events, and a chat."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

from app.seed import CATALOGUE

router = APIRouter(prefix="/live", tags=["live"])
TITLES = [title for titles in CATALOGUE.values() for title, *_ in titles]
chatting: set[WebSocket] = set()


@router.get("/sales", response_class=StreamingResponse)
async def sales(
    count: Annotated[int, Query(ge=1, le=1000, description="How many sales to tell")] = 10,
    interval: Annotated[float, Query(ge=0, le=10, description="Seconds between two of them")] = 0.5,
) -> StreamingResponse:
    """Imaginary sales, as server-sent events."""

    async def events() -> AsyncIterator[str]:
        for number in range(1, count + 1):
            sale = {"title": random.choice(TITLES), "quantity": random.randint(1, 3)}
            yield f"id: {number}\nevent: sale\ndata: {json.dumps(sale)}\n\n"
            await asyncio.sleep(interval)

    return StreamingResponse(events(), media_type="text/event-stream")


@router.websocket("/chat")
async def chat(websocket: WebSocket, name: str = "reader") -> None:
    """Passes what one reader says on to all of them."""
    await websocket.accept()
    chatting.add(websocket)
    try:
        await websocket.send_json({"from": "shop", "text": f"Welcome, {name}!", "readers": len(chatting)})
        while True:
            text = await websocket.receive_text()
            for reader in list(chatting):
                await reader.send_json({"from": name, "text": text})
    except WebSocketDisconnect:
        pass
    finally:
        chatting.discard(websocket)
