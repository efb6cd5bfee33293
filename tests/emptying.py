"""Empties the tables after a test that commits.

Django's own way truncates every table, however empty, and makes all permissions anew: that takes
longer than most of these tests.
"""

from functools import cache

from django.db import connection
from django.test import TransactionTestCase

KEPT = {"django_content_type", "auth_permission"}  # the same after every migration
# A table that was truncated has no page, and neither has one that nobody has written to since.
FILLED = """SELECT oid::regclass::text FROM pg_class
WHERE (relname = ANY (%s) OR oid IN (SELECT inhrelid FROM pg_inherits))
AND relkind = 'r' AND pg_relation_size(oid) > 0"""


@cache
def emptied():
    """The tables of the models but those that are kept."""
    return sorted(set(connection.introspection.django_table_names(only_existing=True)) - KEPT)


def empty(*ignored):
    """Truncate the tables that have a page, with those that refer to them."""
    with connection.cursor() as cursor:
        cursor.execute(FILLED, [emptied()])
        if filled := ", ".join(name for (name,) in cursor.fetchall()):
            cursor.execute(f"TRUNCATE {filled} CASCADE")


def quicken():
    TransactionTestCase._fixture_teardown = empty
