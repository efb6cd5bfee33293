"""What axe-core finds wrong with a page, for people who do not see or point."""

from pathlib import Path

AXE = (Path(__file__).parent / "vendor/axe-core/axe.min.js").read_text()
GRAVE = {"serious", "critical"}


def check(page):
    """Fail with one line for each element that has a serious or critical violation."""
    found = violations(page)
    assert not found, "\n".join(found)


def violations(page):
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {rule['help']}: {' '.join(map(str, node['target']))}"
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]
