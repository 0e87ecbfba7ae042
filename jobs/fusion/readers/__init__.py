"""Readers of rows that hold several payloads, one module each; the others are those of tables and of images."""
