"""Signing in."""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, status
from fastapi.security import OAuth2PasswordRequestForm
from sqlalchemy import select

from app.config import TOKEN_LIFETIME_SECONDS
from app.database import DatabaseSession
from app.models import Customer
from app.schemas import CustomerOut, Token
from app.security import CurrentCustomer, create_token, verify_password

logger = logging.getLogger("bookshop.auth")
router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/token")
def sign_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], session: DatabaseSession) -> Token:
    """Trades a name and a password (`demo`, `demo`) for a token."""
    customer = session.scalar(select(Customer).where(Customer.username == form.username))
    if customer is None or not verify_password(form.password, customer.password_hash):
        logger.warning("a sign-in was refused")
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "The name or the password is wrong.")
    logger.info("%s signed in", customer.username)
    return Token(access_token=create_token(customer.username), expires_in=TOKEN_LIFETIME_SECONDS)


@router.get("/me", response_model=CustomerOut)
def me(customer: CurrentCustomer) -> Customer:
    """Who is signed in."""
    return customer
