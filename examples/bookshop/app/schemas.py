"""What goes over the wire."""

from datetime import datetime, timezone
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def in_utc(moment: datetime) -> datetime:
    """SQLite forgets the time zone; all times of the shop are in UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


Moment = Annotated[datetime, AfterValidator(in_utc)]


class Stored(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int


class AuthorIn(BaseModel):
    name: str = Field(min_length=1, max_length=120, examples=["Octavia E. Butler"])
    country: str | None = Field(default=None, max_length=80, examples=["United States"])


class AuthorOut(Stored, AuthorIn):
    pass


class BookIn(BaseModel):
    title: str = Field(min_length=1, max_length=200, examples=["Kindred"])
    year: int = Field(ge=-3000, le=2100, examples=[1979])
    price_cents: int = Field(ge=0, examples=[1299])
    stock: int = Field(default=0, ge=0, examples=[12])
    author_id: int


class BookChange(BaseModel):
    title: str | None = Field(default=None, min_length=1, max_length=200)
    price_cents: int | None = Field(default=None, ge=0)
    stock: int | None = Field(default=None, ge=0)


class BookOut(Stored):
    title: str
    year: int
    price_cents: int
    stock: int
    author: AuthorOut


class BookPage(BaseModel):
    total: int
    items: list[BookOut]


class ReviewIn(BaseModel):
    stars: int = Field(ge=1, le=5, examples=[5])
    text: str = Field(default="", max_length=1000, examples=["Could not put it down."])


class ReviewOut(Stored, ReviewIn):
    book_id: int
    created_at: Moment


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"
    expires_in: int


class CustomerOut(Stored):
    username: str
    full_name: str


class OrderLineIn(BaseModel):
    book_id: int
    quantity: int = Field(default=1, ge=1, le=100)


class OrderIn(BaseModel):
    lines: list[OrderLineIn] = Field(min_length=1, max_length=50)


class OrderLineOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    book_id: int | None
    title: str
    quantity: int
    price_cents: int


class OrderOut(Stored):
    status: str
    total_cents: int
    created_at: Moment
    lines: list[OrderLineOut]


class Health(BaseModel):
    status: str
    books: int
