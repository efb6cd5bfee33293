"""Wires the rooms together and runs them; nothing imports it."""
