"""The client is a distribution of its own: it needs its dependencies and nothing of the server."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest

from coordinator_client import __version__
from coordinator_client.commands import main

CLIENT = Path(__file__).parents[2] / "client"


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


def test_it_says_its_version(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["coordinator", "--version"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert (ended.value.code, capsys.readouterr().out) == (0, f"coordinator {__version__}\n")


def test_it_imports_only_what_it_declares():
    declared = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {text.partition(">")[0] for text in declared} | {"coordinator_client"}

    found = {name for path in CLIENT.rglob("*.py") for name in imported(path)}

    assert found - sys.stdlib_module_names == names
