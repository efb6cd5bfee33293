"""Requests for an order of models (contract 003, 5.1), in the words of both versions."""
# ruff: noqa: N815 (fields are named as clients spell them)

from agents.models import ID_LENGTH
from api import fields
from api.serializers import Nested, RequestSerializer, Values
from collab.serializers import CollabRequestSerializer, refused
from routing.candidates import (
    LONGEST_TAG,
    MOST_TAGS,
    MOST_TOKENS,
    USUAL_SLO_MS,
    Intent,
    Level,
    RouteRequest,
    Service,
)

LONGEST_SLO = 3_600_000


def tokens() -> fields.WholeNumber:
    return fields.WholeNumber(default=0, least=0, most=MOST_TOKENS)


def level() -> fields.Text:
    return fields.Text(default=Level.NORMAL, choices=frozenset(Level.values))


def milliseconds() -> fields.WholeNumber:
    return fields.WholeNumber(default=None, least=1, most=LONGEST_SLO)


class ExpectedTokensSerializer(RequestSerializer):
    """How many tokens the question and the answer are expected to have."""

    locals()["in"] = tokens()
    out = tokens()


class RouterSelectRequestSerializer(CollabRequestSerializer):
    """A call that is to be made. Without `service` it is that of the intent.

    `context_tokens` and `sla_ms` are older names of `expected_tokens.in` and `latency_slo_ms`;
    `domain_tags`, `priority` and `cost_sensitivity` are what policies may look at. `agentId` and
    `channel` say whom it is for.
    """

    service = fields.Text(default="", choices=frozenset(Service.values))
    intent = fields.Text(default=Intent.CHAT, choices=frozenset(Intent.values))
    expected_tokens = Nested(ExpectedTokensSerializer, default=None)
    context_tokens = tokens()
    latency_slo_ms = milliseconds()
    sla_ms = milliseconds()
    priority = level()
    cost_sensitivity = level()
    intended_model = fields.Name(default="", max_length=2 * fields.LONGEST_NAME + 1)
    region = fields.Name(default="")
    domain_tags = fields.TextList(default=list, max_items=MOST_TAGS, max_length=LONGEST_TAG)
    tenant_id = fields.Identifier(default=None)
    agentId = fields.Name(default="", max_length=ID_LENGTH)
    channel = fields.Name(default="")

    def validate(self, attrs: Values) -> Values:
        if attrs["tenant_id"] == fields.NOBODY:  # for whom no policy holds
            raise refused("tenant_id", "must be a UUID")
        embeds = attrs["intent"] == Intent.EMBEDDINGS
        service = attrs["service"] or (Service.EMBEDDINGS if embeds else Service.CHAT)
        expected = attrs["expected_tokens"] or {"in": attrs["context_tokens"], "out": 0}
        wanted = RouteRequest(
            service=service,
            intent=Intent.EMBEDDINGS if service == Service.EMBEDDINGS else attrs["intent"],
            tokens_in=expected["in"],
            tokens_out=expected["out"],
            latency_slo_ms=attrs["latency_slo_ms"] or attrs["sla_ms"] or USUAL_SLO_MS,
            priority=attrs["priority"],
            cost_sensitivity=attrs["cost_sensitivity"],
            intended_model=attrs["intended_model"],
            region=attrs["region"],
            tags=tuple(attrs["domain_tags"]),
            tenant_id=attrs["tenant_id"],
            agent=attrs["agentId"],
            channel=attrs["channel"],
        )
        return super().validate({**attrs, "wanted": wanted})
