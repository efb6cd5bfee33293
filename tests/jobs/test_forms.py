"""Both forms of a sweep: the tasks of a valid one, the message for an invalid one."""

import pytest

from jobs import forms
from jobs.exceptions import GridTooLarge
from jobs.sweeps import parameters_of
from problems import Problem
from tests.jobs.sweeps import CONSTANT, artifact, grid, ranges


def payloads(body):
    return [task.payload for task in forms.read(body).tasks()]


def values(**parameter):
    """The values of a parameter of the form with groups."""
    return [payload["params"]["run.x"] for payload in payloads(artifact(run={"x": parameter}))]


def refusal(body):
    with pytest.raises(Problem) as raised:
        forms.read(body)
    return raised.value.message


def test_the_example_of_the_seed_is_a_full_product_of_375():
    sweep = forms.read(
        ranges(
            algorithms=["PSO", "GA", "DE"],
            iterations=(100, 500, 100),
            agents=(10, 50, 10),
            dimension=(2, 10, 2),
        )
    )

    assert sweep.grid.count == len(list(sweep.tasks())) == 375


def test_scenario_50_a_product_of_36():
    body = ranges(
        algorithms=["PSO", "GA"], iterations=(1, 3, 1), agents=(1, 3, 1), dimension=(1, 2, 1)
    )

    assert len(payloads(body)) == 36


def test_b8_combinations_come_in_the_order_of_submission():
    body = ranges(algorithms=["PSO", "GA"], iterations=(100, 200, 100), dimension=(2, 3, 1))

    assert [(p["alg"], p["iterations"], p["dimension"]) for p in payloads(body)] == [
        ("PSO", 100, 2),
        ("PSO", 100, 3),
        ("PSO", 200, 2),
        ("PSO", 200, 3),
        ("GA", 100, 2),
        ("GA", 100, 3),
        ("GA", 200, 2),
        ("GA", 200, 3),
    ]


def test_a_payload_of_the_first_form_is_four_plain_values():
    assert payloads(ranges()) == [{"alg": "PSO", "iterations": 100, "agents": 10, "dimension": 2}]


def test_scenario_47_a_jar_may_stand_anywhere():
    assert forms.read(ranges(jarPath="s3://bucket/opt.jar")).specification["jarPath"] == (
        "s3://bucket/opt.jar"
    )


def test_scenario_45_a_payload_of_the_second_form_says_what_to_run():
    body = artifact(
        run={"iter": {"type": "INT_RANGE", "min": 100, "max": 100}}, artifactEndpoint="http://s3"
    )

    assert payloads(body) == [
        {
            "artifactBucket": "bucket",
            "artifactKey": "opt.jar",
            "artifactEndpoint": "http://s3",
            "mainClass": "com.example.Main",
            "params": {"run.iter": 100},
        }
    ]


def test_scenario_44_groups_multiply():
    two = {"type": "ENUM_LIST", "values": ["a", "b"]}

    body = artifact(one={"x": two, "y": two}, other={"x": CONSTANT, "y": CONSTANT})

    assert len(payloads(body)) == 4


def test_scenario_41_a_range_of_whole_numbers():
    assert values(type="INT_RANGE", min=100, max=300, step=100) == [100, 200, 300]


def test_the_default_step_is_one():
    assert values(type="INT_RANGE", min=1, max=3) == [1, 2, 3]
    assert values(type="FLOAT_RANGE", min=1, max=3) == [1.0, 2.0, 3.0]


def test_b10_decimals_do_not_drift():
    assert values(type="FLOAT_RANGE", min=0.1, max=0.5, step=0.1) == [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize("value", ["text", 0.5, 3, True, None, [1, 2], {"a": {"b": 1}}])
def test_scenario_42_a_constant_is_any_json(value):
    assert values(type="CONSTANT", value=value) == [value]


def test_scenario_43_a_list_of_values():
    assert values(type="ENUM_LIST", values=["a", "b", "a"]) == ["a", "b", "a"]


@pytest.mark.parametrize("spelled", ["int_range", "Int_Range", " INT_RANGE "])
def test_types_match_without_regard_to_case(spelled):
    assert values(type=spelled, min=1, max=2) == [1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"jarPath": None}, "jarPath is required"),
        ({"jarPath": "  "}, "jarPath is required"),
        ({"mainClass": None}, "mainClass is required"),
        ({"mainClass": ""}, "mainClass is required"),
        ({"algorithms": None}, "algorithms must not be empty"),
        ({"algorithms": []}, "algorithms must not be empty"),
        ({"iterations": None}, "iterations is required"),
        ({"iterations": {"min": 1, "max": 2, "step": 0}}, "iterations range is invalid"),
        ({"iterations": {"min": 1, "max": 2, "step": -1}}, "iterations range is invalid"),
        ({"agents": {"min": 10, "max": 5, "step": 1}}, "agents range is invalid"),
        ({"dimension": {"min": 2, "max": 1, "step": 1}}, "dimension range is invalid"),
        ({"dimension": {"min": 2, "max": 2}}, "dimension.step is required"),
        ({"agents": {"max": 5, "step": 1}}, "agents.min is required"),
    ],
)
def test_scenario_51_the_first_form_names_missing_fields(change, message):
    assert refusal(ranges() | change) == message


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"jarPath": 7}, "jarPath"),
        ({"algorithms": "PSO"}, "algorithms"),
        ({"algorithms": ["PSO", 1]}, "algorithms"),
        ({"algorithms": ["PSO", " "]}, "algorithms"),
        ({"iterations": 100}, "iterations"),
        ({"iterations": {"min": 1.5, "max": 2, "step": 1}}, "iterations.min"),
        ({"iterations": {"min": 1, "max": True, "step": 1}}, "iterations.max"),
        ({"priority": "high"}, "priority"),
        ({"maxAttempts": 0}, "maxAttempts"),
        ({"retryDelaySeconds": 61}, "retryDelaySeconds"),
        ({"name": "n" * 201}, "name"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(change, named):
    assert refusal(ranges() | change).startswith(f"{named} must ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"artifactBucket": ""}, "artifactBucket is required"),
        ({"artifactKey": None}, "artifactKey is required"),
        ({"mainClass": " "}, "mainClass is required"),
        ({"parameters": []}, "parameters must not be empty"),
        ({"parameters": None}, "parameters must not be empty"),
        ({"parameters": [{"groupId": "run", "params": {}}]}, "parameters must not be empty"),
    ],
)
def test_scenario_46_the_second_form_names_missing_fields(change, message):
    assert refusal(artifact(run={"x": CONSTANT}) | change) == message


@pytest.mark.parametrize(
    "parameter",
    [
        {},
        {"type": None},
        {"type": "UNKNOWN"},
        {"type": 7},
        {"type": "CONSTANT"},
        {"type": "INT_RANGE", "min": 1},
        {"type": "INT_RANGE", "max": 1},
        {"type": "INT_RANGE", "min": 2, "max": 1},
        {"type": "INT_RANGE", "min": 1, "max": 2, "step": 0},
        {"type": "INT_RANGE", "min": "1", "max": 2},
        {"type": "INT_RANGE", "min": 1.0, "max": 2},
        {"type": "FLOAT_RANGE", "min": 0.1},
        {"type": "FLOAT_RANGE", "min": 1.0, "max": 0.5},
        {"type": "FLOAT_RANGE", "min": 0.1, "max": 1, "step": 0},
        {"type": "FLOAT_RANGE", "min": 0.1, "max": True},
        {"type": "ENUM_LIST"},
        {"type": "ENUM_LIST", "values": []},
        {"type": "ENUM_LIST", "values": "a"},
        {"type": "ENUM_LIST", "values": [None]},
        {"type": "ENUM_LIST", "values": [["a"]]},
        None,
        7,
        [],
    ],
)
def test_b10_a_bad_parameter_is_named_and_never_dropped(parameter):
    body = artifact(run={"bad": parameter, "good": CONSTANT})

    assert refusal(body).startswith("run.bad")


def test_a_repeated_parameter_is_named():
    body = artifact(run={"x": CONSTANT})
    body["parameters"] *= 2

    assert refusal(body) == "run.x is given twice"


@pytest.mark.parametrize("group", [None, 7, {}, {"groupId": " "}, {"groupId": "g", "params": []}])
def test_a_bad_group_is_named_by_its_place(group):
    body = artifact(run={"x": CONSTANT})
    body["parameters"].append(group)

    assert refusal(body).startswith("parameters[1]")


def test_only_one_of_the_forms_at_once():
    body = ranges() | artifact(run={"x": CONSTANT})

    assert refusal(body) == "either algorithms or parameters, not both"


@pytest.mark.parametrize("body", [None, [], "text", 7])
def test_a_sweep_must_be_an_object(body):
    assert refusal(body)


def test_b10_a_grid_that_is_too_large_is_refused_with_its_count(settings):
    settings.MAX_JOB_TASKS = 100
    body = grid(n=65_536, m=65_536)

    with pytest.raises(GridTooLarge, match="4294967296 tasks; at most 100 "):
        forms.read(body)
    assert len(payloads(grid(n=10, m=10))) == 100


@pytest.mark.parametrize(
    "axis",
    [
        {"type": "FLOAT_RANGE", "min": 0, "max": 1.7e308, "step": 5e-324},
        {"type": "FLOAT_RANGE", "min": -1.7e308, "max": 1.7e308, "step": 1e-300},
        {"type": "INT_RANGE", "min": -(10**308), "max": 10**308},
        {"type": "ENUM_LIST", "values": list(range(10))},
    ],
)
@pytest.mark.parametrize("axes", [8, 3_000])
def test_a_grid_of_more_tasks_than_can_be_printed_is_refused(axis, axes):
    body = artifact(run={f"p{i}": axis for i in range(axes)})

    message = refusal(body)

    if axis["type"] == "ENUM_LIST" and axes == 8:
        assert message.startswith("the job would have 100000000 tasks; at most ")
    else:
        assert message.startswith(f"the job would have more than {10**15} tasks; at most ")


@pytest.mark.parametrize("wanted", ["iterations", "agents", "dimension"])
def test_a_range_of_the_first_form_with_more_values_than_can_be_printed_is_refused(wanted):
    body = ranges(**{wanted: (-(10**308), 10**308, 1)})

    assert refusal(body).startswith(f"the job would have more than {10**15} tasks")


def test_payloads_that_are_too_large_together_are_refused():
    body = artifact(run={"x": {"type": "CONSTANT", "value": "x" * 200_000}})
    body["parameters"] += grid(n=10_000)["parameters"]

    assert "bytes" in refusal(body)


def test_a_payload_that_no_task_could_have_is_refused():
    body = artifact(run={"x": {"type": "CONSTANT", "value": "x" * 300_000}})

    assert "bytes" in refusal(body)


def test_a_thousand_algorithms_are_too_many():
    names = [f"algorithm-{n}" for n in range(1_001)]

    assert "1001 different things" in refusal(ranges(algorithms=names))


def wants(body):
    return [task.wants for task in forms.read(body).tasks()]


def test_tasks_want_their_algorithm():
    assert wants(ranges(algorithms=["PSO", "GA"])) == [{"algorithm": "PSO"}, {"algorithm": "GA"}]


def test_tasks_of_the_second_form_want_what_their_parameters_name():
    body = artifact(
        setup={
            "algorithm": {"type": "ENUM_LIST", "values": ["PSO", "GA"]},
            "optimizer": {"type": "CONSTANT", "value": "opt-1"},
        }
    )

    assert wants(body) == [
        {"algorithm": "PSO", "optimizer": "opt-1"},
        {"algorithm": "GA", "optimizer": "opt-1"},
    ]


def test_all_tasks_want_the_optimizer_of_the_job():
    assert wants(artifact(run={"x": CONSTANT}, optimizerId="opt-1")) == [{"optimizer": "opt-1"}]


def test_a_function_is_no_want():
    body = artifact(algorithm={"function": {"type": "CONSTANT", "value": "sphere"}})

    assert wants(body) == [{}]


def test_a_title_tells_the_combination():
    (task,) = forms.read(ranges()).tasks()

    assert task.title == "alg=PSO iterations=100 agents=10 dimension=2"


def test_names_match_without_regard_to_case():
    body = artifact()
    body["PARAMETERS"] = [{"GroupID": "run", "Params": {"x": {"TYPE": "constant", "Value": 1}}}]
    del body["parameters"]

    sweep = forms.read(body)

    assert [task.payload["params"] for task in sweep.tasks()] == [{"run.x": 1}]
    assert list(parameters_of(sweep.specification)) == ["run.x"]
