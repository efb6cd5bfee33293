"""Calls of two providers, and what is kept of them."""

from routing import calls
from routing.candidates import RouteRequest
from routing.models import ProviderHealth, RoutingSnapshot
from tests.routing.making import MESSAGES, QUICK, SECRET, make_model


def ask(request=None, **options):
    patience = options.pop("patience", QUICK)
    request = request or RouteRequest(
        tokens_in=100, tokens_out=100, agent="agent-1", channel="nightly"
    )
    return calls.query_routed(request, MESSAGES, options=options, patience=patience)


def make_two(serve, act, **fields):
    """A provider that answers as it is told, and is asked first, and a dear one that is well."""
    bad, good = serve(act), serve()
    make_model("bad", url=bad.url, input_usd_per_1k=0, output_usd_per_1k=0, **fields)
    make_model("good", url=good.url)
    return bad, good


def snapshot():
    return RoutingSnapshot.objects.get()


def results():
    return [(one["provider"], one["result"], one["billed"]) for one in snapshot().attempts]


def health(provider="bad"):
    return ProviderHealth.objects.get(provider__name=provider)


def failing(status):
    return lambda exchange, asked: exchange.say_json(status, {"error": {"message": SECRET}})
