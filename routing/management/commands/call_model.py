"""`manage.py call_model`: ask a language model something, by the way that every call takes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from problems import Problem
from routing import calls
from routing.candidates import Intent, RouteRequest
from routing.completions import Question

MOST_AT_ONCE = 32

Line = dict[str, object]


class Command(BaseCommand):
    help = (
        "Ask a language model: the coordinator ranks, takes the key from the vault, calls, and"
        " goes on to the next model where one fails. Prints the answer, who gave it, and its cost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("text", help="what to ask")
        parser.add_argument("--model", default="", help="the model to ask if it is healthy")
        parser.add_argument("--intent", default=Intent.CHAT, choices=Intent.values[:-1])
        parser.add_argument("--agent", default="", help="whom to count it for")
        parser.add_argument("--channel", default="", help="the channel to count it for")
        parser.add_argument("--answer-tokens", type=int, default=0, help="as long as expected")
        parser.add_argument("--times", type=int, default=1, help="ask so often")
        parser.add_argument("--at-once", type=int, default=1, help="so many at the same time")
        parser.add_argument("--json", action="store_true", help="a line of JSON for each call")

    def handle(self, *, text: str, times: int, at_once: int, **options: Any) -> None:
        if times < 1 or not 1 <= at_once <= MOST_AT_ONCE:
            raise CommandError(f"--times must be 1 or more, --at-once from 1 to {MOST_AT_ONCE}.")
        messages = [{"role": "user", "content": text}]
        try:
            request = RouteRequest(
                intent=options["intent"],
                tokens_in=Question("chat", messages, {}).tokens,
                tokens_out=options["answer_tokens"],
                intended_model=options["model"],
                agent=options["agent"],
                channel=options["channel"],
            )
        except Problem as problem:
            raise CommandError(problem.message) from None

        def one(place: int) -> Line:
            try:
                return asked(request, messages)
            finally:
                connection.close()

        failed = 0
        with ThreadPoolExecutor(at_once) as pool:
            for line in pool.map(one, range(times)):
                failed += "error" in line
                self.stdout.write(
                    orjson.dumps(line).decode() if options["json"] else in_words(line)
                )
        if failed:
            raise CommandError(f"{failed} of {times} calls were not answered.")


def asked(request: RouteRequest, messages: list[dict[str, str]]) -> Line:
    """One call, and what came of it."""
    try:
        reply = calls.query_routed(request, messages)
    except Problem as problem:
        return {"error": problem.message}
    return {
        "text": reply.text,
        "provider": reply.provider,
        "model": reply.model,
        "tokens_in": reply.tokens_in,
        "tokens_out": reply.tokens_out,
        "cost_usd": str(reply.cost_usd),
        "failovers": reply.failovers,
        "degraded": reply.degraded,
        "request_id": reply.request_id,
    }


def in_words(line: Line) -> str:
    if "error" in line:
        return str(line["error"])
    tokens = f"{line['tokens_in']} tokens in, {line['tokens_out']} out"
    return f"{line['text']}\n({line['provider']}/{line['model']}, {tokens}, {line['cost_usd']} USD)"
