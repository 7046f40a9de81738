"""The page that people see first."""

from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import select

from app.database import DatabaseSession
from app.models import Book

router = APIRouter(include_in_schema=False)

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bookshop</title>
<style>
  :root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
  body {{ max-width: 44rem; margin: 3rem auto; padding: 0 1rem; }}
  table {{ width: 100%; border-collapse: collapse; margin: 1.5rem 0; }}
  td, th {{ padding: .5rem .25rem; text-align: left; border-bottom: 1px solid #8884; }}
  td:last-child, th:last-child {{ text-align: right; font-variant-numeric: tabular-nums; }}
  small {{ opacity: .7; }}
</style>
<h1>Bookshop</h1>
<p>{count} books on the shelves. The same as <a href="books">JSON</a>, as
<a href="books/export.csv">CSV</a>, and with everything else in the <a href="docs">API's documentation</a>.</p>
<table>
<tr><th>Title</th><th>Author</th><th>Price</th></tr>
{rows}
</table>
<small>Sign in as demo with the password demo.</small>
</html>
"""

ROW = "<tr><td>{title} <small>{year}</small></td><td>{author}</td><td>{price:.2f}</td></tr>"


@router.get("/", response_class=HTMLResponse)
def home(session: DatabaseSession) -> str:
    """The catalogue, for people."""
    books = session.scalars(select(Book).order_by(Book.title)).all()
    rows = [
        ROW.format(title=escape(b.title), year=b.year, author=escape(b.author.name), price=b.price_cents / 100)
        for b in books
    ]
    return PAGE.format(count=len(books), rows="\n".join(rows))
