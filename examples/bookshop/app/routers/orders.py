"""Orders of the customer who is signed in."""

import logging
from collections.abc import Sequence

from fastapi import APIRouter, BackgroundTasks, HTTPException, status
from sqlalchemy import select

from app.database import DatabaseSession, SessionLocal
from app.models import Book, Order, OrderLine
from app.schemas import OrderIn, OrderOut
from app.security import CurrentCustomer

logger = logging.getLogger("bookshop.orders")
router = APIRouter(prefix="/orders", tags=["orders"])


@router.get("", response_model=list[OrderOut])
def list_orders(session: DatabaseSession, customer: CurrentCustomer) -> Sequence[Order]:
    """Your orders, newest first. Needs a token."""
    wanted = select(Order).where(Order.customer_id == customer.id)
    return session.scalars(wanted.order_by(Order.id.desc())).all()


@router.get("/{order_id}", response_model=OrderOut)
def get_order(order_id: int, session: DatabaseSession, customer: CurrentCustomer) -> Order:
    """One of your orders. Needs a token."""
    order = session.get(Order, order_id)
    if order is None or order.customer_id != customer.id:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "There is no such order.")
    return order


@router.post("", response_model=OrderOut, status_code=status.HTTP_201_CREATED)
def place_order(
    body: OrderIn, session: DatabaseSession, customer: CurrentCustomer, tasks: BackgroundTasks
) -> Order:
    """Orders books that are in stock; the order is confirmed after this has answered. Needs a token."""
    order = Order(customer_id=customer.id, status="placed", total_cents=0)
    for line in body.lines:
        book = session.get(Book, line.book_id)
        if book is None:
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"There is no book {line.book_id}.")
        if book.stock < line.quantity:
            logger.warning("%s is sold out", book.title)
            raise HTTPException(status.HTTP_409_CONFLICT, f"Only {book.stock} of {book.title} are left.")
        book.stock -= line.quantity
        order.total_cents += book.price_cents * line.quantity
        order.lines.append(
            OrderLine(book_id=book.id, title=book.title, quantity=line.quantity, price_cents=book.price_cents)
        )
    session.add(order)
    session.commit()
    logger.info("order %d placed, %.2f", order.id, order.total_cents / 100)
    tasks.add_task(confirm, order.id)
    return order


def confirm(order_id: int) -> None:
    """What would send a mail."""
    with SessionLocal() as session:
        order = session.get(Order, order_id)
        if order is not None:
            order.status = "confirmed"
            session.commit()
            logger.info("order %d confirmed", order_id)
