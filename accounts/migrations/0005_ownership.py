"""Users with work of their own: a permission, a group, and the role `operator` of tokens."""

from django.db import migrations, models

GROUP = "User"
CODENAME = "use_api"
NAME = "May use the API for their own work, and for what is nobody's"
USER, OPERATOR = "user", "operator"


def begin(apps, schema_editor):
    """Who operates may also use; tokens of the role `user` gave what `operator` does now."""
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    Group = apps.get_model("auth", "Group")
    kind, _ = ContentType.objects.get_or_create(app_label="accounts", model="user")
    use, _ = Permission.objects.get_or_create(
        content_type=kind, codename=CODENAME, defaults={"name": NAME}
    )
    Group.objects.get_or_create(name=GROUP)[0].permissions.add(use)
    operating = {"permissions__content_type": kind, "permissions__codename": "operate"}
    for group in Group.objects.filter(**operating):
        group.permissions.add(use)
    operating = {f"user_{name}": value for name, value in operating.items()}
    for user in apps.get_model("accounts", "User").objects.filter(**operating):
        user.user_permissions.add(use)
    tokens = apps.get_model("accounts", "ApiToken").objects
    tokens.filter(role=USER).update(role=OPERATOR)


def end(apps, schema_editor):
    tokens = apps.get_model("accounts", "ApiToken").objects
    tokens.filter(role=OPERATOR).update(role=USER)
    apps.get_model("auth", "Group").objects.filter(name=GROUP).delete()
    apps.get_model("auth", "Permission").objects.filter(codename=CODENAME).delete()


class Migration(migrations.Migration):

    dependencies = [("accounts", "0004_tokens")]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "permissions": [
                    (CODENAME, NAME),
                    ("view_console", "May look at everything in the console"),
                    ("operate", "May steer tasks, chains, jobs, channels and agents"),
                    ("administer", "May retire agents, and edit users"),
                ],
            },
        ),
        migrations.AlterField(
            model_name="apitoken",
            name="role",
            field=models.CharField(
                choices=[
                    ("user", "User"),
                    ("support", "Support"),
                    ("operator", "Operator"),
                    ("admin", "Admin"),
                    ("agent", "Agent"),
                ],
                max_length=16,
                verbose_name="role",
            ),
        ),
        migrations.RunPython(begin, end),
    ]
