"""Rows of several payloads: what the shared stages do of their own for them."""
