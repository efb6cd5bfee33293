"""The paths of channels and dead letters; `chains` has those of tasks and agents."""

from django.urls import path

from api.routers import Router
from tasks.dead_letter_views import DeadLetterViewSet
from tasks.views import ChannelViewSet
from tasks.waiting_views import WaitingClaimView

router = Router()
router.register("v1/channels", ChannelViewSet)
router.register("v1/dead-letters", DeadLetterViewSet, basename="dead-letter")

urlpatterns = [path("v1/tasks/claim/wait", WaitingClaimView.as_view()), *router.urls]
