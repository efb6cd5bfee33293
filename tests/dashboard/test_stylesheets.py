"""The stylesheets of the dashboard, which are all on one page."""

import re
from collections import defaultdict

from coordinator_project.env import BASE_DIR

RULE = re.compile(r"([^{}]*)\{((?:[^{}]|\{[^{}]*\})*)\}")  # with those that are in it


def test_a_class_is_laid_out_by_one_stylesheet():
    """Of two that mean different things by it, the later would lay out what is the earlier's."""
    by = defaultdict(set)
    for sheet in (BASE_DIR / "dashboard/static/dashboard").glob("*.css"):
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
        for selectors, _ in RULE.findall(text):
            if selectors.lstrip().startswith("@"):
                continue  # the same thing on another screen
            for selector in selectors.split(","):
                if re.fullmatch(r"\s*\.[\w-]+\s*", selector):
                    by[selector.strip()].add(sheet.name)

    assert len(by) > 50
    assert {name: sheets for name, sheets in by.items() if len(sheets) > 1} == {}
