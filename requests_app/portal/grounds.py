"""The grounds a person may give, in plain words, by the letter of the article they stand in."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from requests_app.models import Right


@dataclass(frozen=True)
class Option:
    """One choice of a question: its words, and what helps to choose. It prints as its words."""

    label: str | Promise
    hint: str | Promise = ""
    warning: str | Promise = ""

    def __str__(self) -> str:
        return str(self.label)


SERVICES_STOP = _("Your services are paused until this is settled.")

# Art. 18(1)(a–d)
RESTRICTION: dict[str, Option] = {
    "a": Option(_("Data you have about me is wrong"), _("We leave it alone while we find out what is right.")),
    "b": Option(_("You may not use my data, but I do not want it erased"), _("For example because you need it as evidence.")),
    "c": Option(
        _("I need the data for a legal claim"),
        _("You would otherwise delete it, and I need it to make, exercise or defend a claim."),
    ),
    "d": Option(_("I have objected to how you use my data"), _("We stop while we weigh your reasons against ours.")),
}

# Art. 17(1)(a–f); the first three are those the privacy policy names. The empty one: the person need not know the law.
ERASURE: dict[str, Option] = {
    "a": Option(_("You no longer need the data"), _("For example: I am no longer your customer.")),
    "d": Option(_("You never had the right to have it"), _("For example: I never agreed to it, and there is no contract.")),
    "c": Option(_("I do not want it used for direct marketing"), _("We stop the marketing at once, whatever else we decide.")),
    "b": Option(_("I take back my consent"), _("For data that you have only because I once said yes.")),
    "e": Option(_("A law or a court says that it must be erased")),
    "f": Option(_("I was a child when I gave it to an online service")),
    "other": Option(_("Something else, or I do not know"), _("Tell us in your own words on the next page. We find the ground.")),
}

BY_RIGHT: dict[str, dict[str, Option]] = {Right.RESTRICTION: RESTRICTION, Right.ERASURE: ERASURE}


def services_stop(ground: str) -> bool:
    """Whether restricting on this ground pauses the services: the company's choice per ground."""
    return bool(settings.INSYN_STOP_SERVICES_ON_RESTRICTION.get(ground))


# The same, as who acts for the person says it.
SERVICES_STOP_FOR_ANOTHER = _("The person's services are paused until this is settled.")
RESTRICTION_FOR_ANOTHER: dict[str, Option] = {
    "a": Option(_("Data you have about the person is wrong"), _("We leave it alone while we find out what is right.")),
    "b": Option(_("You may not use the data, but it is not to be erased"), _("For example because it is needed as evidence.")),
    "c": Option(
        _("The person needs the data for a legal claim"),
        _("You would otherwise delete it, and it is needed to make, exercise or defend a claim."),
    ),
    "d": Option(_("The person has objected to how you use the data"), _("We stop while we weigh the reasons against ours.")),
}


def restriction_options(*, for_another: bool = False) -> list[tuple[str, Option]]:
    options, warning = (RESTRICTION_FOR_ANOTHER, SERVICES_STOP_FOR_ANOTHER) if for_another else (RESTRICTION, SERVICES_STOP)
    return [
        (letter, Option(option.label, option.hint, warning if services_stop(letter) else ""))
        for letter, option in options.items()
    ]


def words(right: str, ground: str, *, for_another: bool = False) -> str | Promise:
    """The ground in the words the person chose it by, or who acts for them."""
    by_right = {**BY_RIGHT, Right.RESTRICTION: RESTRICTION_FOR_ANOTHER} if for_another else BY_RIGHT
    option = by_right.get(right, {}).get(ground or "other")
    return option.label if option else ""
