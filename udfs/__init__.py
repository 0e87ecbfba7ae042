"""Pure functions over arrays and Arrow batches: no engine, no clock, no global randomness, no IO but package data."""
