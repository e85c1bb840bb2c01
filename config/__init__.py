"""The composition root. Celery's application is made with Django, so that `shared_task` finds it."""
