"""The paths of search."""

from api.routers import Router
from search.views import SearchViewSet

router = Router()
router.register("api/search", SearchViewSet, basename="search")

urlpatterns = router.urls
