"""Rows of several payloads: what their judges work with."""
