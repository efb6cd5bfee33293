"""No index holds what may be longer than an entry of it can be."""

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db

MOST = 2_704  # bytes of a row of a btree

# What each index of this project keeps of a row at most: a character takes up to four bytes.
LONGEST = """
SELECT i.relname, a.attname, CASE
    WHEN t.typname IN ('varchar', 'bpchar') AND k.atttypmod > 4 THEN 4 * (k.atttypmod - 4)
    WHEN t.typname = 'inet' THEN 19
    WHEN t.typlen > 0 THEN t.typlen END
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am m ON m.oid = i.relam AND m.amname = 'btree'
JOIN pg_class r ON r.oid = x.indrelid AND r.relnamespace = 'public'::regnamespace
JOIN pg_attribute a ON a.attrelid = x.indexrelid
LEFT JOIN pg_attribute k ON k.attrelid = x.indrelid AND k.attnum = x.indkey[a.attnum - 1]
JOIN pg_type t ON t.oid = a.atttypid
"""

# Where the column does not say it: the name of a channel, of a person who signed in, of a user in
# capitals, of which a letter may have three; digests.
KNOWN = {
    "channel_name_is_unique": 4 * 200,
    "operator_action_by": 4 * 200,
    "operator_action_of_request": 200,
    "artifact_path_is_unique_in_its_attempt": 32,
    "user_by_name_of_any_case": 3 * 4 * 150,
    "api_token_is_one_of_its_digest": 32,
    "search_file_once": 32,
    "sign_in_code_is_one_of_its_digest": 32,
}


def test_no_index_holds_a_text_without_an_end():
    with connection.cursor() as cursor:
        cursor.execute(LONGEST)
        columns = cursor.fetchall()
    assert len(columns) > 50

    sizes = {}
    for index, column, size in columns:
        longest = KNOWN.get(index) if size is None else size
        assert longest is not None, f"{index} holds {column}, which may be of any length"
        sizes[index] = sizes.get(index, 0) + longest

    assert {index: size for index, size in sizes.items() if size > MOST} == {}
