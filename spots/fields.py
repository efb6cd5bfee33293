"""Fields whose refusals are told in seed 004's words."""

import math

from rest_framework.fields import empty

from api import fields
from problems import Invalid

LARGEST = 2**53  # up to there every client reads the number that was meant


class Measure(fields.Number):
    """A number; `told` says what is wrong with one out of bounds."""

    def __init__(
        self,
        *,
        told: str,
        default: object = empty,
        least: float = -math.inf,
        most: float = math.inf,
    ) -> None:
        super().__init__(default=default, least=least, most=most)
        self.told = told

    def refused(self, why: str) -> Invalid:
        return Invalid(f"{self.field_name} {self.told}")


class Count(fields.WholeNumber):
    """A whole number; `told` says what is wrong with one that is too small."""

    def __init__(
        self, *, told: str, default: object = empty, least: int = 0, most: int = LARGEST
    ) -> None:
        super().__init__(default=default, least=least, most=most)
        self.told = told

    def check(self, data: object) -> object:
        if type(data) is int and data < self.least:
            raise Invalid(f"{self.field_name} {self.told}")
        return super().check(data)


class Batch(Count):
    """How many tasks to claim: one unless something else is said."""

    def __init__(self, *, most: int) -> None:
        super().__init__(default=1, least=1, most=most, told="must be positive")

    def refused(self, why: str) -> Invalid:
        return Invalid(f"{self.field_name} cannot exceed {self.most}")
