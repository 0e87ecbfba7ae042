"""Spark entries, one module a stage; the conductor; the command."""
