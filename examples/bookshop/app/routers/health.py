"""Whether the shop is open."""

from fastapi import APIRouter
from sqlalchemy import func, select

from app.database import DatabaseSession
from app.models import Book
from app.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/health")
def health(session: DatabaseSession) -> Health:
    """Asks the database, so that "ok" means it."""
    return Health(status="ok", books=session.scalar(select(func.count(Book.id))) or 0)
