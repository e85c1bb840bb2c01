"""Celery's doorbell for purges."""

from celery import shared_task
from django.utils import timezone

from privacy import retention


@shared_task
def purge() -> None:
    retention.run(now=timezone.now())
