"""What has to be said of this API beyond its schema, each with its reason."""

import re
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from copy import deepcopy
from random import Random
from typing import Any
from uuid import UUID

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.config import ChecksConfig, SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData, UndefinedStatusCode
from schemathesis.schemas import BaseSchema

from api.fields import NOBODY
from fuzz.roles import Role
from fuzz.world import Known

Schema = dict[str, Any]

PHASES = ("examples", "coverage", "fuzzing", "stateful")
SHARES: Mapping[Sequence[str], float] = {PHASES[:3]: 0.75, PHASES[3:]: 0.25}
"""Of the time; the sequences of requests have theirs to themselves, or they would have none."""
LONGEST_WAIT = 1
"""Seconds for which a claim waits here; up to 30 would be waited for nothing."""

# A random id is that of no row, so most ids are of rows that there are, and some stay random.
MOSTLY, SOMETIMES = 0.75, 0.1
IN_PATHS: Mapping[str, str] = {
    "task_id": "tasks",
    "chain_id": "chains",
    "channel_id": "channels",
    "agent_id": "agents",
    "job_id": "jobs",
    "token_id": "tokens",
    "name": "channel_names",
}
IN_QUERIES = ("chain_id", "channel_id", "agent_id", "job_id")
IN_BODIES: Mapping[str, str] = {
    **IN_PATHS,
    "channel": "channel_names",
    "channel_name": "channel_names",
    "spotId": "spots",
    "lease_epoch": "epochs",
    "leaseEpoch": "epochs",
    "jobId": "tasks",  # a Collab job is a task
    "dlqId": "letters",
    "executorId": "channel_names",
    "workerId": "agents",
    "agentId": "agents",
    "leaseToken": "epochs",
    "key_id": "keys",
    "id": "tasks",
    "ids": "anything",
}
STEERED = ("tasks", "chains", "channels", "agents", "jobs")  # kinds that have verbs
USUAL = ChecksConfig()
TOO_LARGE = ("413", "431")
OF_KEYS = ("410", "422")  # keys that have expired, were revoked or changed
EVENT: Schema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"type": "string", "pattern": "^[a-z][a-z_.]*$"},
        "data": {"type": "string"},
        "retry": {"type": "integer"},
    },
    "required": ["data"],
    "additionalProperties": False,
}


def ids_for(role: Role, known: Known) -> Known:
    """What there is, by kind; for an agent's token itself, since others are refused at once."""
    mine = {"agents": [role.agent], "spots": [role.agent]} if role.agent else {}
    anything = [one for kind in STEERED for one in known[kind]]
    return {**known, **mine, "kinds": list(STEERED), "anything": anything}


def config(
    role: Role,
    credential: str,
    ids: Known,
    *,
    seed: int,
    seconds: float,
    phases: Sequence[str] = PHASES,
) -> Schema:
    """The settings of a pass, as schemathesis has them in its file."""
    return {
        "seed": seed,
        "max-time": max(1, round(seconds)),
        "phases": {name: {"enabled": name in phases} for name in PHASES},
        "headers": {role.header: credential} if credential else {},
        # It would register and sign in, and be another role than the one that is meant.
        "auth": {"auto-signup": False},
        "request-timeout": 20.0,
        # A stream never ends; its first event says whether it is one.
        "max-stream-events": 1,
        "continue-on-failure": True,
        # A random credential beside the real one would say nothing of either.
        "generation": {
            "no-shrink": True,
            "database": "none",
            "with-security-parameters": not credential,
        },
        # What is too large is refused, too, and no schema says how large a body may be.
        "checks": {
            name: {"expected-statuses": [*usual.expected_statuses, *TOO_LARGE, *OF_KEYS]}
            for name, usual in (
                ("negative_data_rejection", USUAL.negative_data_rejection),
                ("positive_data_acceptance", USUAL.positive_data_acceptance),
            )
        },
        "dictionaries": {name: {"values": values} for name, values in ids.items()},
        "parameters": {
            **{f"path.{name}": drawn(kind, MOSTLY) for name, kind in IN_PATHS.items()},
            **{f"query.{name}": drawn(IN_PATHS[name], SOMETIMES) for name in IN_QUERIES},
        },
        "operations": [
            *(
                {
                    "include-path": f"/functions/v1/{name}",
                    "parameters": {f"query.{parameter}": drawn(kind, MOSTLY)},
                }
                for name, parameter, kind in (
                    ("job-status", "id", "tasks"),
                    ("job-events", "id", "tasks"),
                    ("artifacts-list", "jobId", "tasks"),
                    ("sign-artifact", "path", "objects"),
                )
            ),
            {
                "include-path-regex": "^/api/collab/.*{job_id}",
                "parameters": {"path.job_id": drawn("tasks", MOSTLY)},
            },
            {
                "include-path": "/console/{kind}/{name}",
                "parameters": {
                    "path.kind": drawn("kinds", MOSTLY),
                    "path.name": drawn("verbs", MOSTLY),
                },
            },
        ],
    }


def drawn(kind: str, often: float) -> Schema:
    return {"dictionary": kind, "probability": often}


def prepared(schema: Schema, paths: str = "") -> Schema:
    """The schema of these paths as it is while credentials have been issued."""
    made = deepcopy(schema)
    made["paths"] = {path: item for path, item in made["paths"].items() if re.match(paths, path)}
    for item in made["paths"].values():
        for method, operation in item.items():
            security = operation.get("security")
            if security and len(security) > 1:
                # Protected mode, in which this machine needs no credential, is over.
                operation["security"] = [one for one in security if one]
            for parameter in operation.get("parameters", ()):
                optional = not parameter.get("required")
                if parameter["in"] == "query" and method == "get" and optional:
                    # A filter like `?status=` is as if it were not there: forms send it so.
                    parameter["allowEmptyValue"] = True
            for answer in operation["responses"].values():
                stream = answer.get("content", {}).get("text/event-stream")
                if stream:
                    # A text, for OpenAPI 3.1; what is compared here is each event of it.
                    stream["schema"] = EVENT
    return made


def load(
    raw: Schema, settings: Schema, url: str, paths: str, ids: Known, kept: Collection[str]
) -> BaseSchema:
    """The operations of these paths, with all that is particular about them.

    `kept`: the ids of tokens that are in use.
    """
    made = SchemathesisConfig.from_dict({**settings, "base-url": url})
    schema: BaseSchema = schemathesis.openapi.from_dict(prepared(raw, paths), config=made)

    @schema.hook("map_case")
    def names_what_there_is(context: HookContext, case: Case) -> Case:
        if case.meta is not None and case.meta.generation.mode.is_positive:
            name_known(case, ids)
        return case

    @schema.hook("filter_case")
    def spares_credentials(context: HookContext, case: Case) -> bool:
        # Without the credential in use, the rest of the pass would be refusals.
        return not revokes(case, kept)

    @schema.hook("filter_failure")
    def counts(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
        return not any(accepts(failure, case, response) for accepts in ACCEPTED)

    return schema


def name_known(case: Case, ids: Known) -> None:
    """Put ids that there are into a body that the schema allows, if it allows it with them, too.

    The dictionaries of schemathesis do not look at the whole body.
    """
    if not isinstance(case.body, dict | list) or case.media_type is None:
        return
    form = case.operation.get_body_for_media_type(case.media_type)
    if form is None:
        return
    chance = Random(repr(case.body))  # noqa: S311 (the same for the same body)
    body = with_ids(case.body, ids, chance)
    kind = case.operation.schema.adapter.jsonschema_validator_cls
    if kind(form.optimized_schema, validate_formats=True).is_valid(body):
        case.body = body


def with_ids(value: Any, ids: Known, chance: Random, name: str = "") -> Any:
    kind = IN_BODIES.get(name)
    if isinstance(value, dict):
        return {key: with_ids(inner, ids, chance, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_ids(inner, ids, chance, name) for inner in value]
    if kind is None or value is None or chance.random() > MOSTLY:
        return value
    known = chance.choice(ids[kind])
    if isinstance(value, int):
        return int(known) if known.isdigit() else value
    return known


def revokes(case: Case, kept: Collection[str]) -> bool:
    if case.method != "DELETE" or "token_id" not in (case.path_parameters or {}):
        return False
    token_id = case.path_parameters["token_id"]
    return is_id(token_id) and str(UUID(str(token_id))) in kept


@schemathesis.hook("before_call")
def waits_no_longer(context: HookContext, case: Case, kwargs: MutableMapping[str, Any]) -> None:
    query = case.query or {}
    wait = query.get("wait_seconds")
    if isinstance(wait, int) and LONGEST_WAIT < wait <= 30:
        query["wait_seconds"] = LONGEST_WAIT


POINT = re.compile(r"\d\.0\b|\de\+?\d")
RULES_WITHOUT_WORDS: Mapping[str, str] = {
    "must be in the future": "a schema does not know the time",
    "range is invalid": "nor can it compare two members: the largest is below the smallest",
    "is given twice": "or names as they are stored, which are equal in several spellings",
    "must not have a name twice": "the same",
    "after the key may first be used": "the same, of two times",
    "name, alias or provider is required": "nor that one of several is, in a query",
    "also when it is made of": "or how long several of them are together",
    "value must not be blank": "a secret is not trimmed, but one of blanks is none",
    "is of no user": "or ask whether there is a row; in a body that is an error of the field",
    "chain_id_not_found": "the same",
    "cursor must be one": "what a cursor is, is the list's own business",
    "sort=queue is of": "which filters go with an order is said in words",
    "channel_id must name": "the same",
    "password must have": "what a password needs is said in words",
    "The path must": "which names a path may have is said in words",
    "must not contain NUL": "no text may; a pattern at each would hide what else it has to say",
    "bad_values": "what a verb needs besides its reason is in /console/verbs",
    "reason_missing": "which verbs need a reason is there, too",
    "all must be true with an empty filter": "a filter of blanks is empty, too",
}
"""Refusals of requests that the schema allows, and why it does not say so."""


def cannot_be_said(failure: Failure, case: Case, response: Response) -> bool:
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return False
    return any(rule in response.text for rule in RULES_WITHOUT_WORDS)


def has_a_point(failure: Failure, case: Case, response: Response) -> bool:
    """To JSON schema 3.0 is a whole number, too; here what has a point is none."""
    refused = isinstance(failure, RejectedPositiveData) and "a whole number" in response.text
    return refused and POINT.search(repr(case.body)) is not None


TIMES = ("runAt", "not_before_at", "expires_at", "rotate_after")
ENDS_OF_TIME = re.compile("0001-01-01[Tt]|9999-12-31[Tt]")


def is_outside_of_time(failure: Failure, case: Case, response: Response) -> bool:
    """A time of the first or the last day of all, which in UTC is in no year."""
    refused = isinstance(failure, RejectedPositiveData) and "must be a time" in response.text
    return refused and ENDS_OF_TIME.search(repr(case.body)) is not None


def is_a_blank_time(failure: Failure, case: Case, response: Response) -> bool:
    """A blank text counts as absent, as docs/api.md has it; a blank time is no time to a schema."""
    body = case.body if isinstance(case.body, dict) else {}
    given = [body.get(name) for name in TIMES]
    blank = any(isinstance(time, str) and not time.strip() for time in given)
    return isinstance(failure, AcceptedNegativeData) and blank


def finds_nothing(failure: Failure, case: Case, response: Response) -> bool:
    """A filter by what no row can have gives an empty list, as docs/api.md has it.

    So a client may send what another version of the coordinator has names for.
    """
    if not isinstance(failure, AcceptedNegativeData) or case.method != "GET":
        return False
    body = body_of(response)
    lists = [value for value in body.values() if isinstance(value, list)]
    return response.status_code == 200 and len(lists) == 1 and not lists[0]


def is_named_as_ignored(failure: Failure, case: Case, response: Response) -> bool:
    """What an agent says of itself is not refused but named in `ignored`: its presence counts."""
    return isinstance(failure, AcceptedNegativeData) and bool(body_of(response).get("ignored"))


def reads_ids_alone(failure: Failure, case: Case, response: Response) -> bool:
    """Where this page names tasks, nothing else of its query is read."""
    is_page = case.operation.label == "GET /console/tasks"
    return isinstance(failure, AcceptedNegativeData) and is_page and "ids" in (case.query or {})


def is_another_path(failure: Failure, case: Case, response: Response) -> bool:
    """What is no id may be the name of a verb: a path of its own, which has other methods."""
    if not isinstance(failure, UndefinedStatusCode) or response.status_code != 405:
        return False
    allowed = ", ".join(response.headers.get("allow", [""]))
    return case.method not in allowed and any(
        not is_id(value) for value in (case.path_parameters or {}).values()
    )


def is_id(value: object) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def body_of(response: Response) -> Mapping[str, object]:
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def is_an_unknown_id(failure: Failure, case: Case, response: Response) -> bool:
    """A malformed id in a list is answered as one that nobody has: as lost, or not found."""
    return isinstance(failure, AcceptedNegativeData) and str(NOBODY) in response.text


ACCEPTED = (
    cannot_be_said,
    has_a_point,
    is_outside_of_time,
    is_a_blank_time,
    finds_nothing,
    is_named_as_ignored,
    is_an_unknown_id,
    reads_ids_alone,
    is_another_path,
)
"""Failures that are none."""
