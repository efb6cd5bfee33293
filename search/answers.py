"""What a search shows."""

from typing import Any

from rest_framework import serializers

from search.finding import Answer, Hit


class ScoresSerializer(serializers.Serializer):
    """How well it fits, from 0 to 1, and by words and by vectors; null where there are none."""

    score = serializers.FloatField()
    text = serializers.FloatField()
    vector = serializers.FloatField(allow_null=True)


class FoundSerializer(serializers.Serializer):
    """A piece of a text. `marks`: the words that match, each as the first character of `snippet`
    and the one behind the last.
    """

    root = serializers.CharField()  # type: ignore[assignment]
    path = serializers.CharField()
    first_line = serializers.IntegerField()
    last_line = serializers.IntegerField()
    snippet = serializers.CharField()
    marks = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2)
    )
    tags = serializers.ListField(child=serializers.CharField())
    scores = ScoresSerializer()


class FoundDocumentSerializer(FoundSerializer):
    """A section of a document, or of what a task says or has left. `section` is below `trail`."""

    source = serializers.CharField()  # type: ignore[assignment]
    task_id = serializers.UUIDField(allow_null=True)
    section = serializers.CharField(allow_null=True)
    trail = serializers.ListField(child=serializers.CharField())


class FoundCodeSerializer(FoundSerializer):
    """A function, a class, or what stands outside of them."""

    symbol = serializers.CharField(allow_null=True)
    symbol_kind = serializers.CharField(allow_null=True)


class DocumentsSerializer(serializers.Serializer):
    """What was found, the best first. `embedder`: whose vectors had a part in it, or `none`."""

    items = FoundDocumentSerializer(many=True)
    count = serializers.IntegerField()
    embedder = serializers.CharField()


class CodeSerializer(serializers.Serializer):
    """The same of code."""

    items = FoundCodeSerializer(many=True)
    count = serializers.IntegerField()
    embedder = serializers.CharField()


def documents(found: Answer) -> dict[str, Any]:
    return _all(found, [_document(hit) for hit in found.hits])


def code(found: Answer) -> dict[str, Any]:
    return _all(found, [_code(hit) for hit in found.hits])


def _all(found: Answer, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": items, "count": len(items), "embedder": found.embedder}


def _document(hit: Hit) -> dict[str, Any]:
    return _shown(hit) | {
        "source": hit.source,
        "task_id": hit.task_id,
        "section": hit.trail[-1] if hit.trail else None,
        "trail": hit.trail,
    }


def _code(hit: Hit) -> dict[str, Any]:
    return _shown(hit) | {"symbol": hit.symbol or None, "symbol_kind": hit.symbol_kind or None}


def _shown(hit: Hit) -> dict[str, Any]:
    rank, snippet = hit.rank, hit.snippet
    return {
        "root": hit.root,
        "path": hit.path,
        "first_line": snippet.first_line,
        "last_line": snippet.last_line,
        "snippet": snippet.text,
        "marks": snippet.marks,
        "tags": [tag for tag in (hit.source, hit.language) if tag],
        "scores": {"score": rank.score, "text": rank.text, "vector": rank.vector},
    }
