"""Every path that answers GET, found in the URL conf, so that no test can forget a new one."""

from django.urls import URLPattern, URLResolver, get_resolver

FAMILIES = ("v1/", "api/v1/", "console/")


def paths():
    """Each path of an API or of the console's pages with its view, as far as it answers GET."""
    return {
        path: view
        for path, view in _walk(get_resolver().url_patterns, "")
        if path.startswith(FAMILIES) and _answers_get(view)
    }


def _walk(patterns, before):
    for pattern in patterns:
        path = before + _spelled(pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path, pattern.callback


def _spelled(pattern):
    """As `path` spells it, a regular expression too."""
    text = str(pattern.pattern).removeprefix("^").removesuffix("$").removesuffix("/?")
    return text.replace("(?P<", "<").replace(">[^/]+)", ">")


def _answers_get(view):
    actions = getattr(view, "actions", None)
    return "get" in actions if actions else hasattr(view.cls, "get")
