"""Generators: plain torch models, the loop that fits them, and the Ray entries that train, sample and judge."""
