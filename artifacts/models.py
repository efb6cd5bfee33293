"""Which logs and files a task has, and where their bytes are in the object store."""

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import MD5, Now

from artifacts.keys import LONGEST
from events.triggers import ROWS
from tasks.models import Task

DIGEST = 64  # characters of a SHA-256 in hex
KEY_LENGTH = 200  # of the keys that we make


def removed_with_its_row(*operations: pgtrigger.Operation) -> list[pgtrigger.Trigger]:
    """Triggers that name an object for removal when no row has it any more, whoever does that."""
    gone = {
        pgtrigger.Delete: "FROM old_rows o WHERE o.key <> ''",
        pgtrigger.Update: "FROM old_rows o JOIN new_rows n ON n.id = o.id"
        " WHERE o.key <> '' AND o.key <> n.key",
    }
    return [
        pgtrigger.Trigger(
            name=f"removal_at_{str(operation).lower()}",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=operation,
            referencing=ROWS[operation],
            func="INSERT INTO artifacts_removal (key, due_at, taken)"
            f" SELECT o.key, now(), false {gone[operation]} ON CONFLICT DO NOTHING; RETURN NULL;",
        )
        for operation in operations
    ]


class Artifact(models.Model):
    """A file that an attempt at a task has produced."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="artifacts", db_index=False)
    epoch = models.BigIntegerField(help_text="The lease in which it was sent.")
    path = models.CharField(max_length=LONGEST)
    key = models.CharField(max_length=KEY_LENGTH, help_text="Of the object with its bytes.")
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=DIGEST)
    content_type = models.CharField(max_length=100)
    created_at = models.DateTimeField(db_default=Now())

    is_lost: bool  # set where artifacts are shown

    class Meta:
        ordering = ["task", "epoch", "path"]
        constraints = [
            # Of its digest, since a path may be longer than an index can hold.
            models.UniqueConstraint(
                "task", "epoch", MD5("path"), name="artifact_path_is_unique_in_its_attempt"
            ),
            models.CheckConstraint(
                condition=Q(size__gte=0) & ~Q(path="") & ~Q(key=""), name="artifact_has_its_bytes"
            ),
        ]
        triggers = removed_with_its_row(pgtrigger.Delete, pgtrigger.Update)

    def __str__(self) -> str:
        return f"artifact {self.path} of task {self.task_id}"


class Stream(models.TextChoices):
    """What a command writes to."""

    STDOUT = "stdout"
    STDERR = "stderr"


class LogBatch(models.Model):
    """Some lines of a task's log, in the order in which one stream of one lease had them.

    Where the log had grown too large, one row without an object stands for all that was left out of
    its stream: `sequence` is then the last batch of that. `start` and `size` are what counts for
    LOG_MAX_BYTES: the bytes of the objects, and something for each row.

    Once the attempt has ended, batches are joined (`joining`): one row stands for those from
    `first` to `sequence`. Its `start` and `size` stay those of the last.
    """

    task = models.ForeignKey(Task, models.CASCADE, related_name="log_batches", db_index=False)
    epoch = models.BigIntegerField()
    stream = models.CharField(max_length=6, choices=Stream)
    sequence = models.BigIntegerField(help_text="From 1, for each stream of each lease.")
    digest = models.CharField(max_length=DIGEST, help_text="Of what was sent.")
    first = models.BigIntegerField(
        null=True,
        help_text="The first batch in its object, where several were joined, or none will be.",
    )
    key = models.CharField(max_length=KEY_LENGTH, blank=True, default="")
    lines = models.IntegerField(default=0)
    start = models.BigIntegerField(help_text="How large the log was before.")
    size = models.IntegerField(default=0)
    left_out = models.BigIntegerField(default=0, help_text="Bytes that were not kept.")
    first_at = models.DateTimeField(
        help_text="Where its first line stands in the order of time: not before those before it."
    )
    last_at = models.DateTimeField(help_text="The latest time of the stream so far.")

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["task", "id"], name="log_batch_of_task"),
            models.Index(
                fields=["task"], condition=Q(left_out__gt=0), name="log_batch_without_object"
            ),
            models.Index(
                fields=["id"],
                condition=Q(sequence=1, first=None, left_out=0),
                name="log_batch_to_join",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["task", "epoch", "stream", "sequence"], name="log_batch_has_its_number"
            ),
            models.CheckConstraint(
                condition=Q(sequence__gte=1, lines__gte=0, size__gte=0, start__gte=0),
                name="log_batch_counts_from_zero",
            ),
            models.CheckConstraint(
                condition=Q(first=None) | Q(first__gte=1, first__lte=F("sequence")),
                name="log_batch_joins_those_before",
            ),
            models.CheckConstraint(
                condition=(Q(left_out=0) & ~Q(key="")) | Q(left_out__gt=0, key="", lines=0, size=0),
                name="log_batch_has_an_object_or_was_left_out",
            ),
        ]
        triggers = removed_with_its_row(pgtrigger.Delete)

    def __str__(self) -> str:
        return f"{self.stream} {self.sequence} of task {self.task_id}"


class Removal(models.Model):
    """An object that is to be removed from the store.

    What is being stored has one too, for later, so that nothing is forgotten after a crash; who has
    stored it deletes that in the transaction that makes its row, unless it is `taken`.
    """

    key = models.CharField(max_length=KEY_LENGTH)
    due_at = models.DateTimeField(db_default=Now())
    tried_at = models.DateTimeField(
        null=True, blank=True, help_text="When the store last did not remove it."
    )
    taken = models.BooleanField(
        default=False, help_text="It is being removed, so no row may name the object any more."
    )

    class Meta:
        ordering = ["due_at", "key"]
        indexes = [models.Index(fields=["due_at"], name="removal_when_due")]
        constraints = [models.UniqueConstraint(fields=["key"], name="removal_is_of_one_object")]

    def __str__(self) -> str:
        return self.key


class Reservation(models.Model):
    """Room of a task for an artifact that is on its way.

    It counts for as long as it is renewed: what a crash leaves of it holds up nobody for long. It
    refers to no row of a task, so that no task is looked through for it when it is deleted.
    """

    task_id = models.UUIDField()
    key = models.CharField(max_length=KEY_LENGTH)
    size = models.BigIntegerField(help_text="What was announced, or has come so far.")
    renewed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["renewed_at"]
        indexes = [models.Index(fields=["task_id"], name="reservation_of_task")]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="reservation_is_of_one_object"),
            models.CheckConstraint(condition=Q(size__gte=0), name="reservation_takes_room"),
        ]

    def __str__(self) -> str:
        return f"{self.size} bytes for {self.key}"
