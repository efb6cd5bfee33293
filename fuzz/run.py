"""One run: a pass of each role over the whole schema, and what was found in it."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemathesis.checks import load_all_checks
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from chaos import logs
from fuzz import particulars
from fuzz.roles import Role
from fuzz.traces import Change, beyond, snapshot
from fuzz.world import World

SHOWN = 300  # characters of an answer


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with an operation, and how to see it again."""

    operation: str
    what: str
    message: str = ""
    request: str = ""
    answer: str = ""


@dataclass
class Phase:
    """What one phase of a pass has tried, and how many of the requests were carried out."""

    operations: set[str] = field(default_factory=set)
    cases: int = 0
    done: int = 0
    failures: int = 0


@dataclass
class Pass:
    """The requests of one role."""

    role: str
    phases: dict[str, Phase] = field(
        default_factory=lambda: {name: Phase() for name in particulars.PHASES}
    )
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    beyond: Sequence[Change] = ()

    def note(self, finding: Finding, phase: str = "") -> None:
        """Keep the first finding of its kind, and count all."""
        self.findings.setdefault((finding.operation, finding.what), finding)
        if phase in self.phases:
            self.phases[phase].failures += 1

    @property
    def is_clean(self) -> bool:
        return not self.findings and not self.beyond


@dataclass
class Run:
    """A coordinator in `folder`, fuzzed by one role after the other, for so many seconds in all."""

    folder: Path
    roles: Sequence[Role]
    seconds: float
    seed: int
    say: Callable[[str], None]
    passes: list[Pass] = field(default_factory=list)
    tracebacks: Mapping[str, int] = field(default_factory=dict)  # in the log of the coordinator

    def __post_init__(self) -> None:
        self.world = World(self.folder)
        load_all_checks()

    def go(self) -> None:
        with self.world.alive():
            self.world.serve(self.roles[0].settings)
            over = time.monotonic() + self.seconds
            for place, role in enumerate(self.roles):
                began = time.monotonic()
                share = (over - began) / (len(self.roles) - place)
                made = self._pass(role, until=began + share)
                self.passes.append(made)
                requests = sum(one.cases for one in made.phases.values())
                took = time.monotonic() - began
                self.say(f"{role.name}: {requests:,} requests in {took:.0f} s")
        self.tracebacks = logs.tracebacks([self.world.log])

    def _pass(self, role: Role, *, until: float) -> Pass:
        world = self.world
        world.serve(role.settings)
        caller, ids = world.caller(role), particulars.ids_for(role, world.stock(role.agent))
        made = Pass(role.name)
        raw: dict[str, Any] = dict(world.schema())
        with world.connect() as connection:
            before = snapshot(connection)
            left = until - time.monotonic()
            for phases, share in particulars.SHARES.items():
                settings = particulars.config(
                    role,
                    caller.credential,
                    ids,
                    seed=self.seed,
                    seconds=left * share,
                    phases=phases,
                )
                schema = particulars.load(raw, settings, world.url, role.paths, ids, world.tokens)
                follow(made, from_schema(schema).execute())
            made.beyond = beyond(role.may, caller.me, before, snapshot(connection))
        return made

    @property
    def is_clean(self) -> bool:
        return all(one.is_clean for one in self.passes) and not self.tracebacks


def follow(made: Pass, stream: Iterable[events.EngineEvent]) -> None:
    """Keep what the engine says of its scenarios."""
    for event in stream:
        match event:
            case events.ScenarioFinished() if event.phase.value in made.phases:
                _scenario(made, event)
            case events.NonFatalError():
                phase = event.phase.value if event.phase else ""
                made.note(Finding(event.label, event.info.title, event.info.message), phase)
            case events.FatalError():
                raise event.exception
            case events.EngineFinished():
                for failure in event.failures or ():
                    made.note(Finding("the run", failure.title, failure.message))


def answer_to(recorder: ScenarioRecorder, case_id: str) -> str:
    response = recorder.find_response(case_id=case_id)
    return f"{response.status_code}: {response.text[:SHOWN]}" if response else ""


def _scenario(made: Pass, event: events.ScenarioFinished) -> None:
    phase = made.phases[event.phase.value]
    recorder = event.recorder
    phase.cases += len(recorder.cases)
    answers = (one.response for one in recorder.interactions.values())
    phase.done += sum(1 for one in answers if one is not None and one.status_code < 300)
    phase.operations |= {node.value.operation.label for node in recorder.cases.values()}
    for case_id, nodes in recorder.checks.items():
        for node in nodes:
            info = node.failure_info
            if node.status == Status.FAILURE and info is not None:
                failure = info.failure
                finding = Finding(
                    failure.operation or recorder.label,
                    f"{node.name}: {failure.title}",
                    failure.message,
                    info.code_sample,
                    answer_to(recorder, failure.case_id or case_id),
                )
                made.note(finding, event.phase.value)
