from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("requests_app", "0003_located_for")]

    operations = [
        migrations.AddField(model_name="rightsrequest", name="evidence_at", field=models.DateTimeField(null=True)),
    ]
