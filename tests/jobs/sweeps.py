"""Requests for sweeps, in both forms."""

CONSTANT = {"type": "CONSTANT", "value": 1}


def ranges(
    algorithms=("PSO",),
    iterations=(100, 100, 100),
    agents=(10, 10, 10),
    dimension=(2, 2, 1),
    **more,
):
    """The first form; by default one task."""
    spelled = {"iterations": iterations, "agents": agents, "dimension": dimension}
    return {
        "jarPath": "/opt/optimizer.jar",
        "mainClass": "com.example.Main",
        "algorithms": list(algorithms),
        **{
            name: dict(zip(("min", "max", "step"), parts, strict=True))
            for name, parts in spelled.items()
        },
        **more,
    }


def artifact(**groups):
    """The second form, with these groups of parameters and other fields."""
    beside = {name: value for name, value in groups.items() if not isinstance(value, dict)}
    return {
        "artifactBucket": "bucket",
        "artifactKey": "opt.jar",
        "mainClass": "com.example.Main",
        "parameters": [
            {"groupId": name, "params": params}
            for name, params in groups.items()
            if isinstance(params, dict)
        ],
        **beside,
    }


def grid(**sizes):
    """The second form: parameters `run.<name>` from 1 to their size."""
    run = {name: {"type": "INT_RANGE", "min": 1, "max": size} for name, size in sizes.items()}
    return artifact(run=run)


def functions(**more):
    """A sweep of the second form over two functions and two steps."""
    return artifact(
        algorithm={"function": {"type": "ENUM_LIST", "values": ["sphere", "ackley"]}},
        run={"step": {"type": "FLOAT_RANGE", "min": 0.1, "max": 0.2, "step": 0.1}},
        **more,
    )
