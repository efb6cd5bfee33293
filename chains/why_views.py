"""Why a task does not run, under /v1: an answer of chains and agents too, so it stands here."""

from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from api.views import JsonView, filled, reply
from chains.why import WhyReason, why
from tasks.exceptions import TaskUnknown
from tasks.models import Task


class WhyView(JsonView):
    def get(self, request: Request, task_id: UUID) -> HttpResponse:
        task = Task.objects.select_related("channel", "requirement").filter(pk=task_id).first()
        if task is None:
            raise TaskUnknown(f"There is no task {task_id}.")
        answers = [body(answer) for answer in why(task)]
        return reply({"task_id": task.pk, "status": task.status, "why": answers})


def body(answer: WhyReason) -> dict[str, object]:
    """One answer; `do` names the verb that puts it right, where there is one."""
    do = answer.do
    return {
        "code": answer.code,
        "text": answer.text,
        **filled(
            remedy=answer.remedy,
            do={"kind": do.kind, "id": do.id, "verb": do.verb} if do else None,
        ),
        **answer.data,
    }
