"""Wires the desk into the staff site: importing a module of the desk registers its pages."""

from accounts.staff_site import staff_site
from requests_app.desk import (  # noqa: F401 - they register themselves
    breaches,
    case_desk,
    consents,
    deliveries,
    disclosures,
    forwardings,
    kept,
    proof,
    purges,
    recipient_notices,
    recipients,
    stores,
    versions,
)
from requests_app.desk.first_page import first_page
from requests_app.desk.menu import menu_for

staff_site.first_page = first_page
staff_site.menu = menu_for
