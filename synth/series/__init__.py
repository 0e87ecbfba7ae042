"""Time series: what their judges work with."""
