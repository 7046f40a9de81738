"""A bookshop's backend."""
