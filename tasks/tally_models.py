"""What is kept of the journal's events of tasks once they are counted; see `tasks.tallies`."""

from django.db import models
from django.db.models import Q


class TaskTally(models.Model):
    """How often an event of this kind happened: in one hour, or ever.

    The hour of what is counted for ever is `tallies.EVER`. Channel and type are plain values, so
    that a tally outlives them.
    """

    hour = models.DateTimeField()
    channel_id = models.UUIDField()
    type = models.CharField(max_length=64)
    of_job = models.BooleanField(help_text="Whether its tasks are those of sweeps and commands.")
    event = models.CharField(max_length=200)
    source = models.CharField(max_length=16)
    target = models.CharField(max_length=16)
    reason = models.CharField(max_length=64)
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("hour", "channel_id", "type", "of_job"),
                    *("event", "source", "target", "reason"),
                ],
                name="task_tally_is_one_of_its_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event}: {self.count}"


class TaskTiming(models.Model):
    """How many waits or runs of tasks took as long as this bucket says, and their seconds."""

    hour = models.DateTimeField()
    channel_id = models.UUIDField()
    type = models.CharField(max_length=64)
    of_job = models.BooleanField(help_text="Whether its tasks are those of sweeps and commands.")
    phase = models.CharField(max_length=8)
    bucket = models.SmallIntegerField(help_text="Its place in `tallies.BUCKETS`; one more: longer.")
    count = models.BigIntegerField()
    seconds = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "channel_id", "type", "of_job", "phase", "bucket"],
                name="task_timing_is_one_of_its_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.phase}: {self.count}"


class TaskRollup(models.Model):
    """What became of the tasks of a channel within a span of time; of all channels without one.

    The spans are those of `rollups.KEPT`. What waits and what runs is kept as the difference that
    the span made, since only the present counts are known.
    """

    span = models.IntegerField(help_text="Seconds.")
    at = models.DateTimeField(help_text="Its beginning.")
    channel_id = models.UUIDField(null=True)
    done = models.BigIntegerField()
    failed = models.BigIntegerField()
    cancelled = models.BigIntegerField()
    waiting = models.BigIntegerField(help_text="How many more are queued at its end.")
    running = models.BigIntegerField(help_text="How many more are in progress at its end.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["span", "channel_id", "at"],
                nulls_distinct=False,
                name="task_rollup_is_one_of_its_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.span} s from {self.at}"


class WaitRollup(models.Model):
    """How many of the tasks that were claimed within a span of time had waited as long."""

    span = models.IntegerField(help_text="Seconds.")
    at = models.DateTimeField(help_text="Its beginning.")
    channel_id = models.UUIDField(null=True)
    bucket = models.SmallIntegerField(help_text="Its place in `series.WAITS`; one more: longer.")
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["span", "channel_id", "at", "bucket"],
                nulls_distinct=False,
                name="wait_rollup_is_one_of_its_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.span} s from {self.at}: {self.count}"


class TallyMark(models.Model):
    """Up to which id the journal is folded, and up to which it will be next; one row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    folded = models.BigIntegerField(help_text="Events up to this id are in the tallies.")
    sampled = models.BigIntegerField(help_text="The last id that was handed out at that time.")
    sampled_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="tally_mark_is_one_row")]

    def __str__(self) -> str:
        return f"folded to {self.folded}"
