"""A filter of a few words."""

from collections.abc import Iterable

from django import forms
from django_filters import CharFilter


class WordField(forms.CharField):
    """A text that must be one of these words, without regard to case."""

    def __init__(self, *args: object, words: Iterable[str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # as for any field
        self.words = {word.lower(): word for word in words}

    def clean(self, value: object) -> str:
        text: str = super().clean(value)
        if text and text.lower() not in self.words:
            raise forms.ValidationError("")
        return self.words.get(text.lower(), text)


class OneOf(CharFilter):
    """A filter whose values are known: any other is refused, by its name and with the words."""

    field_class = WordField

    def __init__(self, words: Iterable[str], **kwargs: object) -> None:
        self.words = sorted(words)
        super().__init__(words=self.words, **kwargs)
