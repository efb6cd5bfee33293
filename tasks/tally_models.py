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
