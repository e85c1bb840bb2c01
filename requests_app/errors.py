"""What a step of a case may answer instead of being done. Their texts are shown to people: they name what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from requests_app.models import RightsRequest


class NotAllowed(Exception):
    """The state, the role, the identity level or the law forbids this step; nothing was changed."""


class SomebodyElseGotThereFirst(NotAllowed):
    """The case moved on since it was shown; look at it again."""


class AlreadyOpen(Exception):
    """This person already has an open request for the same right: `request`."""

    def __init__(self, request: RightsRequest) -> None:
        text = _("A request for the same right is still open: %(reference)s.") % {"reference": request.reference}
        super().__init__(text)
        self.request = request
