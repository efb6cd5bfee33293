"""Fields accept a value as it is or refuse it by name."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from api import fields
from api.body import BadJson
from api.serializers import Nested, NestedList, RequestSerializer
from problems import Invalid, Problem

ID = "0192c000-0000-7000-8000-00000000000a"


def read(value, field):
    """Read `{"f": value}` by a serializer with this one field, `f`."""
    return type("OneBody", (RequestSerializer,), {"f": field}).read({"f": value})["f"]


def refusal(value, field):
    with pytest.raises(Problem) as caught:
        read(value, field)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize("value", [None, "", "  ", "\t\n"])
def test_a_required_text_must_not_be_blank(value):
    assert refusal(value, fields.Text()) == ("invalid_request", "f_required")


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_optional_blank_text_is_its_default(value):
    assert read(value, fields.Text(default="so")) == "so"


def test_a_text_is_trimmed_unless_it_is_verbatim():
    assert read(" a b\n", fields.Text()) == "a b"
    assert read(" a b\n", fields.Text(trim=False)) == " a b\n"
    assert read("  ", fields.Text(trim=False, default="")) == "  "
    assert refusal("  ", fields.Text(trim=False)) == ("invalid_request", "f_required")


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        (fields.Text, [1, 1.5, True, [], {}, ["a"]], "a string"),
        (fields.WholeNumber, ["1", 1.0, 1e30, True, False, [], {}, ""], "a whole number"),
        (fields.Flag, [0, 1, "true", "", [], {}], "true or false"),
        (fields.JsonObject, [[], "a", 1, True], "an object"),
        (fields.Identifier, [1, True, [], {}], "a string"),
        (fields.TextList, ["a", {}, 1, [1], ["a", None], [["a"]]], "a list of strings"),
        (fields.TextMap, ["a", [], 1, {"a": 1}, {"a": None}, {"a": ["b"]}], "an object of strings"),
        (
            fields.TextListMap,
            ["a", [], 1, {"a": "b"}, {"a": None}, {"a": [1]}, {"a": [["b"]]}],
            "an object of lists of strings",
        ),
        (fields.IdentifierList, [ID, [1]], "a list of strings"),
    ],
)
def test_a_value_of_another_type_is_refused(field, values, expected):
    for value in values:
        assert refusal(value, field()) == ("bad_json", f"f must be {expected}"), value


def test_a_text_has_a_length():
    assert read("é" * 3, fields.Text(max_length=3)) == "ééé"
    assert refusal("abcd", fields.Text(max_length=3)) == (
        "invalid_request",
        "f must not be longer than 3 characters",
    )


def test_a_text_may_be_one_of_a_few():
    field = fields.Text(choices=frozenset({"stop", "continue"}))

    assert refusal("banana", field) == ("invalid_request", "f must be one of continue, stop")


@pytest.mark.parametrize("value", [0, 51, 2**31, -1])
def test_a_number_has_bounds(value):
    field = fields.WholeNumber(least=1, most=50)

    assert refusal(value, field) == ("invalid_request", "f must be from 1 to 50")


def test_a_number_fits_the_database_by_default():
    assert refusal(2**31, fields.WholeNumber())[0] == "invalid_request"
    assert read(2**31, fields.WholeNumber(most=2**63 - 1)) == 2**31


def test_json_has_a_size():
    assert read("x" * 8, fields.Json(max_bytes=10)) == "x" * 8
    assert refusal("x" * 9, fields.Json(max_bytes=10)) == (
        "payload_too_large",
        "f must not be larger than 10 bytes",
    )


@pytest.mark.parametrize("value", [0, False, "", [], {}, 1.5])
def test_json_is_any_json(value):
    assert read(value, fields.Json()) == value


@pytest.mark.parametrize("text", [ID, ID.upper(), f" {ID} "])
def test_an_identifier_is_a_uuid(text):
    assert read(text, fields.Identifier()) == UUID(ID)


@pytest.mark.parametrize(
    "text", ["no id", ID[:-1], "{" + ID, ID + "\n\n0", "\u0660" * 32, "ｱ" * 32, "x" * 100_000]
)
def test_a_malformed_identifier_becomes_nobody(text):
    assert read(text, fields.Identifier()) == fields.NOBODY


def test_a_list_of_texts_is_trimmed_without_blanks_and_repetitions():
    assert read([" b ", "a", "", "b", " "], fields.TextList()) == ["b", "a"]
    assert read([ID, "no id"], fields.IdentifierList()) == [UUID(ID), fields.NOBODY]


def test_a_list_of_texts_has_a_size():
    message = "f must not have more than 2 items"
    assert refusal(["a"] * 3, fields.TextList(max_items=2))[1] == message
    assert refusal(["abc"], fields.TextList(max_length=2))[0] == "invalid_request"


def test_a_map_keeps_its_texts_and_drops_empty_lists():
    assert read({"a": "b"}, fields.TextMap()) == {"a": "b"}
    assert read({"a": ["b", "c"], "d": []}, fields.TextListMap()) == {"a": ["b", "c"]}


def test_a_map_has_a_size():
    message = "f must not have more than 1 items"
    assert refusal({"a": "", "b": ""}, fields.TextMap(max_items=1))[1] == message
    long = "f must not have items longer than 2 characters"
    assert refusal({"a": "abc"}, fields.TextMap(max_length=2))[1] == long
    assert refusal({"abc": "a"}, fields.TextMap(max_length=2))[1] == long
    assert refusal({"a": ["abc"]}, fields.TextListMap(max_length=2))[1] == long
    many = {"a": ["b"] * (fields.MOST_TEXTS + 1)}
    message = "f must not have lists of more than 200 items"
    assert refusal(many, fields.TextListMap())[1] == message


class StepSerializer(RequestSerializer):
    title = fields.Text()
    priority = fields.WholeNumber(default=0)


class PlanSerializer(RequestSerializer):
    channel_id = fields.Identifier()
    name = fields.Text()
    tags = fields.TextList(default=list)
    steps = NestedList(StepSerializer, most=2, default=list)
    first = Nested(StepSerializer, default=None)

    def validate(self, attrs):
        if attrs["name"] == "forbidden":
            raise Invalid("name must be another one")
        return attrs


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({}, "invalid_request", "channel_id_required"),
        (None, "invalid_request", "channel_id_required"),
        ({"channel_id": ID}, "invalid_request", "name_required"),
        ([], "bad_json", "The body must be an object."),
        ("x", "bad_json", "The body must be an object."),
        ({"channel_id": ID, "name": "forbidden"}, "invalid_request", "name must be another one"),
        (
            {"channel_id": ID, "name": "n", "steps": [{"title": "t"}, {}]},
            "invalid_request",
            "steps[1].title_required",
        ),
        (
            {"channel_id": ID, "name": "n", "steps": [[]]},
            "bad_json",
            "steps[0] must be an object",
        ),
        (
            {"channel_id": ID, "name": "n", "steps": {}},
            "bad_json",
            "steps must be a list of objects",
        ),
        (
            {"channel_id": ID, "name": "n", "steps": [{"title": "t"}] * 3},
            "invalid_request",
            "steps must not have more than 2 items",
        ),
        (
            {"channel_id": ID, "name": "n", "first": {"title": "t", "priority": "x"}},
            "bad_json",
            "first.priority must be a whole number",
        ),
    ],
)
def test_the_first_field_that_is_wrong_is_named(data, code, message):
    with pytest.raises(Problem) as caught:
        PlanSerializer.read(data)

    assert caught.value.code == code
    assert caught.value.message.startswith(message)


def test_a_body_is_complete_and_unknown_fields_are_ignored():
    assert PlanSerializer.read({"channel_id": ID, "name": "n", "banana": {"x": 1}}) == {
        "channel_id": UUID(ID),
        "name": "n",
        "tags": [],
        "steps": [],
        "first": None,
    }


def test_names_match_without_regard_to_case():
    assert StepSerializer.read({"TITLE": "a", "Priority": 2}) == {
        "title": "a",
        "priority": 2,
    }


@pytest.mark.parametrize("names", [("title", "Title"), ("TITLE", "title"), ("Title", "TITLE")])
def test_a_name_given_twice_without_regard_to_case_is_refused(names):
    body = dict.fromkeys(names, "a")

    with pytest.raises(BadJson, match=r"^title must not be given twice in one object$"):
        StepSerializer.read(body)
    with pytest.raises(BadJson, match=r"^steps\[0\]\.title must not be given twice"):
        PlanSerializer.read({"channel_id": ID, "name": "n", "steps": [body]})
    assert StepSerializer.read({"title": "a", "note": 1, "Note": 2})["title"] == "a"


def test_a_default_is_not_shared_between_requests():
    data = {"channel_id": ID, "name": "n"}
    PlanSerializer.read(data)["tags"].append("x")

    assert PlanSerializer.read(data)["tags"] == []


def test_many_bodies_are_read_one_by_one():
    assert [
        b["title"] for b in StepSerializer.read_many([{"title": "a"}, {"title": "b"}], most=2)
    ] == [
        "a",
        "b",
    ]
    with pytest.raises(Invalid, match=r"^\[1\]\.title_required$"):
        StepSerializer.read_many([{"title": "a"}, {"title": ""}], most=2)
    with pytest.raises(Invalid, match="must not have more than 1 items"):
        StepSerializer.read_many([{}, {}], most=1)


def test_threads_do_not_see_each_others_bodies():
    def read_back(n):
        return all(
            StepSerializer.read({"title": f"{n}-{i}"})["title"] == f"{n}-{i}" for i in range(300)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read_back, range(8)))
