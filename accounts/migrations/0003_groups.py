"""The groups Viewer, Operator and Admin, each with its permissions."""

from django.db import migrations

VIEW, OPERATE, ADMINISTER = "view_console", "operate", "administer"
GROUPS = {
    "Viewer": [VIEW],
    "Operator": [VIEW, OPERATE],
    "Admin": [VIEW, OPERATE, ADMINISTER],
}


def make(apps, schema_editor):
    """Django makes permissions only after all migrations, so those of the groups are made here."""
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    Group = apps.get_model("auth", "Group")
    kind, _ = ContentType.objects.get_or_create(app_label="accounts", model="user")
    names = dict(apps.get_model("accounts", "User")._meta.permissions)
    for name, permissions in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        for codename in permissions:
            row, _ = Permission.objects.get_or_create(
                content_type=kind, codename=codename, defaults={"name": names[codename]}
            )
            group.permissions.add(row)


def remove(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=GROUPS).delete()


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0002_user_permissions"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(make, remove)]
