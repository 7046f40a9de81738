"""The application."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from app import logs
from app.database import Base, SessionLocal, engine
from app.routers import auth, authors, books, diagnostics, health, live, orders, pages, reviews
from app.seed import seed

logger = logging.getLogger("bookshop")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    logs.configure()
    Base.metadata.create_all(engine)
    with SessionLocal() as session:
        added = seed(session)
    logger.info("the shop is open, with %d new books on the shelves", added)
    yield
    engine.dispose()
    logger.info("the shop is closed")


app = FastAPI(
    title="Bookshop",
    description="A small bookshop: browse and review books, sign in, order, and watch the sales.",
    version="1.0.0",
    lifespan=lifespan,
)

for module in (pages, health, auth, authors, books, reviews, orders, live, diagnostics):
    app.include_router(module.router)
