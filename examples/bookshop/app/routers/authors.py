"""Authors."""

from collections.abc import Sequence

from fastapi import APIRouter, HTTPException, status
from sqlalchemy import select

from app.database import DatabaseSession
from app.models import Author
from app.schemas import AuthorIn, AuthorOut
from app.security import CurrentCustomer

router = APIRouter(prefix="/authors", tags=["authors"])


@router.get("", response_model=list[AuthorOut])
def list_authors(session: DatabaseSession) -> Sequence[Author]:
    """All authors, by name."""
    return session.scalars(select(Author).order_by(Author.name)).all()


@router.get("/{author_id}", response_model=AuthorOut)
def get_author(author_id: int, session: DatabaseSession) -> Author:
    """One author."""
    author = session.get(Author, author_id)
    if author is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such author.")
    return author


@router.post("", response_model=AuthorOut, status_code=status.HTTP_201_CREATED)
def create_author(body: AuthorIn, session: DatabaseSession, _: CurrentCustomer) -> Author:
    """Adds an author. Needs a token."""
    if session.scalar(select(Author).where(Author.name == body.name)):
        raise HTTPException(status.HTTP_409_CONFLICT, "This author is already known.")
    author = Author(**body.model_dump())
    session.add(author)
    session.commit()
    return author
