"""The paths of the journal."""

from api.routers import Router
from events.views import EventViewSet

router = Router()
router.register("v1/events", EventViewSet)

urlpatterns = router.urls
