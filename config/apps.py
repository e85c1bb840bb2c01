from django.apps import AppConfig


class CompositionRoot(AppConfig):
    """The top floor: wires the upper floors into the lower ones. Nobody imports it."""

    name = "config"

    def ready(self) -> None:
        from config import celery, checks  # noqa: F401 - for what importing them registers
        from config.wiring import wire

        wire()
