"""Passwords and tokens, with nothing but the standard library."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Annotated

from fastapi import Depends, HTTPException, status
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy import select

from app.config import SECRET_KEY, TOKEN_LIFETIME_SECONDS
from app.database import DatabaseSession
from app.models import Customer

oauth2_scheme = OAuth2PasswordBearer(tokenUrl="/auth/token")


def hash_password(password: str, salt: bytes | None = None) -> str:
    salt = salt or secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**13, r=8, p=1)
    return f"{salt.hex()}${digest.hex()}"


def verify_password(password: str, stored: str) -> bool:
    salt = bytes.fromhex(stored.split("$")[0])
    return hmac.compare_digest(hash_password(password, salt), stored)


def create_token(username: str) -> str:
    claims = {"sub": username, "exp": int(time.time()) + TOKEN_LIFETIME_SECONDS}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
    return f"{payload}.{sign(payload)}"


def read_token(token: str) -> str | None:
    """The user's name, or None for a token that is not ours or no longer good."""
    payload, _, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode(), sign(payload).encode()):
        return None
    claims = json.loads(base64.urlsafe_b64decode(payload))
    return claims["sub"] if claims["exp"] > time.time() else None


def sign(payload: str) -> str:
    return hmac.new(SECRET_KEY.encode(), payload.encode(), hashlib.sha256).hexdigest()


def get_current_customer(
    session: DatabaseSession, token: Annotated[str, Depends(oauth2_scheme)]
) -> Customer:
    username = read_token(token)
    customer = session.scalar(select(Customer).where(Customer.username == username))
    if username is None or customer is None:
        raise HTTPException(
            status.HTTP_401_UNAUTHORIZED,
            "Sign in first: the token is missing, wrong or too old.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return customer


CurrentCustomer = Annotated[Customer, Depends(get_current_customer)]
