"""Files in the admin: listed, found, and deleted by administrators; their objects follow."""

import pytest
from django.urls import reverse

from artifacts.models import Artifact, Removal
from tests.artifacts.calls import files_in, swept
from tests.console.clicking import audit, choose, click, list_of, messages_of, page_of, preview
from tests.console.people import browser_of
from tests.factories import make_artifact, make_task

pytestmark = pytest.mark.django_db


def listed(browser, **query):
    page = browser.get(list_of(Artifact), query)
    assert page.status_code == 200
    return [row.path for row in page.context["cl"].result_list], page.content.decode()


def test_files_are_listed_with_their_task_size_and_attempt():
    task = make_task()
    make_artifact(task, "out/report.html", size=3 * 1024 * 1024, epoch=7)

    paths, page = listed(browser_of("Viewer"))

    assert paths == ["out/report.html"]
    assert reverse("admin:tasks_task_change", args=[task.pk]) in page
    assert "3.0\xa0MB" in page
    assert ">7<" in page.replace("\n", "")


def test_files_are_found_by_their_task_or_a_part_of_their_path():
    one, other = make_task(), make_task()
    make_artifact(one, "a/log.txt")
    make_artifact(other, "b/log.txt")
    make_artifact(other, "c")
    viewer = browser_of("Viewer")

    assert listed(viewer, q=str(one.pk))[0] == ["a/log.txt"]
    assert listed(viewer, q="log")[0] == ["b/log.txt", "a/log.txt"]
    assert listed(viewer, q="nothing")[0] == []


def test_the_page_of_a_file_says_where_its_bytes_are():
    artifact = make_artifact(make_task(), "a")

    page = browser_of("Viewer").get(page_of(artifact)).content.decode()

    assert artifact.key in page
    assert artifact.sha256 in page


def test_an_administrator_deletes_a_file_and_its_object_follows(runner, folder):
    runner.put("kept")
    runner.put("deleted", b"other")
    artifact = Artifact.objects.get(path="deleted")
    admin = browser_of("Admin")

    will = preview(admin, artifact, "delete")
    done = click(admin, artifact, "delete", "it has a password")

    assert will == ["Deletes 1 file for ever; the task stays as it is."]
    assert messages_of(done) == ["Delete: 1 done."]
    assert Artifact.objects.get().path == "kept"
    assert audit(artifact) == [("delete", "user:admin", "it has a password", "")]
    assert len(swept(folder)) == 1 == len(files_in(folder))
    assert not Removal.objects.exists()


def test_many_files_are_deleted_at_once():
    task = make_task()
    rows = [make_artifact(task) for _ in range(3)]

    done = choose(browser_of("Admin"), rows[:2], "delete")

    assert messages_of(done) == ["Delete: 2 done."]
    assert Artifact.objects.get() == rows[2]
    assert audit(rows[0]) == [("delete", "user:admin", "it hangs", "")]


@pytest.mark.parametrize("group", ["Viewer", "Operator"])
def test_others_delete_nothing(group):
    artifact = make_artifact(make_task())
    browser = browser_of(group)

    assert browser.post(page_of(artifact, "verb", "delete"), {}).status_code == 403
    assert browser.post(page_of(artifact, "delete"), {"post": "yes"}).status_code == 403
    choose(browser, [artifact], "delete")
    assert Artifact.objects.exists()


def test_who_may_not_view_the_console_sees_no_files():
    make_artifact(make_task())

    assert browser_of("User").get(list_of(Artifact)).status_code == 403
