from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [migrations.CreateModel("Item", [
        ("id", models.AutoField(primary_key=True, serialize=False)),
        ("name", models.CharField(max_length=40, unique=True)),
        ("price", models.DecimalField(max_digits=8, decimal_places=2)),
        ("data", models.JSONField(default=dict)),
    ])]
