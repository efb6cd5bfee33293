"""Shared by every API family: JSON in and out, strict fields, keyset pages, filters."""
