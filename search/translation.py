"""English for words of other languages, as far as this project's own catalogs tell.

Documents are in English; people may ask in the languages of the pages. Each catalog has sentences
in both. Words that come up together in them, and seldom apart, are taken for the same.
"""

import gettext
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from django.apps import apps
from django.conf import settings

from search import words
from search.embedders import COMMON

MOST = 2  # English words for one
LEAST = 0.4  # how often they have to come together: twice as often as apart is 0.67
PLACE = re.compile(r"%\(\w+\)[sd]|%[sd]|&[a-z]+;|<[^>]*>")
STEMS = {"ko": (1, 2), "ru": (4, 5)}
"""For each language the fewest letters of a stem, and how many a longer word is cut to."""


def english(text: str) -> list[str]:
    """Likely English words for those of the text that are of another language of ours."""
    found: list[str] = []
    for word in words.parts(text):
        for language in () if word.isascii() else STEMS:
            for other in _meanings(language).get(_stem(word, language), ()):
                if other not in found:
                    found.append(other)
    return found


@cache
def _meanings(language: str) -> Mapping[str, list[str]]:
    together: dict[str, Counter[str]] = defaultdict(Counter)
    here: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for original, translated in _sentences(language):
        ours = {word for word in words.parts(original) if word not in COMMON and len(word) > 1}
        theirs = {
            _stem(word, language) for word in words.parts(translated) if not word.isascii()
        } - {""}
        here.update(ours)
        there.update(theirs)
        for stem in theirs:
            together[stem].update(ours)
    return {
        stem: _likely({word: 2 * n / (here[word] + there[stem]) for word, n in counts.items()})
        for stem, counts in together.items()
    }


def _likely(scores: Mapping[str, float]) -> list[str]:
    ordered = sorted(scores, key=lambda word: (-scores[word], word))
    return [word for word in ordered[:MOST] if scores[word] >= LEAST]


def _sentences(language: str) -> Iterator[tuple[str, str]]:
    """The sentences of all catalogs of this project, with their translations; each once."""
    seen = set()
    for config in sorted(apps.get_app_configs(), key=lambda config: config.name):
        folder = Path(config.path)
        if not folder.is_relative_to(settings.BASE_DIR) or ".venv" in folder.parts:
            continue
        for file in sorted((folder / "locale" / language / "LC_MESSAGES").glob("*.mo")):
            with file.open("rb") as opened:
                catalog: Mapping[object, str] = vars(gettext.GNUTranslations(opened))["_catalog"]
            for key, translated in catalog.items():
                original = key[0] if isinstance(key, tuple) else str(key)
                if original and (original, translated) not in seen:
                    seen.add((original, translated))
                    yield PLACE.sub(" ", original), PLACE.sub(" ", translated)


def _stem(word: str, language: str) -> str:
    least, most = STEMS[language]
    return word[:most] if len(word) >= least else ""
