"""Names of channels in Unicode's form NFC, in which they are looked up from now on."""

from unicodedata import normalize

from django.db import IntegrityError, migrations, transaction


def compose(apps, schema_editor):
    """A name that another channel has already in that form stays; its channel is known by its id."""
    channels = apps.get_model("tasks", "Channel").objects
    for channel in channels.order_by("pk").iterator():
        name = normalize("NFC", channel.name).strip()
        if name != channel.name:
            try:
                with transaction.atomic():
                    channels.filter(pk=channel.pk).update(name=name)
            except IntegrityError:
                continue


class Migration(migrations.Migration):

    dependencies = [("tasks", "0006_begun")]

    operations = [migrations.RunPython(compose, migrations.RunPython.noop)]
