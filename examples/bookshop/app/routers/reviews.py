"""What readers think."""

from collections.abc import Sequence

from fastapi import APIRouter, status
from sqlalchemy import select

from app.database import DatabaseSession
from app.models import Review
from app.routers.books import find
from app.schemas import ReviewIn, ReviewOut

router = APIRouter(prefix="/books/{book_id}/reviews", tags=["reviews"])


@router.get("", response_model=list[ReviewOut])
def list_reviews(book_id: int, session: DatabaseSession) -> Sequence[Review]:
    """A book's reviews, newest first."""
    find(session, book_id)
    wanted = select(Review).where(Review.book_id == book_id)
    return session.scalars(wanted.order_by(Review.created_at.desc())).all()


@router.post("", response_model=ReviewOut, status_code=status.HTTP_201_CREATED)
def write_review(book_id: int, body: ReviewIn, session: DatabaseSession) -> Review:
    """Reviews a book; anybody may."""
    review = Review(book_id=find(session, book_id).id, **body.model_dump())
    session.add(review)
    session.commit()
    return review
