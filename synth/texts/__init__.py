"""Texts: what their judges work with."""
