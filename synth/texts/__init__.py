"""Texts: what their generators and their judges work with."""
