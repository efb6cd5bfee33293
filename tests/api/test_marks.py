"""Bodies with what the database cannot store: marked where texts are passed on, else refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import body, fields, marks
from api.serializers import NestedList, Refused, RequestSerializer
from problems import Invalid


class One(RequestSerializer):
    passed = frozenset({"note"})
    note = fields.PassedText(20)
    value = fields.Json(default=None)


class Many(RequestSerializer):
    passed = frozenset({"note"})
    apart = frozenset({"all"})
    incidental = frozenset({"size"})
    name = fields.Text(default="")
    note = fields.PassedText(60)
    size = fields.WholeNumber(default=None)
    all = NestedList(One, most=9, default=list, alone=True)


def read(data):
    return Many.read_body(json.dumps(data).encode())


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("\0", "␀"),
        ("a\0b\0", "a␀b␀"),
        ("\ud800", "�"),
        ("\udc00\ud800", "��"),
        ("\ud800x\udc00", "�x�"),
        ("😀\0", "😀␀"),
        ("\\u0000 \\ud800 \0", "\\u0000 \\ud800 ␀"),
        ("\\\\\0", "\\\\␀"),
        (["\0", {"\ud800": 1}], '["␀",{"�":1}]'),
    ],
)
def test_a_text_that_is_passed_on_shows_what_cannot_be_stored(note, shown):
    assert read({"note": note})["note"] == shown
    assert read({"NOTE": note})["note"] == shown


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"name": "\0", "note": "\0"}, "name"),
        ({"other": {"deep": ["\ud800"]}, "note": "\0"}, "other.deep[0]"),
        ({"a\0": 1}, "a␀"),
    ],
)
def test_any_other_field_is_refused_by_its_name(data, place):
    with pytest.raises(Invalid, match="NUL") as refused:
        read(data)

    assert str(refused.value).startswith(f"{place} must not")


def test_a_body_that_has_the_marks_already_is_refused_as_ever():
    with pytest.raises(Invalid, match="note must not contain NUL"):
        read({"note": "\0 \ufdd0"})
    assert read({"note": "\ufdd0"})["note"] == "\ufdd0"


def test_each_body_of_a_list_is_judged_alone():
    given_ = [{"note": "\0"}, {"value": {"a": "\0"}}, {"note": "fine"}, 5]

    one, two, three, four = read({"all": given_})["all"]

    assert (one["note"], three["note"]) == ("␀", "fine")
    assert isinstance(two, Refused)
    assert two.problem.message.startswith("all[1].value.a must not contain NUL")
    assert four.problem.message == "all[3] must be an object"


def test_an_incidental_field_is_ignored_and_named():
    values = read({"size": "large", "note": "x"})

    assert (values["size"], values["note"]) == (None, "x")
    assert values["ignored"] == {"size": "size must be a whole number"}
    assert read({"size": 3})["ignored"] == {}


@pytest.mark.parametrize("length", [59, 60, 61, 1_000, 1_000_000])
def test_a_long_text_loses_its_middle(length):
    note = read({"note": "a" * (length - 3) + "end"})["note"]

    assert len(note) == min(length, 60)
    assert note.endswith("end")
    assert ("left out" in note) == (length > 60)


texts = st.text(st.characters() | st.sampled_from("\0\ud800\udfff\\u"), max_size=20)


@given(st.dictionaries(texts, texts | st.lists(texts, max_size=3), max_size=4), texts)
def test_a_body_is_stored_with_marks_or_refused(others, note):
    raw = json.dumps(others | {"note": note}).encode()
    try:
        value = marks.parse(raw)
    except Invalid:
        return
    if isinstance(value, marks.Marked):
        with pytest.raises(Invalid):
            body.parse(raw)
        assert not body.UNSTORABLE.search(str(marks.shown(dict(value))))
    else:
        assert value == others | {"note": note}
