"""The sweep of the demonstration: which runs its job asks for."""

from itertools import product

from benchmarks.demo.wire import Body

ALGORITHMS = ("PSO", "GA", "DE")
FUNCTIONS = ("sphere", "ackley", "rastrigin")
ITERATIONS = (100, 200, 300, 400, 500)
AGENTS = (10, 30)
DIMENSIONS = (2, 5)

NAMES = ("algorithm", "function", "iterations", "agents", "dimension")
"""As results name them, in the order of the grid."""

Point = tuple[str | int, ...]
"""The values of one task, in the order of NAMES."""

POINTS: tuple[Point, ...] = tuple(product(ALGORITHMS, FUNCTIONS, ITERATIONS, AGENTS, DIMENSIONS))
TASKS = len(POINTS)

JOB: Body = {
    "artifactBucket": "experiments",
    "artifactKey": "optimizer_worker.py",
    "mainClass": "Worker",
    "parameters": [
        {
            "groupId": "algorithm",
            "params": {
                "name": {"type": "ENUM_LIST", "values": [*ALGORITHMS]},
                "function": {"type": "ENUM_LIST", "values": [*FUNCTIONS]},
            },
        },
        {
            "groupId": "run",
            "params": {
                "iterations": {"type": "INT_RANGE", "min": 100, "max": 500, "step": 100},
                "agents": {"type": "INT_RANGE", "min": 10, "max": 30, "step": 20},
                "dimension": {"type": "INT_RANGE", "min": 2, "max": 5, "step": 3},
            },
        },
    ],
}


def point(result: Body) -> Point:
    """Where in the grid a result stands."""
    found = [result.get(name) for name in NAMES]
    return tuple(value for value in found if isinstance(value, (str, int)))
