"""Fields that refuse values in seed 004's words."""

import math

from rest_framework.fields import empty

from api import fields
from problems import Invalid

LARGEST = 2**53  # up to here every JSON parser reads the exact number


class Measure(fields.Number):
    """A number; `message` is the refusal of one out of bounds."""

    def __init__(
        self,
        *,
        message: str,
        default: object = empty,
        least: float = -math.inf,
        most: float = math.inf,
    ) -> None:
        super().__init__(default=default, least=least, most=most)
        self.message = message

    def refused(self, why: str) -> Invalid:
        return Invalid(f"{self.field_name} {self.message}")


class Count(fields.WholeNumber):
    """A whole number; `message` is the refusal of one that is too small."""

    def __init__(
        self, *, message: str, default: object = empty, least: int = 0, most: int = LARGEST
    ) -> None:
        super().__init__(default=default, least=least, most=most)
        self.message = message

    def check(self, data: object) -> object:
        if type(data) is int and data < self.least:
            raise Invalid(f"{self.field_name} {self.message}")
        return super().check(data)


class MaxTasks(Count):
    """How many tasks to claim; one by default."""

    def __init__(self, *, most: int) -> None:
        super().__init__(default=1, least=1, most=most, message="must be positive")

    def refused(self, why: str) -> Invalid:
        return Invalid(f"{self.field_name} cannot exceed {self.most}")
