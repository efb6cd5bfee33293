"""What people may do to artifacts."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.rights import ADMINISTER
from artifacts.models import Artifact
from console.conditions import ALWAYS, Values
from console.verbs import By, Preview, Verb, one_by_one


def _snapshot(artifact: Artifact) -> dict[str, object]:
    return {
        "task": str(artifact.task_id),
        "attempt": artifact.epoch,
        "path": artifact.path,
        "size": artifact.size,
        "sha256": artifact.sha256,
    }


@one_by_one
def _delete(artifact: Artifact, by: By, values: Values) -> None:
    """Its object follows: a trigger puts it on the list of removals."""
    Artifact.objects.filter(pk=artifact.pk).delete()


ARTIFACT_VERBS: list[Verb[Artifact]] = [
    Verb(
        "delete",
        _("Delete"),
        [
            Preview(
                ALWAYS,
                ngettext_lazy(
                    "Deletes %(count)d file for ever; the task stays as it is.",
                    "Deletes %(count)d files for ever; the tasks stay as they are.",
                    "count",
                ),
            )
        ],
        _delete,
        _snapshot,
        permission=ADMINISTER,
        icon="delete",
        danger=True,
    ),
]
