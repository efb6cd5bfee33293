"""The parameters that a form for sweeps may offer; a job may have others."""

FUNCTIONS = ("sphere", "ackley", "rosenbrock", "rastrigin", "michalewicz")


def _whole(name: str, label: str) -> dict[str, object]:
    return {"id": name, "label": label, "type": "INT_RANGE"}


SCHEMA: dict[str, object] = {
    "groups": [
        {
            "id": "algorithm",
            "label": "Algorithm",
            "parameters": [
                {
                    "id": "function",
                    "label": "Function",
                    "type": "ENUM",
                    "options": list(FUNCTIONS),
                }
            ],
        },
        {
            "id": "run",
            "label": "Run",
            "parameters": [
                _whole("iterations", "Iterations"),
                _whole("agents", "Agents"),
                _whole("dimension", "Dimension"),
            ],
        },
    ]
}
