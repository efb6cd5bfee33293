"""Faults at random under a fleet of agents, and a check of all that they saw; not part of the
product."""
