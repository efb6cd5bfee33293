"""What axe-core finds wrong with a page, for people who do not see or point."""

from pathlib import Path

AXE = (Path(__file__).parent / "vendor/axe-core/axe.min.js").read_text()
GRAVE = {"serious", "critical"}


def check(page):
    """Fail with one line for each element that has a serious or critical violation."""
    found = violations(page)
    assert not found, "\n".join(found)


def violations(page):
    """A line for each; text of its ground's own colour, which axe-core leaves to people, is one."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations', 'incomplete']})")
    serious = [
        (rule, node)
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]
    invisible = [
        (rule, node)
        for rule in found["incomplete"]
        if rule["id"] == "color-contrast"
        for node in rule["nodes"]
        if any(check["data"].get("messageKey") == "equalRatio" for check in node["any"])
    ]
    return [
        f"{rule['id']}: {rule['help']}: {' '.join(map(str, node['target']))}"
        for rule, node in serious + invisible
    ]
