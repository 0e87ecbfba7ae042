"""Time series: what the shared stages do of their own for them."""
