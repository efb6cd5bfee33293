"""A requirement is unique by a digest: what it says may be longer than an index can hold."""

import hashlib
import json

from django.db import migrations, models

BATCH = 1_000


def give_digests(apps, schema_editor):
    requirements = apps.get_model('tasks', 'Requirement').objects
    rows = []
    for row in requirements.iterator(chunk_size=BATCH):
        said = [row.wants, row.requires, sorted(set(row.refused_by))]
        row.digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        rows.append(row)
    requirements.bulk_update(rows, ['digest'], batch_size=BATCH)


class Migration(migrations.Migration):

    dependencies = [
        ('tasks', '0007_names_of_channels'),
    ]

    operations = [
        migrations.AddField(
            model_name='requirement',
            name='digest',
            field=models.CharField(default='', help_text='Of all that it says, which may be longer than an index can hold.', max_length=64),
            preserve_default=False,
        ),
        migrations.RunPython(give_digests, migrations.RunPython.noop, elidable=True),
        migrations.RemoveConstraint(
            model_name='requirement',
            name='requirement_is_unique',
        ),
        migrations.AddConstraint(
            model_name='requirement',
            constraint=models.UniqueConstraint(fields=('digest',), name='requirement_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='requirement',
            constraint=models.CheckConstraint(condition=models.Q(('digest', ''), _negated=True), name='requirement_has_a_digest'),
        ),
    ]
