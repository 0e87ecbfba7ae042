"""Time series: what their generators and their judges work with."""
