"""Sample data for an empty database."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Author, Book, Customer, Review
from app.security import hash_password

CATALOGUE = {
    ("Ursula K. Le Guin", "United States"): [
        ("The Left Hand of Darkness", 1969, 1299, 14),
        ("The Dispossessed", 1974, 1399, 9),
        ("A Wizard of Earthsea", 1968, 999, 21),
    ],
    ("Stanisław Lem", "Poland"): [("Solaris", 1961, 1199, 7), ("The Cyberiad", 1965, 1249, 5)],
    ("Chimamanda Ngozi Adichie", "Nigeria"): [
        ("Half of a Yellow Sun", 2006, 1499, 11),
        ("Americanah", 2013, 1599, 16),
    ],
    ("Jorge Luis Borges", "Argentina"): [("Ficciones", 1944, 1099, 8)],
    ("Tove Jansson", "Finland"): [("The Summer Book", 1972, 1149, 13)],
    ("Yōko Ogawa", "Japan"): [("The Memory Police", 1994, 1349, 4)],
}

REVIEWS = {
    "Solaris": (5, "An ocean that thinks, and people who cannot."),
    "The Summer Book": (5, "Small, clear, perfect."),
    "Americanah": (4, "Sharp and funny about everything it touches."),
}


def seed(session: Session) -> int:
    """Fills an empty database; returns how many books it added."""
    if session.scalar(select(Book.id).limit(1)) is not None:
        return 0
    books = []
    for (name, country), titles in CATALOGUE.items():
        author = Author(name=name, country=country)
        for title, year, price_cents, stock in titles:
            book = Book(title=title, year=year, price_cents=price_cents, stock=stock, author=author)
            if title in REVIEWS:
                stars, text = REVIEWS[title]
                book.reviews.append(Review(stars=stars, text=text))
            books.append(book)
    session.add_all(books)
    session.add(Customer(username="demo", full_name="Demo Reader", password_hash=hash_password("demo")))
    session.commit()
    return len(books)
