"""Settings, from the environment."""

import os
import secrets

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite:///./bookshop.db")

# Tokens are good until the next start unless a key is set.
SECRET_KEY = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(32)
TOKEN_LIFETIME_SECONDS = 60 * 60
