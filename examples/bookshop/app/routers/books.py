"""The catalogue."""

import csv
import io
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, status
from fastapi.responses import StreamingResponse
from sqlalchemy import func, select

from app.database import DatabaseSession, SessionLocal
from app.models import Author, Book
from app.schemas import BookChange, BookIn, BookOut, BookPage
from app.security import CurrentCustomer

router = APIRouter(prefix="/books", tags=["books"])


@router.get("", response_model=BookPage)
def list_books(
    session: DatabaseSession,
    q: Annotated[str | None, Query(description="Part of a title or of an author's name")] = None,
    in_stock: Annotated[bool, Query(description="Only what can be ordered now")] = False,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> dict:
    """Books by title, a page at a time."""
    wanted = select(Book).join(Book.author)
    if q:
        wanted = wanted.where(Book.title.icontains(q) | Author.name.icontains(q))
    if in_stock:
        wanted = wanted.where(Book.stock > 0)
    total = session.scalar(select(func.count()).select_from(wanted.subquery()))
    items = session.scalars(wanted.order_by(Book.title).limit(limit).offset(offset)).all()
    return {"total": total, "items": items}


@router.get("/export.csv", response_class=StreamingResponse)
def export_books() -> StreamingResponse:
    """The whole catalogue as CSV, streamed row by row."""

    def rows() -> Iterator[str]:
        yield "id,title,author,year,price,stock\r\n"
        with SessionLocal() as session:
            for book in session.scalars(select(Book).order_by(Book.id)).unique():
                line = io.StringIO()
                price = f"{book.price_cents / 100:.2f}"
                csv.writer(line).writerow([book.id, book.title, book.author.name, book.year, price, book.stock])
                yield line.getvalue()

    headers = {"Content-Disposition": 'attachment; filename="books.csv"'}
    return StreamingResponse(rows(), media_type="text/csv", headers=headers)


@router.get("/{book_id}", response_model=BookOut)
def get_book(book_id: int, session: DatabaseSession) -> Book:
    """One book."""
    return find(session, book_id)


@router.post("", response_model=BookOut, status_code=status.HTTP_201_CREATED)
def create_book(body: BookIn, session: DatabaseSession, _: CurrentCustomer) -> Book:
    """Adds a book. Needs a token."""
    if session.get(Author, body.author_id) is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such author.")
    book = Book(**body.model_dump())
    session.add(book)
    session.commit()
    session.refresh(book)
    return book


@router.patch("/{book_id}", response_model=BookOut)
def change_book(book_id: int, body: BookChange, session: DatabaseSession, _: CurrentCustomer) -> Book:
    """Changes a book's title, price or stock. Needs a token."""
    book = find(session, book_id)
    for field, value in body.model_dump(exclude_none=True).items():
        setattr(book, field, value)
    session.commit()
    return book


@router.delete("/{book_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_book(book_id: int, session: DatabaseSession, _: CurrentCustomer) -> None:
    """Takes a book off the shelves. Needs a token."""
    session.delete(find(session, book_id))
    session.commit()


def find(session: DatabaseSession, book_id: int) -> Book:
    book = session.get(Book, book_id)
    if book is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such book.")
    return book
