"""Every sentence of the dashboard is translated into every language that it offers."""

import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings

PAGE = Path(settings.BASE_DIR) / "dashboard"
IN_SCRIPTS = re.compile(r'\b(?:_|ngettext)\(\s*"([^"]+)"')
IN_TEMPLATES = re.compile(r"""{% translate ["']([^"']+)["']""")
OTHERS = [code for code, _ in settings.LANGUAGES if code != "en"]


def sentences(folder, pattern):
    return {
        sentence
        for file in (PAGE / folder).iterdir()
        if file.is_file()
        for sentence in pattern.findall(file.read_text())
    }


def compiled(domain, language):
    folder = PAGE / "locale" / language / "LC_MESSAGES"
    with (folder / f"{domain}.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def untranslated(texts, catalog):
    """The texts without a translation; a translation may equal its text."""
    known = {key[0] if isinstance(key, tuple) else key for key in catalog._catalog}
    return sorted(texts - known)


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_of_the_scripts_is_translated_and_compiled(language):
    texts = sentences("static/dashboard", IN_SCRIPTS)

    assert len(texts) > 100
    assert untranslated(texts, compiled("djangojs", language)) == []


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_of_the_page_is_translated_and_compiled(language):
    texts = sentences("templates/dashboard", IN_TEMPLATES)

    assert len(texts) > 10
    assert untranslated(texts, compiled("django", language)) == []


@pytest.mark.parametrize("language", OTHERS)
def test_translations_have_the_same_placeholders(language):
    names = re.compile(r"%\((\w+)\)s")
    for text, translation in compiled("djangojs", language)._catalog.items():
        sentence = text[0] if isinstance(text, tuple) else text
        if sentence:
            assert set(names.findall(translation)) == set(names.findall(sentence)), sentence
