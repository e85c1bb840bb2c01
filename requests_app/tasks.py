"""Celery's doorbells. A task takes one claim's worth of work and rings again while there was some; messages are empty."""

from celery import shared_task
from django.utils import timezone

from requests_app import policy
from requests_app.delivering import delivery
from requests_app.keeping import maintenance
from requests_app.registers import forwarding
from requests_app.running import doorbell, outbox, scans, workers


@shared_task
def locate() -> None:
    if workers.locate_due():
        doorbell.ring_now(doorbell.LOCATE)


@shared_task
def run_batch() -> None:
    if workers.run_due():
        doorbell.ring_now(doorbell.RUN_BATCH)
    elif scans.outstanding(timezone.now()):
        doorbell.ring_now(doorbell.SCAN_RESIDUE)  # it may have waited for the batches before


@shared_task(time_limit=24 * 3600)  # one statement on one table may take as long as the table is large
def scan_residue() -> None:
    if scans.scan_due():
        doorbell.ring_now(doorbell.SCAN_RESIDUE)


@shared_task
def build_package() -> None:
    if workers.build_some():
        doorbell.ring_now(doorbell.BUILD_PACKAGE)


@shared_task
def deliver_outbox() -> None:
    outbox.deliver_due()


@shared_task
def tell_policy() -> None:
    if policy.tell_some(now=timezone.now()):
        doorbell.ring_now(doorbell.TELL_POLICY)


@shared_task
def sweep() -> None:
    for bell in workers.sweep(now=timezone.now()):
        doorbell.ring_now(bell)
    forwarding.forward_due(now=timezone.now())


@shared_task
def expire_packages() -> None:
    delivery.expire_packages(now=timezone.now())


@shared_task
def nightly() -> None:
    maintenance.nightly(now=timezone.now())
