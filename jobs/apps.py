"""Jobs: batches of tasks with one specification."""

from django.apps import AppConfig

from problems import families

JOBS = families.Family("jobs", ("/api/v1",), families.flat, brief=True)


class JobsConfig(AppConfig):
    name = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        families.register(JOBS)
