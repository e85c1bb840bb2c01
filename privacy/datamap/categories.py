"""The three categories of the policy, as prefixes of the Fides taxonomy compared by whole segments (R4)."""

from collections.abc import Iterable, Mapping

# Order decides: a field belongs to the first category that has a prefix of one of its data categories.
DEFAULT_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "contact": ("user.contact",),
    "identification": (
        "user.name",
        "user.unique_id",
        "user.government_id",
        "user.account",
        "user.authorization",
        "user.biometric",
        "user.demographic",
    ),
    "history": (
        "user.behavior",
        "user.financial",
        "user.payment",
        "user.device",
        "user.sensor",
        "user.location",
        "user.content",
        "user.telemetry",
        "user.privacy_preferences",
        "user.social",
    ),
}
OTHER = "other"


def within(category: str, prefix: str) -> bool:
    """Whether `category` is `prefix` or below it, by whole segments: `user.device.cookie` holds no `user.device.cookie_id`."""
    return category == prefix or category.startswith(prefix + ".")


def is_personal(categories: Iterable[str]) -> bool:
    return any(within(category, "user") for category in categories)


def policy_category(categories: Iterable[str], table: Mapping[str, Iterable[str]] = DEFAULT_CATEGORIES) -> str:
    """`identification`, `contact`, `history` or a company's own; `other` for personal data that none of them names."""
    known = tuple(categories)
    for name, prefixes in table.items():
        if any(within(category, prefix) for category in known for prefix in prefixes):
            return name
    return OTHER
