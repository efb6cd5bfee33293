import subprocess
import sys

import pytest
import yaml
from django.core.management import call_command
from jsonschema import Draft202012Validator

from coordinator_project import openapi
from coordinator_project.management.commands.openapi import FOLDER
from tests.coordinator_project.running import surroundings
from tests.schema_check import inlined, whole

PAGES = ["/api/schema/", "/api/schema/swagger/", "/api/schema/redoc/", "/docs"]


def operations():
    return list(openapi.operations(whole()))


def bodies():
    """Each body of JSON that is declared, with its examples."""
    for path, method, operation in operations():
        asked = [("request", operation["requestBody"])] if "requestBody" in operation else []
        answers = [(status, body) for status, body in operation["responses"].items()]
        for name, body in asked + answers:
            for media, content in body.get("content", {}).items():
                if media.endswith("json") and name[0] in "r2":
                    yield f"{method} {path} {name}", content


def test_the_files_are_current_and_made_without_a_warning():
    call_command("openapi", check=True)


def test_there_is_a_file_for_each_family():
    names = {file.stem for file in FOLDER.glob("*.yaml")}

    assert names == {
        *("agents", "auth", "collab", "console", "functions", "health"),
        *("jobs", "metrics", "search", "spots", "tokens"),
    }


def test_each_operation_has_its_words():
    for path, method, operation in operations():
        where = f"{method} {path}"
        assert operation["summary"], where
        assert "**Who may:** " in operation["description"], where
        assert not operation["description"].startswith("**"), where
        assert len(operation["tags"]) == 1, where
        assert {"400", "408", "431"} <= operation["responses"].keys(), where
        assert any(status[0] == "2" for status in operation["responses"]), where


def test_an_operation_that_may_be_refused_says_so():
    for path, method, operation in operations():
        needs = {"401", "403", "503"} if "security" in operation else set()
        needs |= {"413"} if "requestBody" in operation else set()
        needs |= {"404"} if "{" in path else set()
        assert needs <= operation["responses"].keys(), f"{method} {path}"


def test_each_body_has_an_example_that_fits():
    for where, content in bodies():
        assert content["examples"], where
        for example in content["examples"].values():
            Draft202012Validator(inlined(content["schema"])).validate(example["value"])


def test_the_schema_is_yaml_or_json_as_asked(client):
    as_yaml = client.get("/api/schema/")
    by_query = client.get("/api/schema/?format=json")
    by_header = client.get("/api/schema/", headers={"accept": "application/json"})

    assert yaml.safe_load(as_yaml.content) == by_query.json() == by_header.json()
    assert by_query.json()["openapi"] == "3.1.0"
    assert by_query.json()["paths"].keys() == whole()["paths"].keys()


@pytest.mark.parametrize("query", ["lang=zz", "lang=ko", "version=a%0Ab", "version=2"])
def test_nothing_in_the_query_makes_another_schema(client, query):
    answer = client.get(f"/api/schema/?format=json&{query}")

    assert answer.json() == whole()
    assert openapi._made.cache_info().currsize == 1


AT_ONCE = """
import threading, django
django.setup()
from coordinator_project import openapi
start, made = threading.Barrier(8), []
def ask():
    start.wait()
    made.append(openapi.whole()["openapi"])
threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
print(made == ["3.1.0"] * 8)
"""


def test_many_who_ask_for_the_schema_first_all_get_it():
    environment = surroundings() | {"DJANGO_SETTINGS_MODULE": "coordinator_project.settings"}
    done = subprocess.run([sys.executable, "-c", AT_ONCE], env=environment, capture_output=True)

    assert (done.stdout, done.stderr) == (b"True\n", b"")


@pytest.mark.parametrize("path", PAGES[1:])
def test_a_page_asks_no_other_host(client, path):
    page = client.get(path).content.decode()

    assert "/static/drf_spectacular_sidecar/" in page
    assert "//" not in page.replace("://testserver", "")
    assert "<script>" not in page
    assert "<style" not in page


def test_clients_of_seed_003_find_the_schema_where_they_look(client):
    answer = client.get("/docs.json")

    assert answer.json() == client.get("/api/schema/?format=json").json()
    assert "/api/collab/task.claim" in answer.json()["paths"]


@pytest.mark.parametrize("path", PAGES)
def test_who_may_not_read_does_not_read_the_schema(client, settings, path):
    settings.COORDINATOR_AUTH_TOKEN = "a-token-of-sufficient-length"
    nobody = client.get(path)
    known = client.get(path, headers={"x-api-key": "a-token-of-sufficient-length"})

    assert nobody.status_code == (401 if path == "/api/schema/" else 302)
    assert known.status_code == 200
