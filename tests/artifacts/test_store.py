"""The same for every object store: in a folder, in memory, and on a server that speaks as S3."""

import asyncio
import os

import pytest

from artifacts import cloud, files, keys
from artifacts.exceptions import BadKey, BadPath, ObjectMissing, StoreAway
from artifacts.store import StoredObject, one_part, whole
from tests.artifacts import s3

MIB = 1024 * 1024
KINDS = ("filesystem", "memory", "s3")


@pytest.fixture(scope="module")
def s3_url():
    with s3.s3_server() as url:
        yield url


def in_s3(url, prefix="reactorcide"):
    credentials = {"access_key_id": "an id", "secret_access_key": "a secret"}
    options = {"endpoint": url, "virtual_hosted_style_request": False, "allow_http": True}
    return cloud.Cloud.of(
        kind="s3",
        bucket=s3.BUCKET,
        prefix=prefix,
        options={"region": "us-east-1", **credentials, **options},
        base_path="",
    )


@pytest.fixture(params=KINDS)
def store(request, tmp_path):
    if request.param == "filesystem":
        return files.Files(tmp_path / "objects")
    if request.param == "memory":
        return cloud.Cloud.of(kind="memory", bucket="", prefix="", options={}, base_path="")
    # Each test has a folder of its own on the one server.
    return in_s3(request.getfixturevalue("s3_url"), f"reactorcide/{tmp_path.name}")


async def put(store, key, content=b"content"):
    return await store.put(key, one_part(content))


async def listed(store, prefix=""):
    return sorted([one async for one in store.below(prefix)], key=lambda one: one.key)


async def parts_of(*parts, then=None):
    for part in parts:
        yield part
    if then is not None:
        raise then


async def test_what_is_put_is_got(store):
    assert await store.put("a/b/c", parts_of(b"one ", b"", b"two")) == 7

    assert await whole(store, "a/b/c") == b"one two"


async def test_an_empty_object_is_one(store):
    assert await store.put("empty", parts_of()) == 0

    assert await store.exists("empty")
    assert await whole(store, "empty") == b""


async def test_what_is_put_again_replaces(store):
    await put(store, "a", b"a longer one")
    await put(store, "a", b"short")

    assert await whole(store, "a") == b"short"


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [(0, 4, b"0123"), (3, None, b"3456789"), (9, 10, b"9"), (5, 100, b"56789"), (10, None, b"")],
)
async def test_a_range_is_a_part_of_it(store, start, end, found):
    await put(store, "digits", b"0123456789")

    parts = [part async for part in await store.get("digits", start, end)]

    assert b"".join(parts) == found


async def test_a_large_object_comes_in_parts(store):
    content = os.urandom(MIB)
    await store.put("large", parts_of(*[content] * 20))

    parts = [part async for part in await store.get("large", MIB - 5, 20 * MIB)]

    assert max(map(len, parts)) <= MIB
    assert b"".join(parts) == content[-5:] + content * 19


async def test_what_is_not_there_is_missing(store):
    assert not await store.exists("nothing")
    with pytest.raises(ObjectMissing):
        await store.get("nothing")
    await store.delete("nothing")
    await store.delete("no/thing")


async def test_what_is_deleted_is_gone(store):
    await put(store, "a/b")
    await put(store, "a/c")

    await store.delete("a/b")

    assert not await store.exists("a/b")
    assert await store.exists("a/c")


async def test_a_folder_lists_its_keys_as_get_takes_them(store):
    for key in ("a/1", "a/b/2", "ab/3", "4"):
        await put(store, key)

    assert [one.key for one in await listed(store)] == ["4", "a/1", "a/b/2", "ab/3"]
    assert await listed(store, "a") == [StoredObject("a/1", 7), StoredObject("a/b/2", 7)]
    assert await listed(store, "none") == []
    for one in await listed(store):
        assert await whole(store, one.key) == b"content"


async def test_a_put_that_breaks_off_leaves_nothing(store):
    await put(store, "before", b"as it was")

    for key, parts in (("new", [b"x"]), ("large", [b"x" * MIB] * 20), ("before", [b"y" * MIB])):
        with pytest.raises(LookupError):
            await store.put(key, parts_of(*parts, then=LookupError()))

    assert [one.key for one in await listed(store)] == ["before"]
    assert await whole(store, "before") == b"as it was"


async def test_nobody_reads_half_of_an_object(store):
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow():
        yield b"x" * MIB * 9
        begun.set()
        await go_on.wait()
        yield b"y"

    putting = asyncio.create_task(store.put("slow", slow()))
    await begun.wait()
    assert not await store.exists("slow")
    assert await listed(store) == []
    go_on.set()
    await putting

    assert (await listed(store))[0].size == 9 * MIB + 1


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        "a/..",
        "a\0b",
        "a\\b",
        "%2e%2e",
        "a b",
        "a~",
        "é",
        ".hidden",
        "a\n",
        "a/" * 512 + "a",
    ],
)
async def test_a_key_that_is_none_is_refused(store, key):
    for call in (put(store, key), store.get(key), store.exists(key), store.delete(key)):
        with pytest.raises(BadKey):
            await call
    if key:
        with pytest.raises(BadKey):
            await listed(store, key)


async def test_the_longest_key_is_one(store):
    key = "/".join(["a" * 127] * 8)
    assert len(key) == keys.LONGEST - 1

    await put(store, key)

    assert await whole(store, key) == b"content"


async def test_the_prefix_is_before_every_key_of_s3(s3_url):
    await put(in_s3(s3_url, "before"), "a/b")

    assert "<Key>before/a/b</Key>" in s3.raw(s3_url, "list-type=2&prefix=before")


async def test_an_upload_that_broke_off_leaves_no_parts_in_s3(s3_url):
    with pytest.raises(LookupError):
        await in_s3(s3_url).put("large", parts_of(*[b"x" * MIB] * 20, then=LookupError()))

    assert "<Upload>" not in s3.raw(s3_url, "uploads")


async def test_a_store_that_does_not_answer_is_away(monkeypatch):
    monkeypatch.setattr(cloud, "RETRIES", {"max_retries": 0})
    nobody = in_s3("http://127.0.0.1:9")

    for call in (put(nobody, "a"), nobody.get("a"), nobody.exists("a"), nobody.delete("a")):
        with pytest.raises(StoreAway):
            await call


@pytest.fixture
def base(tmp_path):
    return tmp_path / "objects"


async def test_no_link_leads_out_of_the_folder(tmp_path, base):
    store, outside = files.Files(base), tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    await put(store, "a/b")
    (base / "link").symlink_to(outside)
    (base / "a" / "file").symlink_to(outside / "secret")

    for key in ("link/secret", "a/file"):
        with pytest.raises(ObjectMissing):
            await store.get(key)
        assert not await store.exists(key)
    with pytest.raises(StoreAway):
        await put(store, "link/new")
    await store.delete("link/secret")
    assert [one.key for one in await listed(store)] == ["a/b"]
    assert os.listdir(outside) == ["secret"]


async def test_a_link_in_the_place_of_an_object_is_replaced_not_followed(tmp_path, base):
    store, outside = files.Files(base), tmp_path / "outside"
    outside.write_text("as it was")
    base.mkdir()
    (base / "a").symlink_to(outside)

    await put(store, "a", b"new")

    assert (await whole(store, "a"), outside.read_text()) == (b"new", "as it was")


async def test_a_folder_or_a_pipe_is_no_object(base):
    store = files.Files(base)
    await put(store, "a/b")
    os.mkfifo(base / "pipe")

    for key in ("a", "pipe"):
        assert not await store.exists(key)
        with pytest.raises(ObjectMissing):
            await store.get(key)
        await store.delete("a")
    assert await store.exists("a/b")


async def test_an_object_is_synced_before_it_has_its_name(base, monkeypatch):
    done = []
    for name in ("fsync", "rename"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, _n=name, _r=real, **k: (done.append(_n), _r(*a, **k))[1]
        )

    await put(files.Files(base), "a")

    assert done == ["fsync", "rename", "fsync"]


async def test_what_a_crash_has_left_is_no_object_and_goes_with_its_key(base):
    store = files.Files(base)
    (base / "a").mkdir(parents=True)
    (base / "a" / "b~").write_bytes(b"half")

    assert await listed(store) == []
    with pytest.raises(StoreAway):
        await put(store, "a/b")  # perhaps somebody else is just writing it
    await store.delete("a/b")
    assert os.listdir(base) == []
    await put(store, "a/b")


async def test_empty_folders_go_and_come_again_while_others_write(base):
    store = files.Files(base)

    async def come_and_go(name):
        for _ in range(50):
            await put(store, f"a/b/{name}")
            assert await whole(store, f"a/b/{name}") == b"content"
            await store.delete(f"a/b/{name}")

    await asyncio.gather(*(come_and_go(f"n{i}") for i in range(4)))

    assert os.listdir(base) == []


async def test_who_is_cancelled_leaves_nothing_either(base):
    store, begun = files.Files(base), asyncio.Event()

    async def endless():
        while True:
            yield b"x" * MIB
            begun.set()

    putting = asyncio.create_task(store.put("a", endless()))
    await begun.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting

    assert os.listdir(base) == []


async def test_a_full_disk_is_a_store_that_is_away():
    with pytest.raises(StoreAway, match="No space left on device"):
        await files._in_thread(fill)


def fill():
    with open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")


@pytest.mark.parametrize(
    "path", ["a", "a/b.txt", "ein Bild/é 日本.png", ".hidden/x", "a..b", "%2e"]
)
def test_a_path_may_have_any_letters(path):
    assert keys.checked_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *("", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/."),
        *("a\\b", "a\0", "a\nb", "\ud800", "é" * 513, "a/" * 600),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path):
    with pytest.raises(BadPath):
        keys.checked_path(path)
