"""A Corndogs server as a queue outside: what is said to it, and what is kept of that."""
