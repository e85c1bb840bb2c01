from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_staff_sign_in_attempts")]
    operations = [
        migrations.AddIndex(
            model_name="verificationcode",
            index=models.Index(fields=["created_at"], name="codes_by_time"),
        )
    ]
