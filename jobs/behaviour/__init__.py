"""Behaviour: what the shared stages do of their own for sequences of events."""
