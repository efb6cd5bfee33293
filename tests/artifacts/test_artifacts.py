"""Files of tasks: taken in whole and checked, shown to who may see the task."""

import io
import zipfile
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from artifacts import removals, store, uploads
from artifacts.exceptions import ArtifactTooLarge, StoreAway, TooManyArtifacts
from artifacts.models import Artifact, Removal, Reservation
from artifacts.retention import enforce
from tasks import leases, retention
from tasks.exceptions import NotHolder
from tasks.models import Task
from tests.api_v1.calls import UNKNOWN
from tests.artifacts.calls import Runner, body, files_in, refusal, sha256, swept
from tests.artifacts.test_logs import again, crash, finish
from tests.factories import let_lease_run_out, make_held_task

BYTES = "application/octet-stream"

pytestmark = pytest.mark.django_db


def test_what_is_put_is_listed_and_got(runner):
    put = runner.put("out/a b.txt", b"content")

    shown = put.json()["artifact"]
    created_at = shown.pop("created_at")
    assert put.status_code == 201
    assert shown == {
        "path": "out/a b.txt",
        "size": 7,
        "sha256": sha256(b"content"),
        "content_type": "text/plain",
        "attempt": 1,
        "lost": False,
    }
    assert runner.get("").json() == {"artifacts": [shown | {"created_at": created_at}]}
    got = runner.get("/out/a b.txt")
    assert (got.status_code, body(got)) == (200, b"content")
    assert got["Content-Type"] == "text/plain"
    assert got["Content-Length"] == "7"
    assert got["ETag"] == f'"{sha256(b"content")}"'
    assert got["X-Content-Type-Options"] == "nosniff"
    assert got["Content-Disposition"] == 'attachment; filename="a b.txt"'


def test_the_same_again_is_200_and_stores_nothing(runner, folder):
    assert [runner.put("a").status_code for _ in range(3)] == [201, 200, 200]

    assert len(files_in(folder)) == 1
    assert not Removal.objects.exists()


def test_another_file_of_the_path_replaces_it(runner, folder):
    runner.put("a", b"one")
    assert runner.put("a", b"two", kind="image/png").status_code == 201

    assert body(runner.get("/a")) == b"two"
    assert runner.get("").json()["artifacts"][0]["content_type"] == "image/png"
    assert len(swept(folder)) == 1


def test_a_file_may_be_empty(runner):
    assert runner.put("empty", b"").status_code == 201

    assert body(runner.get("/empty")) == b""


def test_a_wrong_digest_is_refused_and_nothing_is_kept(runner, folder):
    put = runner.put("a", b"content", digest=sha256(b"other"))

    assert refusal(put) == (400, "digest_differs")
    assert not Artifact.objects.exists()
    assert swept(folder) == []
    assert not Removal.objects.exists()


@pytest.mark.parametrize("digest", ["", "x" * 64, "0" * 63])
def test_what_is_no_digest_is_refused(runner, digest, folder):
    put = runner.client.put(
        f"{runner.path}/artifacts/a?agent_id={runner.task.agent_id}&lease_epoch=1",
        b"x",
        "text/plain",
        headers={"X-Content-SHA256": digest},
    )

    assert refusal(put) == (400, "invalid_request")
    assert not folder.exists()


@pytest.mark.parametrize(
    "path",
    [
        "../a",
        "a/../../b",
        "%2e%2e/a",
        "%2E%2E%2Fa",
        "a%252F..%252Fb",
        "%252e%252e%252fa",
        "a%00b",
        "%5Ca",
        "a%5C..%5Cb",
        "/etc/passwd",
        "%252Fetc/passwd",
        "a//b",
        "a/",
        "a/.",
        "a%0Ab",
        "%E2%80%AEa",
        "x" * 1_025,
        "%C3%A9" * 513,
        "%FF",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(runner, path, folder, tmp_path):
    for answer in (runner.put(path), runner.get(f"/{path}")):
        assert answer.status_code in {400, 404}, answer.content
    assert not Artifact.objects.exists()
    assert [p.name for p in tmp_path.iterdir()] in ([], ["objects"])
    assert not folder.exists() or files_in(folder) == []


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("%C3%A9/%E6%97%A5.txt", "é/日.txt"),
        ("e%CC%81", "é"),
        ("100%2525", "100%"),
        ("a..b", "a..b"),
        (".env", ".env"),
        ("a%252Fb", "a/b"),
    ],
)
def test_a_path_may_have_any_letters(runner, sent, path):
    assert runner.put(sent).status_code == 201

    assert [one["path"] for one in runner.get("").json()["artifacts"]] == [path]
    assert body(runner.get(f"/{sent}")) == b"content"


def test_a_name_cannot_add_a_header(runner):
    runner.put('a"%3B%20filename=b%3B.html')
    got = runner.client.head(f'{runner.path}/artifacts/a"%3B%20filename=b%3B.html')

    assert got["Content-Disposition"] == 'attachment; filename="a\\"; filename=b;.html"'


@pytest.mark.parametrize("kind", ["text", "text/html\tx", "a/" + "b" * 100, "x y/z"])
def test_what_is_no_type_is_bytes(runner, kind):
    runner.put("a", kind=kind)

    assert runner.client.head(f"{runner.path}/artifacts/a")["Content-Type"] == BYTES


def test_limits_are_413_and_keep_nothing(runner, settings, folder):
    settings.ARTIFACT_MAX_BYTES, settings.ARTIFACTS_MAX_BYTES = 10, 15
    settings.ARTIFACTS_MAX_COUNT = 2
    assert refusal(runner.put("large", b"x" * 11)) == (413, "payload_too_large")
    assert runner.put("a", b"x" * 10).status_code == 201
    assert refusal(runner.put("b", b"x" * 6)) == (413, "payload_too_large")
    assert runner.put("b", b"x" * 5).status_code == 201
    assert runner.put("b", b"y" * 5).status_code == 201  # in place of the one before
    assert refusal(runner.put("c", b"")) == (413, "payload_too_large")

    assert len(swept(folder)) == 2


async def test_a_body_without_a_length_is_counted(settings):
    settings.ARTIFACT_MAX_BYTES = 10

    async def parts():
        for _ in range(3):
            yield b"1234"

    with pytest.raises(uploads.ArtifactTooLarge):
        async for _ in uploads.Incoming(parts(), "", nothing).checked():
            pass


async def nothing(size):
    pass


async def test_what_was_not_announced_is_reserved_as_it_comes(monkeypatch):
    monkeypatch.setattr(uploads, "RENEWED_AFTER", 10)
    reserved = []

    async def parts():
        for _ in range(6):
            yield b"1234"

    async def renew(size):
        reserved.append(size)

    async for _ in uploads.Incoming(parts(), sha256(b"1234" * 6), renew).checked():
        pass

    assert reserved == [12, 24]


async def test_what_comes_slowly_is_renewed(monkeypatch):
    monkeypatch.setattr(uploads, "RENEWED_EVERY", 0.0)
    reserved = []

    async def renew(size):
        reserved.append(size)

    async for _ in uploads.Incoming(store.one_part(b"x"), sha256(b"x"), renew).checked():
        pass

    assert reserved == [1]


def test_an_upload_that_is_on_its_way_has_its_room(runner, settings, folder):
    """As much as it has announced; a crash keeps that for some minutes only."""
    settings.ARTIFACTS_MAX_BYTES, settings.ARTIFACTS_MAX_COUNT = 100, 2
    on_its_way = upload_of(runner, "first", 60)
    assert uploads._begin(on_its_way, "artifacts/first") is None

    assert refusal(runner.put("a", b"x" * 41)) == (503, "unavailable")
    assert refusal(runner.put("a", b"x" * 101)) == (413, "payload_too_large")
    assert runner.put("a", b"x" * 40).status_code == 201
    assert refusal(runner.put("b", b"")) == (503, "unavailable")
    assert swept(folder) == [Artifact.objects.get().key]
    Reservation.objects.update(renewed_at=Now() - timedelta(minutes=3))
    assert runner.put("b", b"x" * 41).status_code == 201
    with pytest.raises(TooManyArtifacts):
        uploads._renew(on_its_way, "artifacts/first", 10)


def test_what_has_come_beyond_the_announced_takes_room(runner, settings):
    settings.ARTIFACTS_MAX_BYTES = 100
    on_its_way = upload_of(runner, "first", 0)
    uploads._begin(on_its_way, "artifacts/first")
    assert runner.put("a", b"x" * 50).status_code == 201
    uploads._renew(on_its_way, "artifacts/first", 50)

    assert refusal(runner.put("b", b"x")) == (503, "unavailable")
    with pytest.raises(ArtifactTooLarge):
        uploads._renew(on_its_way, "artifacts/first", 51)
    let_lease_run_out(runner.task)
    leases.expire_leases()
    with pytest.raises(NotHolder):
        uploads._renew(on_its_way, "artifacts/first", 50)


def upload_of(runner, path, length):
    task = runner.task
    return uploads.Upload(
        task.pk, task.agent_id, task.lease_epoch, path, sha256(b""), BYTES, length
    )


@pytest.mark.parametrize("content", [b"content", b"another one"])
def test_no_reservation_outlives_its_upload(runner, content, monkeypatch, folder):
    runner.put("a", content, digest=sha256(b"content"))
    monkeypatch.setattr(uploads, "_keep", crash)
    with pytest.raises(LookupError):
        runner.put("b", b"content")

    assert not Reservation.objects.exists()


def test_what_a_crash_has_reserved_goes_with_its_object(runner, folder):
    uploads._begin(upload_of(runner, "first", 60), "artifacts/first")
    Removal.objects.update(due_at=Now())

    assert swept(folder) == []
    assert not Reservation.objects.exists()


def test_who_does_not_hold_the_task_adds_nothing(runner, folder):
    other = make_held_task()
    for more in ({"agent_id": other.agent_id}, {"lease_epoch": 2}):
        assert runner.put("a", **more).status_code == 409
    for more in ({"agent_id": ""}, {"lease_epoch": ""}, {"lease_epoch": "x"}):
        assert refusal(runner.put("a", **more)) == (400, "invalid_request")
    finish(runner)
    assert runner.put("a").status_code == 409
    runner.task.pk = UNKNOWN
    assert refusal(runner.put("a"))[0] == 404

    assert not folder.exists()


def test_a_lease_that_is_lost_while_the_file_comes_keeps_nothing(runner, monkeypatch, folder):
    real = uploads._keep

    def late(*args):
        again(runner)
        return real(*args)

    monkeypatch.setattr(uploads, "_keep", late)

    assert refusal(runner.put("a")) == (409, "lease_lost")
    assert not Artifact.objects.exists()
    assert swept(folder) == []


def test_what_an_attempt_sent_before_its_lease_was_lost_is_kept_and_marked(runner):
    runner.put("a", b"of the first")
    runner.put("b", b"only of the first")
    again(runner)
    runner.put("a", b"of the second")

    shown = runner.get("").json()["artifacts"]
    assert [(one["path"], one["attempt"], one["lost"]) for one in shown] == [
        ("a", 2, False),
        ("a", 1, True),
        ("b", 1, True),
    ]
    assert body(runner.get("/a")) == b"of the second"
    assert body(runner.get("/a", {"attempt": 1})) == b"of the first"
    assert refusal(runner.get("/a", {"attempt": 3})) == (404, "not_found")
    assert refusal(runner.get("/a", {"attempt": "x"})) == (400, "invalid_request")


def test_a_lease_whose_late_report_counts_is_not_lost(runner):
    runner.put("a")
    let_lease_run_out(runner.task)
    leases.expire_leases()
    assert runner.get("").json()["artifacts"][0]["lost"] is True
    finish(runner)

    assert runner.get("").json()["artifacts"][0]["lost"] is False


RANGES = [
    ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
    ("bytes=3-", 206, b"3456789", "bytes 3-9/10"),
    ("bytes=-2", 206, b"89", "bytes 8-9/10"),
    ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
    ("bytes=9-9", 206, b"9", "bytes 9-9/10"),
    ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
    ("bytes=10-", 416, b"", "bytes */10"),
    ("bytes=99-100", 416, b"", "bytes */10"),
    ("bytes=-0", 416, b"", "bytes */10"),
    ("bytes=5-3", 200, b"0123456789", None),
    ("bytes=0-1,3-4", 200, b"0123456789", None),
    ("bytes=x-y", 200, b"0123456789", None),
    ("bytes=--1", 200, b"0123456789", None),
    ("lines=0-1", 200, b"0123456789", None),
    ("bytes=0-" + "9" * 30, 200, b"0123456789", None),
]


@pytest.mark.parametrize(("asked", "status", "found", "said"), RANGES)
def test_a_range_is_a_part_of_the_file(runner, asked, status, found, said):
    runner.put("digits", b"0123456789")

    got = runner.get("/digits", Range=asked)

    assert (got.status_code, body(got)) == (status, found)
    assert got.headers.get("Content-Range") == said
    assert got["Accept-Ranges"] == "bytes"
    if status != 416:
        assert got["Content-Length"] == str(len(found))


def test_an_empty_file_has_no_range(runner):
    runner.put("empty", b"")

    assert runner.get("/empty", Range="bytes=0-").status_code == 416
    assert body(runner.get("/empty")) == b""


def test_a_range_of_another_version_is_the_whole(runner):
    runner.put("a", b"0123456789")
    etag = runner.client.head(f"{runner.path}/artifacts/a")["ETag"]

    for given, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        got = runner.get("/a", Range="bytes=0-1", If_Range=given)
        assert (got.status_code, len(body(got))) == (status, 2 if status == 206 else 10)


def test_a_copy_that_is_good_is_not_sent_again(runner):
    runner.put("a")
    etag = runner.client.head(f"{runner.path}/artifacts/a")["ETag"]

    for given in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        assert runner.get("/a", If_None_Match=given).status_code == 304
    assert body(runner.get("/a", If_None_Match='"x"')) == b"content"
    runner.put("a", b"new")
    assert body(runner.get("/a", If_None_Match=etag)) == b"new"


def test_head_has_the_headers_alone(runner):
    runner.put("a", b"0123456789")

    head = runner.client.head(f"{runner.path}/artifacts/a")

    assert (head.status_code, head["Content-Length"], head.content) == (200, "10", b"")


def test_all_artifacts_are_one_archive(runner):
    runner.put("a", b"of the first")
    again(runner)
    runner.put("a", b"of the second")
    runner.put("b/empty", b"")
    runner.put("é/large", b"x" * 600_000)

    got = runner.client.get(f"{runner.path}/artifacts.zip")

    assert got["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(body(got))) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {
        "a": b"of the second",
        "b/empty": b"",
        "é/large": b"x" * 600_000,
        "attempt-1/a": b"of the first",
    }


def test_without_artifacts_there_is_no_archive(runner):
    assert refusal(runner.client.get(f"{runner.path}/artifacts.zip")) == (404, "not_found")
    assert runner.get("").json() == {"artifacts": []}
    assert refusal(runner.get("/a")) == (404, "not_found")


@pytest.mark.parametrize("path", ["logs", "artifacts", "artifacts/a", "artifacts.zip"])
def test_a_task_that_is_unknown_has_nothing(client, path):
    assert refusal(client.get(f"/v1/tasks/{UNKNOWN}/{path}")) == (404, "not_found")


def test_the_store_away_is_503(runner, monkeypatch):
    class Away:
        async def put(self, key, parts):
            raise StoreAway

        async def get(self, key, start=0, end=None):
            raise StoreAway

        async def exists(self, key):
            raise StoreAway

    runner.put("a")
    monkeypatch.setattr(store, "current", Away)

    assert refusal(runner.put("b")) == (503, "unavailable")
    for path in ("/a", ".zip"):
        assert refusal(runner.get(path)) == (503, "unavailable")
    assert Artifact.objects.count() == 1


def test_an_object_that_is_gone_is_503(runner, folder):
    runner.put("a")
    for name in files_in(folder):
        (folder / name).unlink()

    for path in ("/a", ".zip"):
        assert refusal(runner.get(path)) == (503, "unavailable")


def test_of_a_crash_between_object_and_row_the_object_is_removed(runner, monkeypatch, folder):
    monkeypatch.setattr(uploads, "_keep", crash)
    monkeypatch.setattr(removals, "hasten", lambda key: None)  # the process is not there any more
    with pytest.raises(LookupError):
        runner.put("a")

    assert len(swept(folder)) == 1
    Removal.objects.update(due_at=Now())
    assert swept(folder) == []
    monkeypatch.undo()
    assert runner.put("a").status_code == 201


def test_what_the_store_cannot_remove_now_is_removed_later(runner, monkeypatch, folder):
    runner.put("a")
    runner.put("b")
    finish(runner)
    retention.delete([runner.task.pk])

    async def away(self, key):
        raise StoreAway

    with monkeypatch.context() as patch:
        patch.setattr(store.current().__class__, "delete", away)
        assert removals.carry_out() == 0
    assert removals.carry_out() == 0  # not yet
    assert Removal.objects.count() == 2
    Removal.objects.update(tried_at=Now() - timedelta(minutes=2))
    assert removals.carry_out() == 2
    assert swept(folder) == []


@pytest.mark.parametrize("kept", [0, 10])
def test_old_logs_and_files_of_ended_tasks_go(runner, settings, folder, kept):
    settings.LOG_RETENTION = settings.ARTIFACT_RETENTION = timedelta(days=kept)
    runner.put("a")
    runner.send("one")
    young, running = Runner(runner.client), Runner(runner.client)
    for one in (young, running):
        one.put("a")
        one.send("one")
    finish(runner)
    finish(young)
    Task.objects.filter(pk=runner.task.pk).update(finished_at=Now() - timedelta(days=11))

    assert enforce() == (2 if kept else 0)
    assert len(swept(folder)) == (4 if kept else 6)
    assert runner.log().status_code == (404 if kept else 200)
    assert young.log().status_code == running.log().status_code == 200
