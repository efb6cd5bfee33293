"""Series of what happened to tasks: they equal what the journal has, folded or not."""

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import Event
from tasks import rollups, series, tallies
from tasks.models import Task, TaskRollup, WaitRollup
from tasks.tally_models import TaskTally, TaskTiming
from tests.factories import give, make_agent, make_channel, make_tasks
from tests.tasks.counting import fold_all, statuses
from tests.tasks.plans import nodes
from tests.tasks.test_tallies import end, live

pytestmark = pytest.mark.django_db


def recounted(found, channel=None):
    """What a series should say of what happened, counted event by event."""
    points = [[0, 0, 0] for _ in found.done]
    for event in Event.objects.filter(source="coordinator", type__startswith="task."):
        place = int((event.created_at - found.start).total_seconds() // found.span)
        if 0 <= place < len(points) and (channel is None or event.channel_id == channel.pk):
            to = event.payload.get("to")
            points[place][0] += to == "done"
            points[place][1] += event.type == "task.failed"
            points[place][2] += to == "cancelled"
    return points


def told(found):
    return [list(one) for one in zip(found.done, found.failed, found.cancelled, strict=True)]


def spread(over):
    """Move the events, so that they are spread evenly over a time that has just ended."""
    events = list(Event.objects.order_by("id"))
    now = timezone.now()
    for place, event in enumerate(events):
        event.created_at = now - over * (1 - place / len(events))
    Event.objects.bulk_update(events, ["created_at"])


@pytest.mark.parametrize("wanted", series.RANGES)
@pytest.mark.parametrize("folded", ["folded", "not folded", "in part"])
def test_a_series_is_what_the_journal_counts(wanted, folded):
    live()
    if folded == "in part":
        fold_all()
        live()
    span, points = series.RANGES[wanted]
    if folded != "in part":
        spread(timedelta(seconds=span * (points + 5)))  # some came before it begins
    if folded == "folded":
        fold_all()

    found = series.read(wanted)

    assert told(found) == recounted(found)
    assert sum(found.ended) > 0
    assert len(found.wait_p50) == points
    assert found.start + timedelta(seconds=span * points) > found.until


def test_a_channel_has_a_series_of_its_own_and_all_are_their_sum():
    live()
    fold_all()
    live()
    channels = {row.channel for row in Task.objects.all()}
    of_all = series.read("1h")

    of_each = [series.read("1h", channel.pk) for channel in channels]

    for channel, found in zip(channels, of_each, strict=True):
        assert told(found) == recounted(found, channel)
        waits = Task.objects.filter(channel=channel)
        assert found.waiting[-1] == waits.queued().count()
        assert found.running[-1] == waits.in_progress().count()
    for name in ("done", "failed", "cancelled", "waiting", "running"):
        assert getattr(of_all, name)[-1] == sum(getattr(one, name)[-1] for one in of_each)


@pytest.mark.parametrize("folded", [False, True])
def test_what_waits_and_runs_is_known_for_each_point_from_the_present_back(folded):
    channel, agent = make_channel(), make_agent()
    make_tasks(5, channel=channel)
    end(give(agent, channel), well=True)
    give(agent, channel)
    spread(timedelta(minutes=50))
    if folded:
        fold_all()

    found = series.read("1h")

    counted = statuses()
    assert (found.waiting[-1], found.running[-1]) == (counted["queued"], counted["in_progress"])
    for place in range(60):
        by = found.start + timedelta(minutes=place + 1)
        before = Event.objects.filter(created_at__lt=by, type__startswith="task.")
        moves = [(one.payload.get("from"), one.payload.get("to")) for one in before]
        for name, status in (("waiting", "queued"), ("running", "in_progress")):
            there = sum((to == status) - (start == status) for start, to in moves)
            assert getattr(found, name)[place] == there


def test_waits_are_those_of_the_tasks_that_were_claimed():
    channel, agent = make_channel(), make_agent()
    make_tasks(20, channel=channel)
    held = [give(agent, channel) for _ in range(20)]
    then = timezone.now() - timedelta(minutes=3)
    Event.objects.filter(type="task.claimed").update(created_at=then)
    Task.objects.update(claimed_at=then, available_at=then - timedelta(seconds=40))
    Task.objects.filter(pk=held[0].pk).update(available_at=then - timedelta(seconds=4_000))
    fold_all()

    for found in (series.read("1h"), series.read("24h", channel.pk), series.read("7d")):
        [median] = [wait for wait in found.wait_p50 if wait is not None]
        [most] = [wait for wait in found.wait_p95 if wait is not None]
        place = int((then - found.start).total_seconds() // found.span)
        assert found.wait_p50[place] == median
        assert 30 <= median <= most <= 60
    assert WaitRollup.objects.filter(channel_id=None, span=60).count() == 2
    assert set(WaitRollup.objects.values_list("bucket", flat=True)) == {
        series.WAITS.index(60),
        series.WAITS.index(7_200),
    }


def test_a_point_without_claims_has_no_wait_and_one_without_events_no_ends():
    found = series.read("24h", make_channel().pk)

    assert set(found.wait_p95) == {None}
    assert set(found.ended) == {0}


def fill_week(channels):
    """Rollups of all spans of a week, for so many channels and for all."""
    with connection.cursor() as cursor:
        for span, kept in rollups.KEPT.items():
            cursor.execute(
                """
INSERT INTO tasks_taskrollup
  (span, at, channel_id, done, failed, cancelled, waiting, running)
SELECT %(span)s, at, channel, 1, 1, 1, 0, 0
FROM generate_series(date_trunc('hour', now()) - %(kept)s, now(), %(span)s * interval '1 second')
  AS at, (SELECT gen_random_uuid() FROM generate_series(1, %(channels)s) UNION ALL SELECT NULL)
  AS c (channel)
ON CONFLICT DO NOTHING""",
                {"span": span, "kept": kept, "channels": channels},
            )
            cursor.execute(
                """
INSERT INTO tasks_waitrollup (span, at, channel_id, bucket, count)
SELECT span, at, channel_id, bucket, 1 FROM tasks_taskrollup, generate_series(0, 4) AS bucket
WHERE span = %s ON CONFLICT DO NOTHING""",
                [span],
            )
        cursor.execute("ANALYZE tasks_taskrollup; ANALYZE tasks_waitrollup")


@pytest.mark.parametrize("wanted", series.RANGES)
@pytest.mark.parametrize("of", ["all", "a channel"])
def test_a_series_reads_a_row_for_each_point(wanted, of):
    live()
    fold_all()
    fill_week(30)
    some = TaskRollup.objects.exclude(channel_id=None).first()
    channel = some.channel_id if of == "a channel" else None
    _, points = series.RANGES[wanted]

    plans = []
    with CaptureQueriesContext(connection) as asked:
        series.read(wanted, channel)
    for query in asked:
        if "rollup" in query["sql"]:
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query["sql"].replace("%", "%%"))
                plans.append(cursor.fetchone()[0][0]["Plan"])

    counts, waits = plans
    assert rows_of(counts, "tasks_taskrollup") <= points
    assert rows_of(waits, "tasks_waitrollup") <= points * 5
    assert not any(
        node["Node Type"] == "Seq Scan" and node["Relation Name"].endswith("rollup")
        for plan in plans
        for node in nodes(plan)
    )


def rows_of(plan, table):
    return sum(
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes(plan)
        if node.get("Relation Name") == table
    )


def test_spans_are_kept_as_long_as_a_series_reaches_back():
    fill_week(1)
    TaskRollup.objects.create(
        span=60, at=datetime(2020, 1, 1, tzinfo=UTC), **dict.fromkeys(rollups.MEASURES, 1)
    )

    assert tallies.forget_hours() > 0

    assert not TaskRollup.objects.filter(at__year=2020).exists()
    for wanted in series.RANGES:
        found = series.read(wanted)
        assert told(found)[:-1] == [[1, 1, 1]] * (len(found.done) - 1)


def test_hours_that_were_counted_before_there_were_rollups_are_taken_over():
    live()
    fold_all()
    before = [
        sorted(rows.filter(span=3600).values_list(*names), key=str)
        for rows, names in (
            (TaskRollup.objects, ["at", "channel_id", *rollups.MEASURES]),
            (WaitRollup.objects, ["at", "channel_id", "bucket", "count"]),
        )
    ]
    TaskRollup.objects.all().delete()
    WaitRollup.objects.all().delete()
    assert TaskTally.objects.exists()
    assert TaskTiming.objects.exists()

    taken = import_module("tasks.migrations.0017_hours_of_rollups")
    with connection.cursor() as cursor:
        cursor.execute(taken.COUNTS)
        cursor.execute(taken.WAITS)

    assert before == [
        sorted(rows.values_list(*names), key=str)
        for rows, names in (
            (TaskRollup.objects, ["at", "channel_id", *rollups.MEASURES]),
            (WaitRollup.objects, ["at", "channel_id", "bucket", "count"]),
        )
    ]
