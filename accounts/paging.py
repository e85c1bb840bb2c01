"""Pages of a list that may be very long: it is counted only so far as anybody would turn pages."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator  # generic in the stubs only

MOST = 1000


class BoundedPaginator(_Paginator):
    """The first `MOST` of the rows; that there are more is said, not counted."""

    @cached_property
    def _found(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: MOST + 1].count())  # without what is reckoned for each line

    @property
    def count(self) -> int:
        return min(self._found, MOST)

    @property
    def is_cut(self) -> bool:
        return self._found > MOST
