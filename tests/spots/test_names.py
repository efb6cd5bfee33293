"""Names of SPOTs, optimizers, algorithms and parameters are names however they are composed."""

from unicodedata import normalize

import pytest

from agents.models import Agent
from tests.jobs.calls import Sweeps, run
from tests.jobs.sweeps import artifact, ranges
from tests.spots.calls import Spots, data, refusal

pytestmark = pytest.mark.django_db


def nfd(name):
    return f" {normalize('NFD', name)} "


@pytest.fixture
def spots(client):
    return Spots(client)


@pytest.fixture
def sweeps(client):
    return Sweeps(client)


def test_both_spellings_are_one_spot(spots, sweeps):
    sweeps.of(2)
    assert spots.hello(spotId=nfd("빌드")) == "빌드"
    data(spots.beat("빌드"))

    first = spots.claim_one(nfd("빌드"))
    data(spots.complete(first, nfd("빌드"), fopt=1))
    second = spots.claim_one("빌드")
    data(spots.fail(second, nfd("빌드"), retriable=False))

    assert [spot["id"] for spot in data(spots.get("/api/v1/spots"))["spots"]] == ["빌드"]
    assert Agent.objects.get().pk == "빌드"


def capable(algorithm, optimizer="최적"):
    return {"optimizers": [{"optimizerId": optimizer, "algorithms": [algorithm]}]}


@pytest.mark.parametrize(
    "body",
    [
        ranges([nfd("빌드")]),
        artifact(algorithm={"name": {"type": "ENUM_LIST", "values": [nfd("빌드")]}}),
        artifact(algorithm={" name ": {"type": "CONSTANT", "value": nfd("빌드")}}),
        artifact(run={"n": {"type": "CONSTANT", "value": 1}}, optimizerId=nfd("최적")),
    ],
)
def test_a_spot_gets_what_it_offers_in_either_spelling(spots, sweeps, body):
    sweeps.make(body)
    spots.hello(spotId="other", capabilities=capable("PSO", "else"))
    spots.hello(spotId="able", capabilities=capable(nfd("빌드"), nfd("최적")))

    assert spots.claim("other") == []
    assert len(spots.claim("able")) == 1


def test_parameters_are_found_by_either_spelling(spots, sweeps):
    sweep = artifact(**{nfd("무리"): {nfd("값"): {"type": "ENUM_LIST", "values": [1, 2]}}})
    job = sweeps.make(sweep)
    tasks = run(spots, 5, 6)

    assert [list(task["params"]["params"]) for task in tasks] == [["무리.값"]] * 2
    for name in ("param.무리.값", nfd("param.무리.값")):
        [found] = sweeps.results(job, **{name: "2", "spot": nfd("spot-1")})
        assert found["fopt"] == 6
        falling = sweeps.results(job, sort=f"-{name.strip()}")
        assert [row["fopt"] for row in falling] == [6, 5]


def test_results_are_found_by_a_text_as_it_was_sent_and_as_a_name(spots, sweeps):
    sent = normalize("NFD", "빌드")
    job = sweeps.make(artifact(algorithm={"name": {"type": "CONSTANT", "value": sent}}))
    of_ranges = sweeps.make(ranges([sent]))
    run(spots, 1, 2)

    assert [row["params"]["algorithm.name"] for row in sweeps.results(job)] == [sent]
    for written in (sent, f"{sent} "):
        assert len(sweeps.results(of_ranges, algorithm=written)) == 1
    assert len(sweeps.results(job, algorithm=sent)) == 1


def test_a_parameter_given_in_two_spellings_is_refused(sweeps):
    constant = {"type": "CONSTANT", "value": 1}
    twice = artifact(run={"é": constant, nfd("é"): constant})

    status, error = refusal(sweeps.post("", twice))

    assert (status, error) == (400, "run.é is given twice")


def test_a_sweep_is_found_by_its_name_in_either_spelling(sweeps):
    sweeps.make(ranges(name=nfd("빌드"), idempotencyKey=nfd("é")))
    again = sweeps.post("", ranges(name="빌드", idempotencyKey="é"))

    assert again.status_code == 200
    for written in (nfd("빌드"), "빌"):
        assert len(data(sweeps.get("", name=written))["jobs"]) == 1
