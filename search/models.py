"""What is indexed: files, or what stands for one, and their pieces with words and vectors."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

LONGEST_PATH = 4_096
DIGEST = 64  # characters of a SHA-256 in hex


class Kind(models.TextChoices):
    DOCS = "docs"
    CODE = "code"


class Source(models.TextChoices):
    """Where a text comes from."""

    TREE = "tree"
    TASK = "task"
    ARTIFACT = "artifact"
    LOG = "log"


class RealField(models.FloatField):
    """A number of 32 bits."""

    def db_type(self, connection: Any) -> str:
        return "real"


class File(models.Model):
    """A text that has been indexed: a file of a tree, or what a task says or has left.

    `task_id` is no foreign key, so that deleting tasks does not ask this table: what is of a task
    that is gone is never shown, and goes with the next pass.
    """

    source = models.CharField(max_length=8, choices=Source)
    root = models.CharField(max_length=100, blank=True, default="", help_text="Its name.")
    path = models.CharField(max_length=LONGEST_PATH)
    kind = models.CharField(max_length=4, choices=Kind)
    language = models.CharField(max_length=16, blank=True, default="")
    task_id = models.UUIDField(null=True, blank=True)
    digest = models.CharField(max_length=DIGEST, help_text="Of its bytes.")
    size = models.BigIntegerField(default=0)
    changed = models.BigIntegerField(default=0, help_text="Its time, in nanoseconds.")
    embedder = models.CharField(
        max_length=64, blank=True, default="", help_text="Which has made the vectors of its pieces."
    )
    indexed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["source", "root", "path"]
        indexes = [
            models.Index(
                fields=["task_id"], condition=Q(task_id__isnull=False), name="search_file_of_task"
            ),
        ]
        constraints = [
            # Of its digest, since a path may be longer than an index can hold.
            models.UniqueConstraint(
                "source", "root", models.Func("path", function="MD5"), name="search_file_once"
            ),
            models.CheckConstraint(
                condition=Q(source="tree", task_id=None)
                | (~Q(source="tree") & Q(task_id__isnull=False)),
                name="search_file_of_a_task_names_it",
            ),
        ]

    def __str__(self) -> str:
        return self.path


class Chunk(models.Model):
    """A piece of a file. `body` has its words; those of `trail` and `symbol` weigh more."""

    file = models.ForeignKey(File, models.CASCADE, related_name="chunks", db_index=False)
    kind = models.CharField(max_length=4, choices=Kind)
    number = models.IntegerField(help_text="Its place in its file, from 0.")
    trail = models.TextField(blank=True, default="", help_text="Headings, a line each.")
    symbol = models.CharField(max_length=200, blank=True, default="")
    symbol_kind = models.CharField(max_length=16, blank=True, default="")
    first_line = models.IntegerField()
    last_line = models.IntegerField()
    content = models.TextField()
    prior = RealField(default=1.0, help_text="How much it counts beside others.")
    body = SearchVectorField()
    embedding = ArrayField(RealField(), null=True, blank=True)

    class Meta:
        ordering = ["file", "number"]
        indexes = [
            GinIndex(fields=["body"], condition=Q(kind=kind), name=f"search_words_of_{kind}")
            for kind in Kind.values
        ]
        constraints = [
            models.UniqueConstraint(fields=["file", "number"], name="search_chunk_has_its_place"),
            models.CheckConstraint(
                condition=Q(number__gte=0, first_line__gte=1, last_line__gte=F("first_line")),
                name="search_chunk_has_lines",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_id}:{self.number}"


class Term(models.Model):
    """In how many chunks of a kind a word is: the rarer, the more it says."""

    kind = models.CharField(max_length=4, choices=Kind)
    lexeme = models.CharField(max_length=64)
    chunks = models.BigIntegerField()

    class Meta:
        ordering = ["kind", "lexeme"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "lexeme"], name="search_term_once"),
        ]

    def __str__(self) -> str:
        return self.lexeme


class IndexRun(models.Model):
    """A look through what is to be indexed, and what it has changed."""

    started_at = models.DateTimeField(db_default=Now())
    seconds = models.FloatField(default=0.0)
    files = models.BigIntegerField(default=0, help_text="That were looked at.")
    added = models.BigIntegerField(default=0, help_text="Pieces.")
    updated = models.BigIntegerField(default=0)
    deleted = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"run {self.pk}"
