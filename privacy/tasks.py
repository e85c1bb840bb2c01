"""Celery's doorbells for what happens by the clock: purges, and the proof of what was done."""

from celery import shared_task
from django.utils import timezone

from privacy import proof, retention, returning


@shared_task
def purge() -> None:
    retention.run(now=timezone.now())
    returning.run(now=timezone.now())


@shared_task
def keep_proof() -> None:
    proof.keep(now=timezone.now())
