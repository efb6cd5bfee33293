"""`manage.py openapi`: write the schema of each API family to docs/openapi."""

from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.validation import validate_schema

from coordinator_project import openapi

FOLDER = Path(settings.BASE_DIR) / "docs" / "openapi"


class Command(BaseCommand):
    help = "Write the schema of each API family to docs/openapi. It has to come without a warning."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="Change nothing; fail if a file is out of date."
        )

    def handle(self, *, check: bool, **options: object) -> None:
        files = written()
        stale = [name for name, text in files.items() if read(name) != text]
        if check and stale:
            raise CommandError(f"Out of date: {', '.join(stale)}. Run `manage.py openapi`.")
        FOLDER.mkdir(exist_ok=True)
        for name in stale:
            (FOLDER / name).write_bytes(files[name])
            self.stdout.write(f"Wrote docs/openapi/{name}.")


def written() -> dict[str, bytes]:
    """The files by their names. Raises CommandError where a warning was given on the way."""
    whole = openapi.make()
    if GENERATOR_STATS:
        raise CommandError("drf-spectacular could not describe everything; see its warnings.")
    parts = openapi.by_family(whole)
    for part in parts.values():
        validate_schema(part)
    return {
        f"{name}.yaml": OpenApiYamlRenderer().render(part, renderer_context={})
        for name, part in parts.items()
    }


def read(name: str) -> bytes:
    file = FOLDER / name
    return file.read_bytes() if file.exists() else b""
