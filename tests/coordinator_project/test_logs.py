import json
import subprocess
import sys

from coordinator_project.env import BASE_DIR
from tests.coordinator_project.running import environment

LINES = """
import logging, django
django.setup()
from events.context import request_id
import structlog
request_id.set("r-17")
logging.getLogger("tasks").info("plain %s", "words", extra={"task": 7})
structlog.get_logger("tasks").warning("structured", task=8)
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("tasks").exception("broken")
logging.getLogger("tasks").debug("unheard")
"""


def test_every_line_is_json_and_carries_the_request_id(folder):
    done = subprocess.run(
        [sys.executable, "-c", LINES],
        cwd=BASE_DIR,
        env=environment(folder, DJANGO_SETTINGS_MODULE="coordinator_project.settings"),
        capture_output=True,
        text=True,
        check=True,
    )

    plain, structured, broken = [json.loads(line) for line in done.stderr.splitlines()]
    assert (plain["event"], plain["task"], plain["level"]) == ("plain words", 7, "info")
    assert (structured["event"], structured["task"]) == ("structured", 8)
    assert "ZeroDivisionError" in broken["exception"]
    assert {line["request_id"] for line in (plain, structured, broken)} == {"r-17"}


REFUSED = """
import django
django.setup()
from django.test import Client
Client().get("/v1/tasks?token=hunter2", headers={"Host": "elsewhere.example.org"})
Client().get("/v1/tasks", headers={"Host": "localhost,elsewhere.example.org"})
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.core.handlers.exception import response_for_exception
from django.test import RequestFactory
problem = DisallowedModelAdminLookup("Filtering by age not allowed")
response_for_exception(RequestFactory().get("/admin/tasks/task/"), problem)
"""


def test_no_line_shows_the_query_which_may_contain_a_token(folder):
    done = subprocess.run(
        [sys.executable, "-c", REFUSED],
        cwd=BASE_DIR,
        env=environment(folder, DJANGO_SETTINGS_MODULE="coordinator_project.settings"),
        capture_output=True,
        text=True,
        check=True,
    )

    refusal = json.loads(done.stderr.splitlines()[0])
    assert refusal["path"] == "/v1/tasks"
    assert "hunter2" not in done.stderr


def test_what_clients_do_wrong_is_no_error_and_has_no_traceback(folder):
    done = subprocess.run(
        [sys.executable, "-c", REFUSED],
        cwd=BASE_DIR,
        env=environment(folder, DJANGO_SETTINGS_MODULE="coordinator_project.settings"),
        capture_output=True,
        text=True,
        check=True,
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert any("age not allowed" in line["event"] for line in lines)
    assert any("localhost,elsewhere" in line["event"] for line in lines)
    assert {line["level"] for line in lines} <= {"info", "warning"}
    assert not any("exception" in line for line in lines)


CRASH = """
import django
django.setup()
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils.log import log_response
request = RequestFactory().get("/v1/stream?token=hunter2")
log_response("refused", response=HttpResponse(status=404), request=request)
try:
    1 / 0
except ZeroDivisionError as fault:
    log_response("crashed", response=HttpResponse(status=500), request=request, exception=fault)
"""


def test_a_crash_leaves_its_traceback(folder):
    done = subprocess.run(
        [sys.executable, "-c", CRASH],
        cwd=BASE_DIR,
        env=environment(folder, DJANGO_SETTINGS_MODULE="coordinator_project.settings"),
        capture_output=True,
        text=True,
        check=True,
    )

    (crash,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (crash["event"], crash["level"]) == ("crashed", "error")
    assert "ZeroDivisionError" in crash["exception"]
    assert "hunter2" not in done.stderr
