from dataclasses import replace

import pytest

from search.ranking import Candidate, normalised, rank


def found(key, path="a.md", number=0, text=0.0, vector=None, prior=1.0):
    return Candidate(key, path, number, text, vector, prior)


def keys(rows):
    return [row.key for row in rows]


def test_both_parts_are_brought_to_the_same_span():
    rows = rank([found(1, text=2, vector=0.9), found(2, text=6, vector=0.1)], 0.25)

    assert [(row.key, row.text, row.vector) for row in rows] == [(1, 0.0, 1.0), (2, 1.0, 0.0)]
    assert [row.score for row in rows] == [0.75, 0.25]


@pytest.mark.parametrize(("alpha", "first"), [(1.0, 2), (0.0, 1), (0.6, 2), (0.4, 1)])
def test_alpha_is_the_share_of_words(alpha, first):
    rows = rank([found(1, text=2, vector=0.9), found(2, text=6, vector=0.1)], alpha)

    assert rows[0].key == first


def test_what_is_equal_everywhere_counts_fully():
    assert normalised([3.0, 3.0]) == [1.0, 1.0]
    assert normalised([]) == []
    assert [row.score for row in rank([found(1, text=0.5)], 0.5)] == [1.0]


def test_equal_scores_are_in_the_order_of_path_and_number():
    rows = rank([found(1, "b.md", 0, 1.0), found(2, "a.md", 2, 1.0), found(3, "a.md", 1, 1.0)], 0.5)

    assert keys(rows) == [3, 2, 1]


def test_without_vectors_words_decide_alone():
    rows = rank([found(1, text=1), found(2, text=2)], 0.1)

    assert keys(rows) == [2, 1]
    assert rows[0].score == 1.0
    assert rows[0].vector is None


def test_where_one_has_no_vector_none_counts():
    """Pieces are embedded later than they are written where the embedder was away."""
    rows = rank([found(1, text=1, vector=0.9), found(2, text=2)], 0.1)

    assert keys(rows) == [2, 1]


def test_the_order_does_not_depend_on_that_of_the_candidates():
    rows = [found(n, f"{n % 3}.md", n, text=n % 4, vector=(n % 5) / 5) for n in range(20)]

    assert keys(rank(rows, 0.5)) == keys(rank(rows[::-1], 0.5))


def test_a_file_that_counts_less_comes_later():
    rows = [found(1, text=2, prior=0.5), found(2, text=1.5), found(3, text=0)]

    assert keys(rank(rows, 1.0)) == [2, 1, 3]
    assert keys(rank([replace(row, prior=1.0) for row in rows], 1.0)) == [1, 2, 3]
