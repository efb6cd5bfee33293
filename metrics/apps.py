"""What an operator's monitoring reads: Prometheus' text, and summaries in the words of seed 003."""

from django.apps import AppConfig

from problems import families

METRICS = families.Family(
    "metrics", ("/metrics", "/api/metrics"), families.explained, detailed=True
)


class MetricsConfig(AppConfig):
    name = "metrics"

    def ready(self) -> None:
        families.register(METRICS)
