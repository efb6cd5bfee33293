"""Sentences with counts, of which those that count nothing are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as StrPromise


def told(*counted: tuple[int, StrPromise]) -> list[str]:
    """Each sentence with its count in it, where that is not zero; else that nothing changes.

    A sentence is an `ngettext_lazy` that chooses by "count".
    """
    sentences = [str(sentence % {"count": count}) for count, sentence in counted if count]
    return sentences or [gettext("Nothing changes.")]
