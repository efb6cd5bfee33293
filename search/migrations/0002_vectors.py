"""Indexes of vectors, where the server has pgvector. Without, search goes by words alone."""

from django.db import migrations

from search import vectors


class Migration(migrations.Migration):

    dependencies = [
        ('search', '0001_search'),
    ]

    operations = [
        migrations.RunPython(vectors.at_migration, vectors.drop),
    ]
