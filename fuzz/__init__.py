"""Requests made from the API's schema, by every role, against a coordinator of their own; not part
of the product."""
