import gettext
import re
from ast import literal_eval
from pathlib import Path

import pytest
from django.conf import settings

LANGUAGES = [code for code, _ in settings.LANGUAGES if code != "en"]
CATALOGS = sorted(settings.BASE_DIR.glob("*/locale/*/LC_MESSAGES/*.po"))
FIELD = re.compile(r'^(msgctxt|msgid_plural|msgid|msgstr(?:\[\d\])?) (".*")$')
PLACEHOLDER = re.compile(r"%\(\w+\)[ds]")


def messages_of(catalog: Path) -> list[dict[str, str]]:
    """The messages of a catalog, each as its fields; without the header."""
    messages = []
    for block in catalog.read_text().split("\n\n"):
        message: dict[str, str] = {}
        name = ""
        for line in block.splitlines():
            if found := FIELD.match(line):
                name = found[1]
                message[name] = literal_eval(found[2])
            elif line.startswith('"'):
                message[name] += literal_eval(line)
            elif line.startswith("#,") and "fuzzy" in line:
                message["fuzzy"] = "yes"
        if message.get("msgid"):
            messages.append(message)
    return messages


def translations_in(message: dict[str, str]) -> list[str]:
    return [text for name, text in message.items() if name.startswith("msgstr")]


def test_each_translated_room_has_every_language():
    rooms = {catalog.parents[2] for catalog in CATALOGS}

    assert rooms
    for room in rooms:
        assert {found.name for found in room.iterdir()} == set(LANGUAGES)


@pytest.mark.parametrize("catalog", CATALOGS, ids=lambda path: "-".join(path.parts[-5:]))
def test_a_catalog_is_translated_whole(catalog: Path):
    messages = messages_of(catalog)

    assert messages
    assert [one["msgid"] for one in messages if not all(translations_in(one))] == []
    assert [one["msgid"] for one in messages if "fuzzy" in one] == []


@pytest.mark.parametrize("catalog", CATALOGS, ids=lambda path: "-".join(path.parts[-5:]))
def test_translations_have_the_placeholders_of_their_text(catalog: Path):
    for message in messages_of(catalog):
        expected = set(PLACEHOLDER.findall(message.get("msgid_plural", message["msgid"])))

        for text in translations_in(message):
            assert set(PLACEHOLDER.findall(text)) == expected, message["msgid"]


@pytest.mark.parametrize("catalog", CATALOGS, ids=lambda path: "-".join(path.parts[-5:]))
def test_compiled_catalogs_match_their_sources(catalog: Path):
    with catalog.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)

    for message in messages_of(catalog):
        if "msgid_plural" in message:
            found = compiled.ngettext(message["msgid"], message["msgid_plural"], 1)
            assert found == message["msgstr[0]"]
        elif "msgctxt" in message:
            assert compiled.pgettext(message["msgctxt"], message["msgid"]) == message["msgstr"]
        else:
            assert compiled.gettext(message["msgid"]) == message["msgstr"]
