"""Routers of the API families."""

from rest_framework.routers import SimpleRouter


class Router(SimpleRouter):
    """Paths without a slash at their end.

    A viewset says by its `lookup_value_converter` what an id is.
    """

    def __init__(self) -> None:
        super().__init__(trailing_slash=False, use_regex_path=False)


class LenientRouter(SimpleRouter):
    """Paths that may end with a slash, and ids of any form: the older protocols."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"
