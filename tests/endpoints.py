"""Every path that answers GET, found in the URL conf, so that no test can forget a new one."""

from django.urls import URLPattern, URLResolver, get_resolver

FAMILIES = ("v1/", "api/v1/", "api/collab/", "functions/v1/", "console/", "api/search/")


def paths():
    """Each path of an API or of the console's pages with its view, as far as it answers GET."""
    return {
        path: view
        for path, view in all_paths()
        if path.startswith(FAMILIES) and "get" in methods_of(view)
    }


def all_paths():
    """Each path as it is spelled, with its view."""
    return _walk(get_resolver().url_patterns, "")


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


def methods_of(view):
    """The methods, in lower case, that a view of REST framework answers."""
    actions = getattr(view, "actions", None)
    return set(actions or (name for name in view.cls.http_method_names if hasattr(view.cls, name)))
