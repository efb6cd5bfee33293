"""Jobs: batches of tasks with one specification."""

from django.apps import AppConfig
from django.conf import settings

from problems import families

JOBS = families.Family("jobs", ("/api/v1",), families.flat_or_worded, brief=True)
COMMANDS = families.Family("jobs", (), families.worded, detailed=True)


class JobsConfig(AppConfig):
    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from chains import why
        from jobs import (
            reasons,
            receivers,  # noqa: F401  (connects them)
        )
        from jobs.corndogs import reasons as outside
        from jobs.sweeps import CHANNEL
        from tasks import transitions
        from tasks.models import COMMAND

        families.register(JOBS)
        transitions.OF_NOBODY |= {CHANNEL, settings.DEFAULT_QUEUE_NAME.lower()}
        why.HELD_BACK[COMMAND] = outside.why
        why.UNSERVED[COMMAND] = reasons.unserved
