from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="FailedLogin",
            fields=[
                (
                    "key",
                    models.CharField(
                        help_text="A digest of account and address.", max_length=64, primary_key=True, serialize=False
                    ),
                ),
                ("tries", models.PositiveIntegerField()),
                ("open_at", models.FloatField(help_text="Epoch seconds before which none is judged.")),
                ("at", models.FloatField(db_index=True, help_text="Epoch seconds of the last try.")),
                ("known", models.BooleanField(help_text="Whether there is such an account.")),
            ],
            options={"default_permissions": ()},
        ),
    ]
