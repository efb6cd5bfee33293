"""Random requests always get an answer in the form of /v1, and never crash."""

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api_v1.calls import JSON
from tests.api_v1.endpoints import every_write

pytestmark = pytest.mark.django_db

SLOWLY = settings(
    max_examples=15,  # of some fields, the others are those of a good request; script/fuzz goes on
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WORDS = ["a", "agent", "work", "queued", "done", "failed", "idle", "stop", "text", "k", "\0", " "]
FILTERS = [
    *("limit", "cursor", "status", "channel_id", "chain_id", "agent_id", "task_id", "type"),
    *("source", "online", "created_after", "created_before", "x"),
    *("reason", "job_id", "finished_after", "finished_before"),
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-1, 3)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(WORDS)
)
jsons = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(), max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def is_answered(response):
    if response.status_code == 204:
        return
    assert response.status_code < 500, response.content
    assert response["Content-Type"] == JSON
    body = response.json()
    if response.status_code >= 400:
        assert body["error"].keys() == {"code", "message"}
        # Nobody has looked at the value before the database did.
        assert "cannot be stored" not in body["error"]["message"]


@every_write
def test_random_fields_are_answered(world, endpoint):
    fields = dict.fromkeys(endpoint.kinds, jsons) | {"claim": jsons, "x": jsons}
    ids = st.sampled_from(sorted(world.names.values()))
    likely = {name: ids | values for name, values in fields.items()}

    @SLOWLY
    @given(st.fixed_dictionaries({}, optional=likely), st.booleans())
    def send(body, on_top_of_good):
        is_answered(world.send(endpoint, world.good(endpoint) | body if on_top_of_good else body))

    send()


@every_write
def test_random_json_and_bytes_are_answered(world, endpoint):
    @SLOWLY
    @given(jsons | st.lists(st.dictionaries(st.sampled_from(WORDS), jsons)) | st.binary())
    def send(body):
        is_answered(world.send(endpoint, body))

    send()


@pytest.mark.parametrize(
    "kind", ["agents", "channels", "chains", "tasks", "events", "dead-letters"]
)
def test_random_queries_are_answered(world, kind):
    values = st.text(max_size=12) | st.sampled_from([*WORDS, *world.names.values(), "true", "1"])

    @SLOWLY
    @given(st.dictionaries(st.sampled_from(FILTERS), values))
    def ask(query):
        is_answered(world.api.get(f"/{kind}", **query))

    ask()


@pytest.mark.parametrize("path", ["/agents/{}", "/agents/{}/current-task", "/tasks/{}", "/{}"])
def test_random_paths_are_answered(world, path):
    @SLOWLY
    @given(st.text(max_size=12) | st.binary(max_size=6) | st.sampled_from(WORDS))
    def ask(text):
        is_answered(world.api.get(path.format(quote(text, safe="/"))))

    ask()
