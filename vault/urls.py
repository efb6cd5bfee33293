"""The paths of the key vault's functions."""

from collab.functions import function
from vault import views

urlpatterns = [
    function("key-vault/upsert", views.UpsertViewSet, post="upsert"),
    function("key-vault/get", views.GetViewSet, get="show", post="show"),
    function("key-vault/rotate", views.RotateViewSet, post="rotate"),
    function("key-vault/revoke", views.RevokeViewSet, post="revoke"),
]
