"""Behaviour: what its generators and its judges, recommenders all, work with."""
