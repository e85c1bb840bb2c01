"""What each right means, for somebody who is no lawyer: two sentences, an example, and what to expect."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Customer
from requests_app.case import representing
from requests_app.cases import NEEDED_LEVEL
from requests_app.models import Right, RightsRequest

Text = str | Promise
NEEDS_LEVEL_2 = frozenset(right for right, level in NEEDED_LEVEL.items() if level >= 2)
ONE_MONTH = _(
    "At most one month from the day you ask. If your request is complicated we may take two more months; then we "
    "tell you why within the first."
)
MAILBOX_AND_PHONE = _("Your e-mail address, and a code to a phone number that we already have for you.")
MAILBOX = _("Your e-mail address: we send a code to it.")


@dataclass(frozen=True)
class RightText:
    right: Right
    article: str
    lead: Text
    example: Text
    does_not: Text
    how_long: Text
    needed: Text
    action: Text  # the button
    represented: bool = False  # read by who acts for the person

    @property
    def title(self) -> Text:
        return FOR_ANOTHER[self.right] if self.represented else self.right.label


# What it is called by who asks for it on behalf of somebody else: nothing there is "mine".
FOR_ANOTHER: dict[Right, Text] = {
    Right.ACCESS: _("See the person's data"),
    Right.PORTABILITY: _("Get the person's data as files to take along"),
    Right.RECTIFICATION: _("Correct the person's data"),
    Right.RESTRICTION: _("Restrict the use of the person's data"),
    Right.ERASURE: _("Erase the person's data"),
    Right.OBJECTION: _("Stop direct marketing to the person"),
}


RIGHTS: dict[str, RightText] = {
    text.right.value: text
    for text in (
        RightText(
            Right.ACCESS,
            "15",
            lead=_(
                "You get a copy of the data we hold about you. With it comes an explanation of why we have it, "
                "where it came from, "
                "who has received it and how long we keep it."
            ),
            example=_("You want to know which log-ins and invoices we have saved since you became a customer."),
            does_not=_("It changes nothing: your services and your data stay as they are. Data about other people is left out."),
            how_long=ONE_MONTH,
            needed=MAILBOX_AND_PHONE,
            action=_("Ask to see my data"),
        ),
        RightText(
            Right.PORTABILITY,
            "20",
            lead=_(
                "You get the data that you gave us, or that came from your use of our services, as files that other "
                "companies can read. "
                "You choose who you give them to."
            ),
            example=_("You are moving to another company and want your contact details and your history with you."),
            does_not=_(
                "It does not end your services. It leaves out what we worked out ourselves or keep only because a law says so; "
                "to see that too, ask for access."
            ),
            how_long=ONE_MONTH,
            needed=MAILBOX_AND_PHONE,
            action=_("Ask for my data as files"),
        ),
        RightText(
            Right.RECTIFICATION,
            "16",
            lead=_(
                "We correct what is wrong and add what is missing, in every place where we keep it. "
                "You see what we have beside what you write."
            ),
            example=_("You have moved, and our letters still go to the old address."),
            does_not=_(
                "It does not change invoices that have been sent: the Swedish Bookkeeping Act forbids that. New "
                "invoices get the new details."
            ),
            how_long=ONE_MONTH,
            needed=_("Your e-mail address. To see what we have written in full: also a code to your phone."),
            action=_("Correct my data"),
        ),
        RightText(
            Right.RESTRICTION,
            "18",
            lead=_(
                "We keep your data but stop using it while a question is being settled. We tell you before we begin "
                "to use it again."
            ),
            example=_("You say that a payment note about you is wrong, and want it left alone until we have checked."),
            does_not=_(
                "It erases nothing. On some grounds your services are paused meanwhile: the form says which, before you send it."
            ),
            how_long=ONE_MONTH,
            needed=MAILBOX,
            action=_("Restrict the use of my data"),
        ),
        RightText(
            Right.ERASURE,
            "17",
            lead=_(
                "We delete the data that we have no reason to keep any longer. "
                "What a law tells us to keep is kept for that purpose only, and you are told what it is and until when."
            ),
            example=_("You have ended your contract and want your contact details and your log-in history gone."),
            does_not=_(
                "It does not end a running contract: do that first. It does not delete invoices before the "
                "Bookkeeping Act lets us. "
                "It cannot be undone."
            ),
            how_long=ONE_MONTH,
            needed=MAILBOX_AND_PHONE,
            action=_("Ask us to erase my data"),
        ),
        RightText(
            Right.OBJECTION,
            "21",
            lead=_("We stop sending you advertising, and stop using your data for it. We never say no to this."),
            example=_("You get our offers by e-mail and do not want them."),
            does_not=_("You still get what belongs to your services, such as invoices and notices of interruptions."),
            how_long=_("One click. We stop at once and confirm it by e-mail."),
            needed=MAILBOX,
            action=_("Stop direct marketing"),
        ),
    )
}


def right_of(case: RightsRequest, reader: Customer) -> RightText:
    """The right of this request in the words of who reads: the person, or who acts for them."""
    return replace(RIGHTS[case.right], represented=representing.is_representative(case, reader))
