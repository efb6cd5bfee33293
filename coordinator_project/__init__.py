"""Wires the rooms together and runs them; no room imports it."""
