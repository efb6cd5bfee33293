"""Every page has an address that shows the same again, also with characters of all kinds."""

import pytest

ADDRESSES = [
    ("tasks", [], {"status": "failed", "sort": "-created_at"}),
    ("agents", ["build/agent #1 ?&%"], {}),
    ("agents", ["작업자 100%"], {"text": "a&b=c ü"}),
    ("board", ["0197", "0198"], {"after": "1"}),
]


@pytest.mark.parametrize(("path", "parts", "values"), ADDRESSES, ids=lambda value: str(value)[:12])
def test_an_address_says_the_place_it_was_made_for(operator, path, parts, values):
    operator.goto("/")
    found = operator.evaluate(
        """async ([path, parts, values]) => {
            const route = await import("/static/dashboard/route.js");
            return route.place(new URL(route.href(path, parts, values), location.href).hash);
        }""",
        [path, parts, values],
    )
    assert [found["path"], found.get("id"), found.get("more")] == [path, *parts, None, None][:3]
    assert found["values"] == values


def test_an_address_that_nobody_could_have_made_is_read_all_the_same(operator):
    operator.goto("/#/agents/%E0%A4%A?text=%zz")
    found = operator.evaluate(
        """async () => (await import("/static/dashboard/route.js")).place()""",
    )
    assert found["path"] == "agents"
    assert found["id"] == "%E0%A4%A"
