"""The paths of chains, and those of agents and tasks, whose answers show chains."""

from api.routers import Router
from chains.views import AgentViewSet, ChainViewSet, TaskViewSet

router = Router()
router.register("v1/tasks", TaskViewSet)
router.register("v1/agents", AgentViewSet)
router.register("v1/chains", ChainViewSet)

urlpatterns = router.urls
