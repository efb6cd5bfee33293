"""Put all that an agent holds back in the queue."""

from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from api.names import spelled
from chains import resets
from chains.management.resetting import ResetCommand, actor, wanted
from problems import Problem


class Command(ResetCommand):
    help = "Put all that an agent holds back in the queue, and detach the chain that it owns."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("agent_id", metavar="ID", type=spelled, help="the agent's id")
        super().add_arguments(parser)

    def handle(self, *, agent_id: str, reason: str, dry_run: bool, **options: Any) -> None:
        verb = partial(resets.reset_agent, agent_id, by=actor(), reason=wanted(reason))
        try:
            reset = self.apply(verb, dry_run=dry_run)
        except Problem as problem:
            raise CommandError(str(problem)) from problem
        for one in reset.tasks:
            self.say(one, dry_run=dry_run)
        if not reset.tasks:
            self.stdout.write(f"{agent_id} holds nothing.")
        if reset.detached and not any(one.detached for one in reset.tasks):
            would = "would be" if dry_run else "is"
            self.stdout.write(f"chain {reset.detached}: was owned by {agent_id}, {would} free")
