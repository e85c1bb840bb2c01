"""Where upper floors are handed to lower ones. A lower floor asks through a small protocol and never imports upwards.

Wired by dotted path in settings, loaded when first used:
- INSYN_PURGE_GUARD: what privacy's purges ask about holds, restrictions and open requests.
"""


def wire() -> None:
    """Called once when Django is ready."""
